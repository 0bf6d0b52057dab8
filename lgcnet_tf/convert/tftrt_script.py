"""Converts the SavedModel beside this file with TF-TRT, for TensorFlow Serving on GPUs.

    python convert.py OUTPUT [serving_default | encoded]

Needs TensorFlow 2.17 with TensorRT, and the GPU that is to serve; nothing else. The
folder OUTPUT/1 is what `tensorflow/serving:2.17.0-gpu` serves. TF-TRT keeps one
signature: images as they are, or with the second argument PNG and JPEG files.
"""

import json
import os
import sys


def main(arguments):
    if len(arguments) not in (1, 2):
        return "usage: convert.py OUTPUT [serving_default | encoded]"
    here = os.path.dirname(os.path.abspath(__file__))
    source = os.path.join(here, "saved_model", "1")
    output = os.path.join(arguments[0], "1")
    if os.path.lexists(output):
        return f"{output}: exists already; name another folder."
    if reason := missing():
        return reason
    convert(here, source, output, (arguments[1:] or ["serving_default"])[0])
    print(output)
    return None


def missing():
    """One line of what the conversion lacks here; nothing where it can run."""
    try:
        import tensorflow as tf
    except ModuleNotFoundError:
        return "convert.py: needs TensorFlow 2.17; pip install 'tensorflow[and-cuda]==2.17.1'."
    # Asking for the version of a library that is absent would end the process.
    try:
        from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils

        there = _pywrap_py_utils.is_tensorrt_enabled()
    except ImportError:
        there = False
    if not there:
        return (
            f"convert.py: TensorFlow {tf.__version__} finds no TensorRT; 2.17 was the "
            "last with it, and needs libnvinfer.so.8.6.1 (pip install tensorrt-libs=="
            "8.6.1, and its folder in LD_LIBRARY_PATH)."
        )
    if not tf.config.list_physical_devices("GPU"):
        return "convert.py: needs an NVIDIA GPU, the one that is to serve."
    return None


def convert(here, source, output, signature):
    """Converts one signature, builds its engines and saves it."""
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.compiler.tensorrt import trt_convert

    with open(os.path.join(here, "settings.json")) as file:
        settings = json.load(file)
    batch, mode = settings["batch_size"], settings["precision"]
    loaded = tf.saved_model.load(source)
    ((name, spec),) = loaded.signatures[signature].structured_input_signature[1].items()
    if mode == "INT8":
        images = np.load(os.path.join(here, "images.npy"))
    else:
        height, width = (
            loaded.signatures["serving_default"]
            .structured_input_signature[1]["images"]
            .shape[1:3]
        )
        images = np.zeros((batch, height, width, 3), np.uint8)

    def inputs():
        for first in range(0, len(images) - batch + 1, batch):
            part = images[first : first + batch]
            if spec.dtype == tf.string:
                part = [tf.io.encode_png(image).numpy() for image in part]
            yield {name: tf.constant(part, spec.dtype)}

    def sizes():
        """The smallest and the largest batch that the engine is made for."""
        largest = next(inputs())
        yield {name: value[:1] for name, value in largest.items()}
        yield largest

    # With the batch as a dimension of its own: else a crop stays outside of the engine.
    converter = trt_convert.TrtGraphConverterV2(
        input_saved_model_dir=source,
        input_saved_model_signature_key=signature,
        use_dynamic_shape=True,
        precision_mode=mode,
        use_calibration=mode == "INT8",
    )
    if mode == "INT8":
        converter.convert(calibration_input_fn=inputs)
    else:
        converter.convert()
    converter.build(input_fn=sizes)
    converter.summary()
    converter.save(output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
