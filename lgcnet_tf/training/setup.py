"""What finetuning and pretraining share: the optimiser and the averaged weights."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from lgcnet_tf.training.average import WeightAverage
from lgcnet_tf.training.optimizers import make_optimizer
from lgcnet_tf.training.schedules import make_schedule


def optimizer_for(
    options: Any,
    steps: int,
    schedule: str,
    decay: float,
    power: float = 0.9,
    nesterov: bool = False,
) -> keras.optimizers.Optimizer:
    """The optimiser of a run, with its rate's schedule over all epochs.

    Args:
        options: `optimizer`, `lr`, `epochs`, `warmup_epochs` and `clip_norm` are
            heeded.
        steps: of an epoch.
        schedule, power: as for `make_schedule`.
        decay, nesterov: as for `make_optimizer`.
    """
    rate = make_schedule(
        schedule,
        options.lr,
        options.epochs * steps,
        round(options.warmup_epochs * steps),
        power,
    )
    return make_optimizer(options.optimizer, rate, decay, options.clip_norm, nesterov)


def averaged(
    network: keras.Model, ema: float, strategy: Any
) -> tuple[list[keras.callbacks.Callback], Callable[[], list[np.ndarray]]]:
    """What averages the weights, for `fit`, and what gives those to validate and save.

    Args:
        network: a built model.
        ema: decay of the average; 0 for none.
        strategy: what the model was built under.
    """
    if not ema:
        return [], network.get_weights
    with strategy.scope():
        average = WeightAverage(network, ema, strategy)
    return [average], average.get_weights
