"""ONNX Runtime, on an NVIDIA GPU where its package has that, else on the CPU."""

import os

import numpy as np
import onnxruntime

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.runtimes.base import (
    Compiled,
    Runtime,
    described,
    random_input,
    static_shape,
)
from lgcnet_tf.latency.runtimes.onnx_graph import from_graph, onnx_of, to_graph

_GPU, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_ERRORS_ONLY = 3
_TYPES = {
    "tensor(uint8)": "uint8",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
}


class OnnxRuntime(Runtime):
    """Runs ONNX graphs; input and output stay on the device.

    Args:
        threads, precision, images: as for `Runtime`; `int8` quantises with ONNX
            Runtime's own tool.
    """

    name = "onnxruntime"
    version = onnxruntime.__version__
    precisions = ("float32", "float16", "int8")
    suffixes = (".onnx",)

    def __init__(self, threads=None, precision="float32", images=()):
        super().__init__(threads, precision, images)
        self._gpu = _GPU in onnxruntime.get_available_providers()
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = self.threads
        self._options.log_severity_level = _ERRORS_ONLY
        if self._gpu:
            self.device = "NVIDIA GPU (CUDA)"

    def convert(self, layer, input_shape, input_dtype="float32"):
        return onnx_of(self, layer, input_shape, input_dtype, self.precision)

    def load(self, model, batch_size=None):
        name = described(model)
        if isinstance(model, (str, os.PathLike)):
            model = os.fspath(model)
        providers = [_GPU, _CPU] if self._gpu else [_CPU]
        try:
            session = onnxruntime.InferenceSession(model, self._options, providers)
        except Exception as error:  # it has no base class of its own for these
            reason = str(error).splitlines()[0]
            raise InputError(f"{name}: ONNX Runtime cannot load it: {reason}") from None
        (source, *others), (target, *_) = session.get_inputs(), session.get_outputs()
        if others or source.type not in _TYPES:
            raise InputError(
                f"{name}: must have one input, of type uint8 or float. Received: "
                f"{', '.join(f'{i.name} {i.type}' for i in session.get_inputs())}"
            )
        shape = [d if isinstance(d, int) else None for d in source.shape]
        shape = static_shape(name, shape, batch_size)
        dtype = _TYPES[source.type]
        device = "cuda" if self._gpu else "cpu"
        bound = session.io_binding()
        x = random_input(shape, dtype)
        x = onnxruntime.OrtValue.ortvalue_from_numpy(x, device, 0)
        bound.bind_ortvalue_input(source.name, x)
        bound.bind_output(target.name, device, 0)

        def run():
            session.run_with_iobinding(bound)
            bound.synchronize_outputs()
            return bound

        def predict(images):
            images = to_graph(np.asarray(images), shape).astype(dtype)
            (y,) = session.run([target.name], {source.name: images})
            return from_graph(y, dtype)

        return Compiled(run, predict, self, shape, dtype)
