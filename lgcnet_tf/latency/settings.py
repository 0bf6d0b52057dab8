"""What can be chosen here, and what is usual; nothing heavy is imported with it."""

LATENCY_WEIGHT = 0.005
"""λ of the paper."""

FORMS = ("log", "linear")
REPEATS = 30
NETWORK_REPEATS = 30
WARMUP = 3

RUNTIMES = {
    "tensorflow_graph": "TensorFlowGraph",
    "tensorflow_xla": "TensorFlowXLA",
    "keras_backend": "KerasBackend",
    "tftrt": "TensorFlowTensorRT",
    "onnxruntime": "OnnxRuntime",
    "tensorrt": "TensorRT",
    "openvino": "OpenVINO",
    "litert": "LiteRT",
}
"""Modules of `lgcnet_tf.latency.runtimes` with the class in each, by name."""
