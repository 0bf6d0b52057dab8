"""What can be chosen here, and what is usual; nothing heavy is imported with it."""

from lgcnet_tf.runtimes.settings import FILE_FORMATS

TENSORRT, TFTRT = "tensorrt", "tftrt"
"""An engine for the GPU that it is made on; what TF-TRT's converter takes."""

FORMATS = tuple(name for name in FILE_FORMATS if name != TENSORRT)
"""Files of other libraries that are for any machine."""

MODEL_NAME = "lgcnet"
"""Name under which a model is served."""

DEMO_REST_PORT = 8501
"""Port of the page for trying a model, where none is named."""
