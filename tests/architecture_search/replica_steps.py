"""Steps of a search on one device and on replicas.

A process of its own: TensorFlow splits its CPU only before it starts, and a
device can belong to one `MirroredStrategy` of a process only.

Usage: replica_steps.py REPLICAS INPUT OUTPUT; INPUT is a pickle of options,
classes, table and batch; OUTPUT one of the states by the count of replicas, and
under "optimizers" of what clipping optimisers make of the same gradients.
"""

import functools
import pathlib
import pickle
import sys

import numpy as np

from lgcnet_tf.bin import common

with common.quiet_start(), common.without_needless_imports():
    import keras
    import tensorflow as tf

from lgcnet_tf.architecture_search.architecture import Architecture
from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.training.optimizers import SGD, Adam
from lgcnet_tf.training.strategy import make_strategy

LARGEST = 4


@functools.cache
def strategy_of(replicas):
    strategy = make_strategy([f"CPU:{number}" for number in range(replicas)])
    assert strategy.num_replicas_in_sync == replicas
    return strategy


def by_path(variables):
    found = {v.path: keras.ops.convert_to_numpy(v) for v in variables}
    assert len(found) == len(variables), "paths are not unique"
    return found


def state(model):
    joint = model.optimizer
    # Without communication its optimiser has nothing to step.
    steppers = (joint, joint.inner["weights"], joint.inner[Architecture.SCOPE])
    return {
        "variables": by_path(
            [*model.trainable_variables, *model.non_trainable_variables]
        ),
        "slots": [keras.ops.convert_to_numpy(v) for v in joint.variables],
        "iterations": [int(keras.ops.convert_to_numpy(o.iterations)) for o in steppers],
        "synchronized": next(iter(model.network.units.values())).norm.synchronized,
    }


def steps(replicas, options, classes, table, batch):
    """The model's state before, after one and after two steps on the batch."""
    skeleton = options.skeleton(classes)
    cost_model = CostModel(table, skeleton, options.input_size)
    keras.utils.clear_session()  # or the second model's layers get other names
    with strategy_of(replicas).scope():
        model = build_search_model(options, skeleton, cost_model, steps=10)
    dataset = tf.data.Dataset.from_tensor_slices(batch).batch(len(batch[0]))
    states = [state(model)]
    for _ in range(2):
        history = model.fit(dataset, verbose=0, shuffle=False).history
        logs = {name: values[0] for name, values in history.items()}
        states.append(state(model) | {"logs": logs})
    return states


def optimize(kind, replicas, clip_norm):
    """Two variables after a step with gradients that differ by replica.

    Parts of four gradients, so that any number of replicas has the same sum.
    """
    strategy = strategy_of(replicas)
    parts = np.random.default_rng(0).normal(size=(2, LARGEST, 3)).astype("float32")
    with strategy.scope():
        variables = [keras.Variable(np.ones(3, "float32")) for _ in parts]
        optimizer = kind(0.1, l2=0.5, global_clipnorm=clip_norm or None)
        optimizer.build(variables)
    share = LARGEST // replicas

    @tf.function
    def step():
        def on_replica():
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group * share
            own = tf.constant(parts)[:, first : first + share]
            optimizer.apply(tf.unstack(tf.reduce_sum(own, axis=1)), variables)

        tf.distribute.get_strategy().run(on_replica)

    with strategy.scope():
        step()
    return [keras.ops.convert_to_numpy(v) for v in variables], parts.sum(1)


def main(replicas, source, target):
    counts = (1, int(replicas))
    strategy_of(max(counts))  # splits the CPU
    # The graphs are run twice: it does not pay to optimise them.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    arguments = pickle.loads(pathlib.Path(source).read_bytes())
    results = {count: steps(count, *arguments) for count in counts}
    results["optimizers"] = {
        (kind.__name__, count, clip_norm): optimize(kind, count, clip_norm)
        for kind in (SGD, Adam)
        for count in counts
        for clip_norm in (0.0, 1.0)
    }
    pathlib.Path(target).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
