import numpy as np
import pytest
from keras import ops

from lgcnet_tf.model.cell import Cell, MixedOp
from lgcnet_tf.model.form import Form
from lgcnet_tf.space.operations import (
    CELL_OPERATIONS,
    FUSION_OPERATIONS,
    UP_OPERATIONS,
)
from lgcnet_tf.space.pruning import liveness
from lgcnet_tf.space.skeleton import Skeleton

SIZE = (15, 20)  # a quarter of CamVid's at stride 8; odd and even
CHANNELS = 64


def maps(size, channels=CHANNELS, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(1, *size, channels)).astype("float32")


def simplex(count, seed=1):
    z = np.random.default_rng(seed).uniform(0.1, 1.0, count)
    return (z / z.sum()).astype("float32")


@pytest.mark.parametrize(
    "operations, channels, stride, in_size, size",
    [
        (CELL_OPERATIONS, CHANNELS, 1, SIZE, SIZE),
        (CELL_OPERATIONS, CHANNELS, 2, SIZE, (8, 10)),
        (FUSION_OPERATIONS, 48, 1, SIZE, SIZE),
        (UP_OPERATIONS, 48, 1, SIZE, (30, 39)),
    ],
)
def test_equation_3(operations, channels, stride, in_size, size, oracle, randomise):
    edge = MixedOp(operations, channels, stride, size, Form("search"))
    x, z = maps(in_size, channels), simplex(len(operations))
    edge(x, ops.convert_to_tensor(z))  # its parts build themselves
    randomise(edge)

    found = ops.convert_to_numpy(edge(x, ops.convert_to_tensor(z)))

    terms = [
        z[i].astype("float64")
        * oracle.operation(name, layer, x.astype("float64"), stride, size)
        for i, (name, layer) in enumerate(zip(operations, edge.candidates))
    ]
    assert found.shape == (1, *size, channels)
    np.testing.assert_allclose(found, sum(terms), rtol=1e-3, atol=2e-4)
    for name, term in zip(operations, terms):  # none of them is too small to miss
        assert name == "none" or np.abs(term).max() > 1e-2


def test_a_single_operation_takes_no_weights(oracle, randomise):
    edge = MixedOp(("conv_3x3",), CHANNELS, 1, SIZE, Form("train"))
    x = maps(SIZE)
    edge(x)
    randomise(edge)
    expected = oracle.operation("conv_3x3", edge.candidates[0], x.astype("float64"))
    np.testing.assert_allclose(
        ops.convert_to_numpy(edge(x)), expected, rtol=1e-3, atol=1e-4
    )


def build_cell(index, chosen, randomise, **kwargs):
    """A cell of the paper's skeleton, everything else 3x3 convs."""
    skeleton = Skeleton()
    cells = [[("conv_3x3",)] * 5 for _ in range(14)]
    cells[index] = [(op,) for op in chosen]
    live = liveness(skeleton, cells)[index]
    spec = skeleton.cells[index]
    form = Form("train")
    cell = Cell(spec, cells[index], live, (52, 76), form, name="cell", **kwargs)
    sizes = {4: (13, 19), 8: (7, 10)}
    inputs = [
        maps(sizes[stride], channels, seed=i)
        for i, (stride, channels) in enumerate(
            zip(spec.source_strides, spec.source_channels)
        )
    ]
    cell(inputs)
    return randomise(cell), inputs


def in_numpy(cell, inputs, chosen, index, oracle):
    """Equation 2: both nodes as sums over their edges, then concatenated."""
    spec = Skeleton().cells[index]
    maps = {}
    for name, x, stride in zip(("s0", "s1"), inputs, spec.source_strides):
        x = x.astype("float64")
        if stride != spec.input_stride:
            x = oracle.average_pool(x)
        maps[name] = oracle.operation("conv_1x1", cell.preprocess[name], x)

    def edge(number, name, source):
        layer = cell.edges[name].candidates[0]
        stride = 2 if spec.reduction and source != "n0" else 1
        return oracle.operation(chosen[number], layer, maps[source], stride)

    maps["n0"] = edge(0, "s0->n0", "s0") + edge(1, "s1->n0", "s1")
    maps["n1"] = edge(2, "s0->n1", "s0") + edge(3, "s1->n1", "s1")
    maps["n1"] += edge(4, "n0->n1", "n0")
    return np.concatenate([maps["n0"], maps["n1"]], axis=-1)


CHOSEN = (
    "conv_3x3",
    "skip_connect",
    "dil_sep_conv_3x3_d2",
    "max_pool_3x3",
    "sep_conv_3x3",
)


@pytest.mark.parametrize("index", [1, 2, 3])
def test_equation_2(index, oracle, randomise):
    """A reduction cell, the one after it (whose s0 is pooled), and a plain one."""
    cell, inputs = build_cell(index, CHOSEN, randomise)
    expected = in_numpy(cell, inputs, CHOSEN, index, oracle)

    found = ops.convert_to_numpy(cell(inputs))

    assert found.shape == (1, 7, 10, 128)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=5e-4)


def test_dead_parts_are_not_built(randomise):
    none = "none"
    cell, inputs = build_cell(3, (none, none, none, "conv_3x3", "conv_3x3"), randomise)
    assert list(cell.edges) == ["s1->n1"]
    assert list(cell.preprocess) == ["s1"]
    assert cell(inputs).shape == (1, 7, 10, 64)


def test_an_empty_cell_gives_nothing():
    skeleton = Skeleton()
    cells = [[("none",)] * 5 for _ in range(14)]
    live = liveness(skeleton, cells)[3]
    cell = Cell(skeleton.cells[3], cells[3], live, (52, 76), Form("train"))
    assert cell((None, None)) is None
    assert not cell.weights
