"""What finetuning and pretraining begin with: devices, optimiser, averaged weights."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from lgcnet_tf.model.precision import precision
from lgcnet_tf.training.average import WeightAverage
from lgcnet_tf.training.determinism import make_deterministic
from lgcnet_tf.training.graphs import prepare_graphs
from lgcnet_tf.training.optimizers import make_optimizer
from lgcnet_tf.training.options import StepOptions
from lgcnet_tf.training.schedules import make_schedule
from lgcnet_tf.training.strategy import make_strategy
from lgcnet_tf.training.workers import Worker, this_worker


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where a run trains.

    Attributes:
        strategy: what the model is built under.
        worker: this process among those that train together.
    """

    strategy: Any
    worker: Worker

    @contextlib.contextmanager
    def building(self, options: StepOptions) -> Iterator[None]:
        """Models built inside are initialised by the seed, in the right precision."""
        with self.strategy.scope():
            keras.utils.set_random_seed(options.seed)
            with precision(options.mixed_precision):
                yield


def begin(options: StepOptions) -> Setup:
    """Checks the options and sets up the backend; call it before anything runs.

    Args:
        options: `batch_size` too.

    Raises:
        InputError: bad options, or devices that are not there.
    """
    options.check()
    if options.deterministic:
        make_deterministic()
    prepare_graphs(wide=False)
    strategy = make_strategy(options.devices, options.batch_size)
    return Setup(strategy, this_worker())


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
