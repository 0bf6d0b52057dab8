"""OpenVINO, on an Intel GPU where there is one, else on the CPU."""

import functools
import os

import numpy as np
import openvino

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.runtimes.base import (
    Compiled,
    Runtime,
    described,
    random_input,
    static_shape,
)
from lgcnet_tf.latency.runtimes.onnx_graph import from_graph, onnx_of, to_graph

_NAMES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "int8": "f32"}
_CAPABILITIES = {"float16": "FP16", "bfloat16": "BF16", "int8": "INT8"}


@functools.cache
def openvino_core() -> openvino.Core:
    """The only OpenVINO `Core` of this process, kept until it ends.

    A `Core` gives the thread that makes it a stack for signal handlers and takes
    it back when it is destroyed. Of two, the one destroyed last puts back the stack
    of the one destroyed first, which is gone: the next signal is then a crash.
    """
    return openvino.Core()


class OpenVINO(Runtime):
    """Runs networks, brought there as ONNX graphs, one call at a time.

    Args:
        threads, precision, images: as for `Runtime`; the processor decides
            which of the small numbers there are. `int8` is the graph that ONNX
            Runtime's tool makes, and what it leaves in float is float32.
    """

    name = "openvino"
    version = openvino.__version__
    suffixes = (".xml", ".onnx")

    def __init__(self, threads=None, precision="float32", images=()):
        self._core = openvino_core()
        found = self._core.available_devices
        self._device = next((d for d in found if d.startswith("GPU")), "CPU")
        can = self._core.get_property(self._device, "OPTIMIZATION_CAPABILITIES")
        self.precisions = ("float32",) + tuple(
            name for name, capability in _CAPABILITIES.items() if capability in can
        )
        super().__init__(threads, precision, images)
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _NAMES[precision],
        }
        if self._device == "CPU":
            self._settings["INFERENCE_NUM_THREADS"] = self.threads
        else:
            self.device = self._core.get_property(self._device, "FULL_DEVICE_NAME")

    def convert(self, layer, input_shape, input_dtype="float32"):
        # The small floats are a setting of the device, eight bits are in the graph.
        precision = "int8" if self.precision == "int8" else "float32"
        return onnx_of(self, layer, input_shape, input_dtype, precision)

    def load(self, model, batch_size=None):
        name = described(model)
        if isinstance(model, (str, os.PathLike)):
            model = os.fspath(model)
        try:
            graph = self._core.read_model(model)
            (source,) = graph.inputs
            dims = source.partial_shape
            shape = [d.get_length() if d.is_static else None for d in dims]
            shape = static_shape(name, shape, batch_size)
            graph.reshape(shape)
            compiled = self._core.compile_model(graph, self._device, self._settings)
        except InputError:
            raise
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{name}: OpenVINO cannot load it: {reason}") from None
        dtype = compiled.input(0).get_element_type().to_dtype()
        request = compiled.create_infer_request()
        request.set_input_tensor(openvino.Tensor(random_input(shape, dtype)))
        other = compiled.create_infer_request()

        def run():
            request.start_async()
            request.wait()
            return request

        def predict(images):
            images = to_graph(np.asarray(images), shape).astype(dtype)
            return from_graph(other.infer(images)[0], dtype.name).copy()

        return Compiled(run, predict, self, shape, dtype.name)
