"""ONNX Runtime, on an NVIDIA GPU where its package has that, else on the CPU."""

import os

import numpy as np
import onnxruntime

from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.base import (
    Compiled,
    Runtime,
    described,
    static_shape,
)
from lgcnet_tf.runtimes.device.sessions import ONNX_TYPES, OnnxRuntimeSessions
from lgcnet_tf.runtimes.onnx_graph import from_graph, onnx_of, to_graph


class OnnxRuntime(Runtime):
    """Runs ONNX graphs; input and output stay on the device.

    Args:
        threads, precision, images: as for `Runtime`; `int8` quantises with ONNX
            Runtime's own tool.
    """

    name = "onnxruntime"
    version = onnxruntime.__version__
    precisions = OnnxRuntimeSessions.precisions

    def __init__(self, threads=None, precision="float32", images=()):
        super().__init__(threads, precision, images)
        self._sessions = OnnxRuntimeSessions(self.threads, precision)
        self.device = self._sessions.accelerator or self.device

    def convert(self, layer, input_shape, input_dtype="float32"):
        return onnx_of(self, layer, input_shape, input_dtype, self.precision)

    def load(self, model, batch_size=None):
        name = described(model)
        if isinstance(model, (str, os.PathLike)):
            model = os.fspath(model)
        try:
            session = self._sessions.open(model)
        except Exception as error:  # it has no base class of its own for these
            reason = str(error).splitlines()[0]
            raise InputError(f"{name}: ONNX Runtime cannot load it: {reason}") from None
        (source, *others), (target, *_) = session.get_inputs(), session.get_outputs()
        if others or source.type not in ONNX_TYPES:
            raise InputError(
                f"{name}: must have one input, of type uint8 or float. Received: "
                f"{', '.join(f'{i.name} {i.type}' for i in session.get_inputs())}"
            )
        shape = [d if isinstance(d, int) else None for d in source.shape]
        shape = static_shape(name, shape, batch_size)
        dtype = ONNX_TYPES[source.type]
        run = self._sessions.bound(session, shape, dtype)

        def predict(images):
            images = to_graph(np.asarray(images), shape).astype(dtype)
            (y,) = session.run([target.name], {source.name: images})
            return from_graph(y, dtype)

        return Compiled(run, predict, self, shape, dtype)
