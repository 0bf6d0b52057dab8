"""The optimisers of a search model, as the options say."""

import numpy as np
import pytest

from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.latency.estimate import CostModel


@pytest.mark.parametrize(
    ("schedule", "factors"), [("constant", (1, 1, 1)), ("cosine", (1, 0.5, 0))]
)
def test_rates_of_the_architecture_over_a_search(
    schedule, factors, make_options, make_table, few_operations
):
    """At the first step, the middle one and after the last."""
    options = make_options(
        alpha_schedule=schedule, alpha_lr=0.1, guidance_lr=0.01, **few_operations
    )
    skeleton = options.skeleton(5)
    table = make_table(skeleton, options.input_size)
    cost_model = CostModel(table, skeleton, options.input_size)
    model = build_search_model(options, skeleton, cost_model, steps=10)
    for name, rate in (("architecture", 0.1), ("communication", 0.01)):
        optimizer = model.optimizer.inner[name]
        for step, factor in zip((0, 5, 10), factors, strict=True):
            optimizer.iterations.assign(step)
            found = float(optimizer.learning_rate)
            np.testing.assert_allclose(found, factor * rate, atol=1e-9)
