"""The joint step against Keras' own `train_step`."""

import keras
import numpy as np
import pytest

from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.latency.estimate import CostModel

STEPS = 2


@pytest.fixture(scope="module")
def trained(make_options, make_table, make_batch, few_operations):
    """Variables and logs after some steps of a search model, by who does the step."""

    def train(train_step):
        options = make_options(cell_operations=few_operations["cell_operations"])
        skeleton = options.skeleton(5)
        table = make_table(skeleton, options.input_size)
        cost_model = CostModel(table, skeleton, options.input_size)
        model = build_search_model(options, skeleton, cost_model, steps=STEPS)
        if train_step is not None:
            model.train_step = lambda *arguments: train_step(model, *arguments)
        model.run_eagerly = True  # the compiled functions of both are not compared
        logs = [
            {
                name: float(value)
                for name, value in model.train_on_batch(
                    *make_batch(4, seed), return_dict=True
                ).items()
            }
            for seed in range(STEPS)
        ]
        return [np.array(variable) for variable in model.variables], logs

    return train


def test_does_what_keras_does_to_the_bit(trained):
    """Weights, α, moments, statistics, and what is logged."""
    ours, logs = trained(None)
    theirs, their_logs = trained(keras.Model.train_step)
    assert logs == their_logs
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
