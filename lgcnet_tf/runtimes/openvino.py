"""OpenVINO, on an Intel GPU where there is one, else on the CPU."""

import os

import numpy as np
import openvino

from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.base import (
    Compiled,
    Runtime,
    described,
    static_shape,
)
from lgcnet_tf.runtimes.device.sessions import OpenVINOSessions
from lgcnet_tf.runtimes.onnx_graph import from_graph, onnx_of, to_graph


class OpenVINO(Runtime):
    """Runs networks, brought there as ONNX graphs, one call at a time.

    Args:
        threads, precision, images: as for `Runtime`; the processor decides
            which of the small numbers there are. `int8` is the graph that ONNX
            Runtime's tool makes, and what it leaves in float is float32.
    """

    name = "openvino"
    version = openvino.__version__

    def __init__(self, threads=None, precision="float32", images=()):
        self.precisions = OpenVINOSessions(1).precisions
        super().__init__(threads, precision, images)
        self._sessions = OpenVINOSessions(self.threads, precision)
        self.device = self._sessions.accelerator or self.device

    def convert(self, layer, input_shape, input_dtype="float32"):
        # The small floats are a setting of the device, eight bits are in the graph.
        precision = "int8" if self.precision == "int8" else "float32"
        return onnx_of(self, layer, input_shape, input_dtype, precision)

    def load(self, model, batch_size=None):
        name = described(model)
        if isinstance(model, (str, os.PathLike)):
            model = os.fspath(model)
        try:
            graph = self._sessions.read(model)
            (source,) = graph.inputs
            dims = source.partial_shape
            shape = [d.get_length() if d.is_static else None for d in dims]
            shape = static_shape(name, shape, batch_size)
            graph.reshape(shape)
            compiled = self._sessions.compile(graph)
        except InputError:
            raise
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{name}: OpenVINO cannot load it: {reason}") from None
        dtype = compiled.input(0).get_element_type().to_dtype()
        run = self._sessions.bound(compiled, shape)
        other = compiled.create_infer_request()

        def predict(images):
            images = to_graph(np.asarray(images), shape).astype(dtype)
            return from_graph(other.infer(images)[0], dtype.name).copy()

        return Compiled(run, predict, self, shape, dtype.name)
