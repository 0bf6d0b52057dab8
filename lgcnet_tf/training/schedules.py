"""Learning rates over a training: a linear warm-up, then poly or cosine."""

import keras
from keras import ops

from lgcnet_tf.training.settings import SCHEDULES


@keras.saving.register_keras_serializable("lgcnet_tf")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly over the first steps, while another schedule already runs.

    Step i of n has the rate of the schedule at that step times (i + 1) / n.

    Args:
        schedule: a `LearningRateSchedule`.
        steps: length of the rise.
    """

    def __init__(self, schedule, steps):
        self.schedule = schedule
        self.steps = steps

    def __call__(self, step):
        rate = self.schedule(step)
        share = (ops.cast(step, "float32") + 1.0) / float(self.steps)
        return rate * ops.cast(ops.minimum(share, 1.0), rate.dtype)

    def get_config(self):
        schedule = keras.optimizers.schedules.serialize(self.schedule)
        return {"schedule": schedule, "steps": self.steps}

    @classmethod
    def from_config(cls, config):
        schedule = keras.optimizers.schedules.deserialize(config["schedule"])
        return cls(schedule, config["steps"])


def make_schedule(
    kind: str, rate: float, steps: int, warmup_steps: int = 0, power: float = 0.9
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The rate at each step of a training, from `rate` to 0.

    Args:
        kind: `"poly"`, rate · (1 - step/steps)^power, or `"cosine"`,
            rate · (1 + cos(π · step/steps)) / 2.
        rate: the rate without warm-up at step 0.
        steps: steps of the whole training.
        warmup_steps: steps over which the rate rises linearly; 0 for none.
        power: of `"poly"`.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "poly":
        schedule = keras.optimizers.schedules.PolynomialDecay(
            rate, steps, end_learning_rate=0.0, power=power
        )
    elif kind == "cosine":
        schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    else:
        raise ValueError(f"kind must be one of {SCHEDULES}. Received: {kind!r}")
    return WarmUp(schedule, warmup_steps) if warmup_steps else schedule
