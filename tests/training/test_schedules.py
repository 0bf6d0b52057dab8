"""Learning rates against their formulas."""

import keras
import numpy as np
import pytest

from lgcnet_tf.training.schedules import make_schedule

STEPS = 50


@pytest.mark.parametrize("warmup", [0, 1, 7])
@pytest.mark.parametrize("kind", ["poly", "cosine"])
def test_against_formula(kind, warmup):
    schedule = make_schedule(kind, 0.02, STEPS, warmup, power=0.9)
    done = np.arange(STEPS + 1) / STEPS
    falls = (1 - done) ** 0.9 if kind == "poly" else (1 + np.cos(np.pi * done)) / 2
    rises = np.minimum(1.0, (np.arange(STEPS + 1) + 1) / max(warmup, 1))
    found = [float(schedule(step)) for step in range(STEPS + 1)]
    np.testing.assert_allclose(found, 0.02 * falls * rises, atol=1e-8)


def test_survives_serialisation():
    schedule = make_schedule("cosine", 0.02, STEPS, 7)
    serialised = keras.optimizers.schedules.serialize(schedule)
    other = keras.optimizers.schedules.deserialize(serialised)
    assert float(other(3)) == float(schedule(3))


def test_no_such_schedule():
    with pytest.raises(ValueError, match="kind must be one of .* Received: 'steps'"):
        make_schedule("steps", 0.1, 10)
