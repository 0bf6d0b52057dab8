"""What a runtime has to offer to be measured."""

import abc
import os
import pathlib
import platform
from collections.abc import Callable

import keras


class Runtime(abc.ABC):
    """Compiles Keras layers for a device.

    Attributes:
        name: the module's name, as `get_runtime` takes it.
        version: version of the runtime.
        device: the device it computes on, in words.
        threads: CPU threads it may use.
    """

    name: str
    version: str
    device: str
    threads: int

    @property
    def precision(self) -> str:
        """Number format in which it computes."""
        return keras.config.dtype_policy().compute_dtype

    @abc.abstractmethod
    def compile(
        self,
        layer: keras.layers.Layer,
        input_shape: tuple[int, ...],
        input_dtype: str = "float32",
    ) -> Callable[[], object]:
        """Makes a function that runs `layer` once at inference.

        Args:
            layer: a layer or model with one input and one output.
            input_shape: static, with the batch: (batch, height, width, channels).
            input_dtype: of the input, which the function brings along.

        Returns:
            A function that returns when the work is done, not when it has been
            queued.
        """

    def compile_loop(
        self,
        layer: keras.layers.Layer,
        input_shape: tuple[int, ...],
        input_dtype: str = "float32",
    ) -> Callable[[int], object]:
        """Like `compile`, but the function runs `layer` as often as it is told.

        A runtime that can does so within one call of its own, each time only
        after the one before is done, so that the cost of the call is not
        counted for each.
        """
        run = self.compile(layer, input_shape, input_dtype)

        def loop(times):
            for _ in range(times):
                run()

        return loop


def available_cpus() -> int:
    """CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_description() -> str:
    """Model and number of the CPUs, e.g. `Intel Xeon, 2 CPUs`."""
    model = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {available_cpus()} CPUs"
