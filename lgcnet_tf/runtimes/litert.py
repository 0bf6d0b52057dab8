"""LiteRT (formerly TensorFlow Lite) on the CPU, with XNNPACK."""

import importlib.metadata

import ai_edge_litert.interpreter  # noqa: F401 - whoever lacks it learns it here
import numpy as np

from lgcnet_tf.convert.quiet import quiet
from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.base import (
    Compiled,
    Runtime,
    described,
    static_shape,
)
from lgcnet_tf.runtimes.device.sessions import LiteRTSessions


class LiteRT(Runtime):
    """Runs `.tflite` models.

    Args:
        threads, precision, images: as for `Runtime`. LiteRT's `float16` stores
            weights so and computes in float32 on a CPU, which is no precision
            of its own here.
    """

    name = "litert"
    version = importlib.metadata.version("ai-edge-litert")
    precisions = LiteRTSessions.precisions
    calibration_methods = ("minmax",)  # its converter has no other

    def __init__(self, threads=None, precision="float32", images=()):
        super().__init__(threads, precision, images)
        self._sessions = LiteRTSessions(self.threads, precision)

    def convert(self, layer, input_shape, input_dtype="float32"):
        from lgcnet_tf.convert.litert import to_litert

        batches = None
        if self.precision == "int8":
            batches = list(self.batches(input_shape, input_dtype))
        return to_litert(layer, input_shape, input_dtype, batches)

    def load(self, model, batch_size=None):
        name = described(model)
        try:
            interpreter = self._sessions.open(model)
            (source,) = interpreter.get_input_details()
            shape = static_shape(name, source["shape_signature"].tolist(), batch_size)
            interpreter.resize_tensor_input(source["index"], shape)
            with quiet():
                interpreter.allocate_tensors()
        except InputError:
            raise
        except (RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{name}: LiteRT cannot load it: {reason}") from None
        dtype = np.dtype(source["dtype"])
        target = interpreter.get_output_details()[0]
        run = self._sessions.bound(interpreter, shape)

        def predict(images):
            images = _rounded(np.asarray(images), source)
            before = interpreter.get_tensor(source["index"])
            interpreter.set_tensor(source["index"], images)
            interpreter.invoke()
            y = _exact(interpreter.get_tensor(target["index"]), target)
            interpreter.set_tensor(source["index"], before)
            return y

        return Compiled(run, predict, self, shape, dtype.name)


def _rounded(x, details):
    """Numbers as an input stores them: eight bits with scale and zero point."""
    scale, zero = details["quantization"]
    if scale:
        x = np.clip(np.round(x / scale) + zero, -128, 127)
    return x.astype(details["dtype"])


def _exact(y, details):
    scale, zero = details["quantization"]
    return (y.astype("float32") - zero) * scale if scale else y
