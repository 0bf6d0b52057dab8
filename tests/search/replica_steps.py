"""Two steps of a search on one device and on two replicas.

A process of its own: TensorFlow splits its CPU in two only before it starts.

Usage: replica_steps.py INPUT OUTPUT; INPUT is a pickle of options, classes,
table and batch, OUTPUT one of the states by the count of replicas.
"""

import pathlib
import pickle
import sys

import keras
import tensorflow as tf

from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.search.search import build_search_model
from lgcnet_tf.training.strategy import make_strategy


def by_path(variables):
    found = {v.path: keras.ops.convert_to_numpy(v) for v in variables}
    assert len(found) == len(variables), "paths are not unique"
    return found


def state(model):
    joint = model.optimizer
    steppers = (joint, *joint.inner.values())
    return {
        "variables": by_path(
            [*model.trainable_variables, *model.non_trainable_variables]
        ),
        "slots": [keras.ops.convert_to_numpy(v) for v in joint.variables],
        "iterations": [
            int(keras.ops.convert_to_numpy(o.iterations)) for o in steppers
        ],
        "synchronized": next(iter(model.network.units.values())).norm.synchronized,
    }


def steps(strategy, options, classes, table, batch):
    """The model's state before, after one and after two steps on the batch."""
    skeleton = options.skeleton(classes)
    cost_model = CostModel(table, skeleton, options.input_size)
    keras.utils.clear_session()  # or the second model's layers get other names
    with strategy.scope():
        model = build_search_model(options, skeleton, cost_model, steps=10)
    dataset = tf.data.Dataset.from_tensor_slices(batch).batch(len(batch[0]))
    states = [state(model)]
    for _ in range(2):
        history = model.fit(dataset, verbose=0, shuffle=False).history
        logs = {name: values[0] for name, values in history.items()}
        states.append(state(model) | {"logs": logs})
    return states


def main(source, target):
    cpu = tf.config.list_physical_devices("CPU")[0]
    half = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [half, half])
    arguments = pickle.loads(pathlib.Path(source).read_bytes())
    two = make_strategy(["CPU:0", "CPU:1"])
    assert two.num_replicas_in_sync == 2
    one = make_strategy(["CPU:0"])
    results = {1: steps(one, *arguments), 2: steps(two, *arguments)}
    pathlib.Path(target).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
