"""ONNX → TensorRT, on an NVIDIA GPU."""

import os
import pathlib

import numpy as np

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.base import (
    Compiled,
    Runtime,
    described,
    random_input,
    static_shape,
)
from lgcnet_tf.runtimes.onnx_graph import from_graph, onnx_of, to_graph

_USER = "runtime tensorrt"


class TensorRT(Runtime):
    """Builds TensorRT engines; input and output stay in the GPU's memory.

    Engines are strongly typed: the precision is the ONNX graph's own, float16
    from casts and int8 from QuantizeLinear, as TensorRT 10 wants it and 11
    demands.

    Args:
        threads: must be None; a GPU has no such setting.
        precision, images: as for `Runtime`.

    Raises:
        InputError: a package or the GPU is missing, or threads were asked for.
    """

    name = "tensorrt"
    precisions = ("float32", "float16", "int8")

    def __init__(self, threads=None, precision="float32", images=()):
        super().__init__(threads, precision, images)
        self._trt = import_package("tensorrt", _USER)
        cuda = import_package("cuda.bindings.runtime", _USER)
        if threads is not None:
            raise InputError(f"{_USER}: runs on a GPU; leave out --threads.")
        error, count = cuda.cudaGetDeviceCount()
        if error != cuda.cudaError_t.cudaSuccess or count == 0:
            raise InputError(f"{_USER}: needs an NVIDIA GPU, and there is none here.")
        self._cuda = cuda
        self.version = self._trt.__version__
        properties = self._call(cuda.cudaGetDeviceProperties(0))
        self.device = properties.name.decode().rstrip("\0")
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)

    def convert(self, layer, input_shape, input_dtype="float32"):
        return onnx_of(self, layer, input_shape, input_dtype, self.precision, True)

    def load(self, model, batch_size=None):
        name = described(model)
        if isinstance(model, (str, os.PathLike)):
            model = pathlib.Path(model).read_bytes()
        trt = self._trt
        plan = build_plan(trt, self._logger, name, model, batch_size)
        engine = trt.Runtime(self._logger).deserialize_cuda_engine(plan)
        context = engine.create_execution_context()
        stream = self._call(self._cuda.cudaStreamCreate())
        tensors = {}
        for index in range(engine.num_io_tensors):
            key = engine.get_tensor_name(index)
            dtype = trt.nptype(engine.get_tensor_dtype(key))
            host = np.empty(tuple(context.get_tensor_shape(key)), dtype)
            device = self._call(self._cuda.cudaMalloc(max(host.nbytes, 1)))
            context.set_tensor_address(key, device)
            tensors[engine.get_tensor_mode(key)] = host, device
        source, target = (
            tensors[mode] for mode in (trt.TensorIOMode.INPUT, trt.TensorIOMode.OUTPUT)
        )
        shape, dtype = source[0].shape, source[0].dtype
        self._copy(random_input(shape, dtype), source[1], to_device=True)

        def run(keep=(engine, context)):
            context.execute_async_v3(int(stream))
            self._call(self._cuda.cudaStreamSynchronize(stream))
            return target

        def predict(images):
            images = to_graph(np.asarray(images), shape).astype(dtype)
            self._copy(images, source[1], to_device=True)
            run()
            self._copy(target[0], target[1], to_device=False)
            return from_graph(target[0].copy(), dtype.name)

        return Compiled(run, predict, self, shape, dtype.name)

    def peak_device_bytes(self):
        free, total = self._call(self._cuda.cudaMemGetInfo())
        return total - free

    def plan(self, model: bytes) -> bytes:
        """The engine of what `convert` made, as a file holds it.

        Raises:
            InputError: as `build_plan`.
        """
        return bytes(build_plan(self._trt, self._logger, "the network", model))

    def _copy(self, host, device, to_device):
        kind = self._cuda.cudaMemcpyKind
        host = np.ascontiguousarray(host) if to_device else host
        ends = (device, host.ctypes.data) if to_device else (host.ctypes.data, device)
        way = kind.cudaMemcpyHostToDevice if to_device else kind.cudaMemcpyDeviceToHost
        self._call(self._cuda.cudaMemcpy(*ends, host.nbytes, way))

    def _call(self, result):
        error, *values = result
        if error != self._cuda.cudaError_t.cudaSuccess:
            raise InputError(f"{_USER}: CUDA says {error.name}.")
        return values[0] if len(values) == 1 else tuple(values) or None


def build_plan(trt, logger, name: str, model: bytes, batch_size: int | None = None):
    """Parses an ONNX graph and builds its engine; a GPU is not asked for here.

    Args:
        trt: the module `tensorrt`, or `tensorrt_rtx`, which has the same functions.
        logger: a `trt.Logger`.
        name: what to call the graph in errors.
        model: the graph.
        batch_size: wanted of a graph that takes any.

    Returns:
        The serialised engine (`trt.IHostMemory`).

    Raises:
        InputError: TensorRT cannot read it, or build an engine for it.
    """
    builder = trt.Builder(logger)
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model):
        reason = parser.get_error(0).desc() if parser.num_errors else "unknown"
        raise InputError(f"{name}: TensorRT cannot read it: {reason}")
    source = network.get_input(0)
    source.shape = static_shape(name, tuple(source.shape), batch_size)
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    if plan is None:
        raise InputError(f"{name}: TensorRT cannot build an engine for it.")
    return plan
