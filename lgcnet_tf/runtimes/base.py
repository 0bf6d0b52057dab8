"""What a runtime has to offer to be measured."""

import abc
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from lgcnet_tf.convert.settings import CALIBRATION_METHODS
from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.device.machine import available_cpus, cpu_description
from lgcnet_tf.runtimes.device.sessions import random_input
from lgcnet_tf.runtimes.device.timing import empty_call_us, repeated
from lgcnet_tf.runtimes.representative import (
    RANDOM_BATCHES,
    RepresentativeImages,
)
from lgcnet_tf.runtimes.settings import ALL_RUNTIMES, RuntimeSpec

EMPTY_SHAPE = (1, 1, 1, 1)
"""Of the map with which a call has nothing to compute."""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A layer or network ready to run.

    Attributes:
        run: runs it once on an input of its own, on the device already, and
            returns when the work is done, not when it has been queued.
        predict: runs it on an array, with the batch it was compiled for;
            feature maps go in and come out as (batch, height, width, channels).
        runtime: what it runs on.
        input_shape, input_dtype: of that input; maps in the runtime's order.
    """

    run: Callable[[], object]
    predict: Callable[[np.ndarray], np.ndarray]
    runtime: "Runtime"
    input_shape: tuple[int, ...]
    input_dtype: str

    def __call__(self) -> object:
        return self.run()


class Runtime(abc.ABC):
    """Compiles Keras layers for a device.

    Args:
        threads: CPU threads it may use; None leaves that to the runtime.
        precision: number format in which it computes, one of `precisions`.
        images: uint8 (height, width, 3), what `int8` takes its ranges from;
            random numbers where there are none. `RepresentativeImages` say
            also how.

    Attributes:
        name: the module's name, as `get_runtime` takes it.
        version: version of the runtime.
        device: the device it computes on, in words.
        threads: CPU threads it may use.
        threads_asked: those it was told to use, None for its own choice.
        precision: number format in which it computes.
        precisions: those it can compute in.
        calibration_methods: ways in which it can take the ranges of `int8`.

    Raises:
        InputError: it cannot run here, or not so.

    Example:
        >>> import keras, numpy as np
        >>> from lgcnet_tf.runtimes import get_runtime
        >>> runtime = get_runtime("tensorflow_graph")
        >>> compiled = runtime.compile(keras.layers.ReLU(), (1, 2, 2, 3))
        >>> compiled.predict(-np.ones((1, 2, 2, 3), "float32")).max()
        np.float32(0.0)
    """

    name: str
    version: str
    device: str
    threads: int
    threads_asked: int | None
    precisions: tuple[str, ...] = ("float32",)
    calibration_methods: tuple[str, ...] = CALIBRATION_METHODS

    def __init__(
        self,
        threads: int | None = None,
        precision: str = "float32",
        images: Sequence[np.ndarray] = (),
    ):
        if precision not in self.precisions:
            raise InputError(
                f"runtime {self.name}: computes here in {' or '.join(self.precisions)}, "
                f"not in {precision}."
            )
        self.threads_asked = threads
        self.threads = threads or available_cpus()
        self.precision = precision
        self.images = RepresentativeImages.of(images)
        method = self.images.method
        if precision == "int8" and method not in self.calibration_methods:
            raise InputError(
                f"runtime {self.name}: takes the ranges of int8 by "
                f"{' or '.join(self.calibration_methods)}, not by {method}."
            )
        self.device = cpu_description()

    @abc.abstractmethod
    def convert(
        self,
        layer: keras.layers.Layer,
        input_shape: tuple[int, ...],
        input_dtype: str = "float32",
    ) -> Any:
        """Translates a layer into what `load` takes: the bytes of a file.

        Args:
            layer: a layer or model with one input and one output.
            input_shape: static, with the batch: (batch, height, width, channels).
            input_dtype: `uint8` for images, `float32` for maps of features.
        """

    @abc.abstractmethod
    def load(self, model: Any, batch_size: int | None = None) -> Compiled:
        """Readies what `convert` made, or a file with one of `suffixes`.

        Args:
            model: the bytes, or the file's path.
            batch_size: wanted of a file that takes any; None for what
                `convert` made.

        Raises:
            InputError: the file is damaged, or for another batch.
        """

    def compile(
        self,
        layer: keras.layers.Layer,
        input_shape: tuple[int, ...],
        input_dtype: str = "float32",
    ) -> Compiled:
        """Makes a function that runs `layer` at inference; arguments as `convert`."""
        return self.load(self.convert(layer, input_shape, input_dtype))

    def compile_loop(
        self,
        layer: keras.layers.Layer,
        input_shape: tuple[int, ...],
        input_dtype: str = "float32",
    ) -> Callable[[int], object]:
        """Like `compile`, but the function runs `layer` as often as it is told.

        A runtime that can does so within one call of its own, each time only
        after the one before is done. The others are called as often, and each
        turn counts `call_overhead_us` too much.
        """
        return repeated(self.compile(layer, input_shape, input_dtype).run)

    @functools.cached_property
    def call_overhead_us(self) -> float:
        """What each turn of `compile_loop`'s function costs by itself, in µs.

        It is the time of a call that has nothing to compute, measured once.
        """
        return empty_call_us(self.compile(keras.layers.ReLU(), EMPTY_SHAPE).run)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the model files that `load` reads, as its `RuntimeSpec` says."""
        spec = ALL_RUNTIMES.get(self.name)
        return spec.reads if isinstance(spec, RuntimeSpec) else ()

    @property
    def calibration(self) -> str | None:
        """Where `int8` has its ranges from and how, in words; None for floats."""
        if self.precision != "int8":
            return None
        return f"{self.images.method} of {self.images.source}"

    def peak_device_bytes(self) -> int | None:
        """Most memory of the accelerator in use so far; None without one."""
        return None

    def batches(self, shape: tuple[int, ...], dtype: str) -> Iterator[np.ndarray]:
        """Inputs from which `int8` takes its ranges, of the given shape."""
        if not self.images or np.dtype(dtype) != np.uint8:
            for seed in range(RANDOM_BATCHES):
                yield random_input(shape, dtype, seed)
            return
        yield from self.images.batches(shape)


def static_shape(
    where: str, shape: Sequence[int | None], batch_size: int | None
) -> tuple[int, ...]:
    """A file's input shape with the batch filled in.

    Args:
        where: the file, for the error.
        shape: None or a number below 1 for what is not fixed.
        batch_size: the batch wanted; None for any.

    Raises:
        InputError: it takes another batch, or images of any size.
    """
    fixed = [d if d is not None and d > 0 else None for d in shape]
    if fixed and fixed[0] is None:
        fixed[0] = batch_size or 1
    if None in fixed:
        raise InputError(f"{where}: its input has no fixed size: {tuple(shape)}.")
    if batch_size and fixed[0] != batch_size:
        raise InputError(
            f"{where}: takes batches of {fixed[0]}; --batch_size={batch_size} does "
            "not fit it."
        )
    return tuple(fixed)


def described(model: Any) -> str:
    """How an error names what `load` was given."""
    return str(model) if isinstance(model, (str, os.PathLike)) else "the model"
