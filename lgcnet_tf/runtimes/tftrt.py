"""TF-TRT: TensorFlow graphs with TensorRT inside, up to TensorFlow 2.17."""

import functools
import os
import tempfile

import tensorflow as tf

from lgcnet_tf.convert.dilated import native_dilation
from lgcnet_tf.convert.graph import layer_function
from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.tensorflow_graph import TensorFlowGraph

_MODES = {"float32": "FP32", "float16": "FP16", "int8": "INT8"}


class TensorFlowTensorRT(TensorFlowGraph):
    """Runs a SavedModel whose subgraphs TF-TRT has made TensorRT engines of.

    Engines are built before anything is timed. There is no loop in the graph:
    the conversion would not reach into it.

    Args:
        threads: as for `TensorFlowGraph`.
        precision, images: as for `Runtime`; `int8` is calibrated with the images.

    Raises:
        InputError: this TensorFlow was built without TensorRT, as all are since
            2.18, or there is no GPU.
    """

    name = "tftrt"
    precisions = tuple(_MODES)

    def __init__(self, threads=None, precision="float32", images=()):
        if not _has_tensorrt():
            raise InputError(
                f"runtime tftrt: TensorFlow {tf.__version__} was built without "
                "TensorRT (2.17 was the last with it); --runtime=tensorrt takes its "
                "place."
            )
        super().__init__(threads, precision, images)
        if not self._gpus:
            raise InputError(
                "runtime tftrt: needs an NVIDIA GPU, and there is none here."
            )

    @functools.cached_property
    def call_overhead_us(self):
        return super(TensorFlowGraph, self).call_overhead_us

    def convert(self, layer, input_shape, input_dtype="float32"):
        from tensorflow.python.compiler.tensorrt import trt_convert

        with native_dilation(layer):
            function = layer_function(layer, input_shape, input_dtype, output="mask")
        module = tf.Module()
        module.layer, module.function = layer, function
        folder = tempfile.TemporaryDirectory()
        before, after = (os.path.join(folder.name, n) for n in ("before", "after"))
        tf.saved_model.save(module, before, {"serving_default": function})
        converter = trt_convert.TrtGraphConverterV2(
            input_saved_model_dir=before,
            precision_mode=_MODES[self.precision],
            use_calibration=self.precision == "int8",
        )

        def inputs():
            for batch in self.batches(input_shape, input_dtype):
                yield (tf.constant(batch),)

        if self.precision == "int8":
            converter.convert(calibration_input_fn=inputs)
        else:
            converter.convert()
        converter.build(input_fn=lambda: iter([next(inputs())]))
        converter.save(after)
        return _Folder(after, folder)

    def compile_loop(self, layer, input_shape, input_dtype="float32"):
        return super(TensorFlowGraph, self).compile_loop(
            layer, input_shape, input_dtype
        )


def _has_tensorrt() -> bool:
    """Whether this TensorFlow was built with TensorRT and finds its library.

    Asking for the library's version first would end the process where it is absent.
    """
    try:
        from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils
    except ImportError:
        return False
    return _pywrap_py_utils.is_tensorrt_enabled()


class _Folder(os.PathLike):
    """A folder that lives as long as this object."""

    def __init__(self, path, keep):
        self.path, self.keep = path, keep

    def __fspath__(self):
        return self.path
