"""Parsing and building of engines, through TensorRT for RTX, which needs no GPU for it."""

import keras
import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.tensorrt import build_plan

trt = pytest.importorskip("tensorrt_rtx")
pytest.importorskip("tf2onnx")
SHAPE = (1, 24, 40, 3)


@pytest.fixture(scope="module")
def graphs():
    """A small segmenting network as an ONNX graph, by precision."""
    from lgcnet_tf.convert.onnx import to_half, to_onnx
    from lgcnet_tf.convert.onnx_int8 import quantize
    from lgcnet_tf.model.class_map import ClassMap

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input(SHAPE[1:], dtype="uint8"),
            layers.Rescaling(1 / 127.5, offset=-1.0),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.DepthwiseConv2D(3, dilation_rate=4, padding="same"),
            layers.Conv2D(5, 1),
            layers.UpSampling2D(2, interpolation="bilinear"),
        ]
    )
    graph = to_onnx(ClassMap(network), SHAPE)
    draw = np.random.default_rng(0).integers
    batches = [draw(0, 256, SHAPE, dtype=np.uint8) for _ in range(2)]
    return {
        "float32": graph,
        "float16": to_half(graph),
        "int8": quantize(graph, batches, symmetric=True),
        "int8 of ONNX Runtime": quantize(graph, batches),
    }


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_an_engine_takes_images_and_gives_masks(graphs, precision):
    logger = trt.Logger(trt.Logger.ERROR)
    plan = build_plan(trt, logger, "it", graphs[precision], 1)
    assert plan.nbytes > 1000
    # Reading it again needs a GPU; the parser tells what goes in and out.
    builder = trt.Builder(logger)
    network = builder.create_network(
        1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    )
    assert trt.OnnxParser(network, logger).parse(graphs[precision])
    source, target = network.get_input(0), network.get_output(0)
    assert (tuple(source.shape), source.dtype) == (SHAPE, trt.DataType.UINT8)
    assert (tuple(target.shape), target.dtype) == (SHAPE[:3], trt.DataType.UINT8)


def test_what_it_cannot_read_is_refused(graphs):
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    for content in (graphs["int8 of ONNX Runtime"], b"no graph"):
        with pytest.raises(InputError, match="^it: TensorRT cannot read it: "):
            build_plan(trt, logger, "it", content)
    with pytest.raises(InputError):
        build_plan(trt, logger, "it", graphs["float32"], 2)
