"""Models made ready to run, with each runtime that needs no TensorFlow.

The package's runtimes run models by these classes, and so does the script
`time_models.py` on devices without the package, to which this file goes as it is: it
imports NumPy and the one runtime that is used, and does with Python 3.9.
"""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Callable

import numpy as np

_GPU, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_ERRORS_ONLY = 3
_SYSTEM = "/sys/devices/system/cpu"
_IDENTITY = (
    b'\x08\x08:7\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08'
    b"\x08\x01\x12\x04\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x11"
)
"""A model in ONNX, opset 17: y = x, one float."""
ONNX_TYPES = {
    "tensor(uint8)": "uint8",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
}

_NAMES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "int8": "f32"}
_CAPABILITIES = {"float16": "FP16", "bfloat16": "BF16", "int8": "INT8"}


class OnnxRuntimeSessions:
    """Sessions of ONNX Runtime, whose input and output stay on the device.

    Args:
        threads: of the CPU.
        precision: is in the graph.

    Attributes:
        package: to install.
        suffix: of the models.
        version: of the runtime.
        accelerator: what it computes on if that is not the CPU, else empty.
        precisions: in which it can compute here.
    """

    package = "onnxruntime"
    suffix = ".onnx"
    precisions = ("float32", "float16", "int8")

    def __init__(self, threads: int, precision: str = "float32"):
        import onnxruntime

        self._package = onnxruntime
        self.version = onnxruntime.__version__
        gpu = _GPU in onnxruntime.get_available_providers()
        self.accelerator = "NVIDIA GPU (CUDA)" if gpu else ""
        self._place = "cuda" if gpu else "cpu"
        self._providers = [_GPU, _CPU] if gpu else [_CPU]
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        # As TensorFlow does: a network with random weights has numbers below 1e-38, in
        # which CPUs are so slow that it took a quarter longer than one that is trained.
        self._options.add_session_config_entry("session.set_denormal_as_zero", "1")
        # Threads that wait for the next run by spinning take their CPUs from whatever
        # runs in between: networks timed in turns took two and a half times as long.
        self._options.add_session_config_entry("session.force_spinning_stop", "1")
        self._options.log_severity_level = _ERRORS_ONLY
        self._cpu = None if gpu else self._place_threads(threads)
        # For the thread that calls, the first session of a process decides whether such
        # numbers are zero: so it is not that of a calibration, which has other options.
        self.open(_IDENTITY)

    def _place_threads(self, threads):
        """Gives each thread a CPU of its own; that of the thread which calls.

        The system puts two of them on one CPU now and then, and leaves them there for
        many runs, which take twice as long.
        """
        cpus = fastest_cpus()[:threads]
        if len(cpus) < threads:
            return None
        if threads > 1:
            places = ";".join(str(cpu + 1) for cpu in cpus[1:])
            key = "session.intra_op_thread_affinities"
            self._options.add_session_config_entry(key, places)
        return cpus[0]

    def open(self, model: str | bytes):
        """A session of a file, or of its bytes."""
        return self._package.InferenceSession(model, self._options, self._providers)

    def bound(self, session, shape: tuple[int, ...], dtype: str) -> Callable:
        """A function that runs it on an input of its own, till the work is done."""
        source, target = session.get_inputs()[0], session.get_outputs()[0]
        bound = session.io_binding()
        x = random_input(shape, dtype)
        x = self._package.OrtValue.ortvalue_from_numpy(x, self._place, 0)
        bound.bind_ortvalue_input(source.name, x)
        bound.bind_output(target.name, self._place, 0)

        def run():
            session.run_with_iobinding(bound)
            bound.synchronize_outputs()
            return bound

        return run if self._cpu is None else on_cpu(self._cpu, run)

    def ready(self, path: str) -> Callable:
        """`bound` of a file whose input has a fixed size."""
        session = self.open(path)
        (source,) = session.get_inputs()
        return self.bound(session, tuple(source.shape), ONNX_TYPES[source.type])


@functools.cache
def openvino_core():
    """The only OpenVINO `Core` of this process, kept until it ends.

    A `Core` gives the thread that makes it a stack for signal handlers and takes
    it back when it is destroyed. Of two, the one destroyed last puts back the stack
    of the one destroyed first, which is gone: the next signal is then a crash.
    """
    import openvino

    return openvino.Core()


class OpenVINOSessions:
    """Compiled models of OpenVINO, on an Intel GPU where there is one, else the CPU.

    Args:
        threads: of the CPU.
        precision: the processor decides which of the small numbers there are; those
            of 8 bits are in the graph.

    Attributes:
        package, suffix, version, accelerator, precisions: as above.
    """

    package = "openvino"
    suffix = ".onnx"

    def __init__(self, threads: int, precision: str = "float32"):
        import openvino

        self._package, self._core = openvino, openvino_core()
        self.version = openvino.__version__
        found = self._core.available_devices
        self._device = next((d for d in found if d.startswith("GPU")), "CPU")
        can = self._core.get_property(self._device, "OPTIMIZATION_CAPABILITIES")
        self.precisions = ("float32",) + tuple(
            name for name, capability in _CAPABILITIES.items() if capability in can
        )
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _NAMES[precision],
        }
        self.accelerator = ""
        if self._device == "CPU":
            self._settings["INFERENCE_NUM_THREADS"] = threads
            self._settings["ENABLE_CPU_PINNING"] = True
        else:
            self.accelerator = self._core.get_property(self._device, "FULL_DEVICE_NAME")

    def read(self, model: str | bytes):
        """The graph of a file, or of its bytes."""
        return self._core.read_model(model)

    def compile(self, graph):
        """The graph ready to run; its input must have a fixed size."""
        return self._core.compile_model(graph, self._device, self._settings)

    def bound(self, compiled, shape: tuple[int, ...]) -> Callable:
        """As above."""
        dtype = compiled.input(0).get_element_type().to_dtype()
        request = compiled.create_infer_request()
        request.set_input_tensor(self._package.Tensor(random_input(shape, dtype)))

        def run():
            request.start_async()
            request.wait()
            return request

        return run

    def ready(self, path: str) -> Callable:
        """As above."""
        compiled = self.compile(self.read(path))
        return self.bound(compiled, tuple(compiled.input(0).get_shape()))


class LiteRTSessions:
    """Interpreters of LiteRT on the CPU, with XNNPACK.

    Args:
        threads: of the CPU.
        precision: is in the model.

    Attributes:
        package, suffix, version, accelerator, precisions: as above.
    """

    package = "ai-edge-litert"
    suffix = ".tflite"
    accelerator = ""
    precisions = ("float32", "int8")

    def __init__(self, threads: int, precision: str = "float32"):
        import importlib.metadata

        from ai_edge_litert.interpreter import Interpreter

        self._interpreter, self._threads = Interpreter, threads
        self.version = importlib.metadata.version(self.package)

    def open(self, model: str | bytes):
        """An interpreter of a file, or of its bytes; its tensors have no place yet."""
        if isinstance(model, (str, os.PathLike)):
            with open(model, "rb") as file:
                model = file.read()
        return self._interpreter(model_content=model, num_threads=self._threads)

    def bound(self, interpreter, shape: tuple[int, ...]) -> Callable:
        """As above, of an interpreter whose tensors have their places."""
        (source,) = interpreter.get_input_details()
        dtype = np.dtype(source["dtype"])
        interpreter.set_tensor(source["index"], random_input(shape, dtype))

        def run():
            interpreter.invoke()
            return interpreter

        return run

    def ready(self, path: str) -> Callable:
        """As above."""
        interpreter = self.open(path)
        interpreter.allocate_tensors()
        (source,) = interpreter.get_input_details()
        return self.bound(interpreter, tuple(source["shape"]))


SESSIONS = {
    "onnxruntime": OnnxRuntimeSessions,
    "openvino": OpenVINOSessions,
    "litert": LiteRTSessions,
}
"""The runtimes that a device can have without TensorFlow, by name."""


def fastest_cpus(system: str = _SYSTEM) -> list[int]:
    """Ids of the CPUs this process may run on, those to be used first in front.

    The largest cores come first where there are several kinds, and a core's second
    hardware thread comes after all cores' first ones.

    Args:
        system: the folder in which Linux describes them.

    Returns:
        The ids; none where the system does not let a thread choose its CPU.
    """
    if not hasattr(os, "sched_getaffinity"):
        return []
    cpus = sorted(os.sched_getaffinity(0))

    def place(cpu):
        files = pathlib.Path(system, f"cpu{cpu}")
        sizes = ("cpu_capacity", "cpufreq/cpuinfo_max_freq")
        found = [_numbers(files / name) for name in sizes]
        size = next((numbers[0] for numbers in found if numbers), 0)
        siblings = _numbers(files / "topology/core_cpus_list")
        second = sum(other in siblings for other in cpus if other < cpu)
        return second, -size, cpu

    return sorted(cpus, key=place)


def _numbers(path):
    """Those in a file, ranges such as `0-3` in full; none where there is no file."""
    try:
        entries = path.read_text().split(",")
    except OSError:
        return []
    numbers = []
    for entry in entries:
        first, _, last = entry.strip().partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers


def on_cpu(cpu: int, function: Callable) -> Callable:
    """The function, whose calling thread is on one CPU until it returns."""

    def call():
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {cpu})
        try:
            return function()
        finally:
            os.sched_setaffinity(0, allowed)

    return call


def random_input(shape: tuple[int, ...], dtype, seed: int = 0) -> np.ndarray:
    """Pixels for an integer type, else normally distributed numbers."""
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        low, high = (-128, 128) if np.dtype(dtype) == np.int8 else (0, 256)
        return generator.integers(low, high, shape).astype(dtype)
    return generator.standard_normal(shape, "float32").astype(dtype)
