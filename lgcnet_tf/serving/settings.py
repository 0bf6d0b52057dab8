"""What can be chosen here, and what is usual; nothing heavy is imported with it."""

FORMATS = ("onnx", "openvino", "litert")
"""Files of other libraries."""

TENSORRT, TFTRT = "tensorrt", "tftrt"
"""An engine for the GPU that it is made on; what TF-TRT's converter takes."""

MODEL_NAME = "lgcnet"
"""Name under which a model is served."""

DEMO_REST_PORT = 8501
"""Port of the page for trying a model, where none is named."""
