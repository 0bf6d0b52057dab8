import collections

import keras
import numpy as np
import pytest

from lgcnet_tf.model.units import sublayers
from lgcnet_tf.space.fusion import FUSIONS
from lgcnet_tf.space.genotype import Genotype, random_genotype, uniform
from lgcnet_tf.space.operations import CELL_OPERATIONS, HEAD_PARTS
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.workloads import (
    FIXED_OPERATIONS,
    space_id,
    workloads,
)

SIZE = (37, 66)  # odd and even at every stride


def traced(network, images, monkeypatch):
    """Runs the supernet; (input shape, output shape) of each layer by its id."""
    seen = {}
    call = keras.layers.Layer.__call__

    def record(layer, x, *args, **kwargs):
        y = call(layer, x, *args, **kwargs)
        if hasattr(x, "shape") and hasattr(y, "shape"):
            assert id(layer) not in seen, layer.name
            seen[id(layer)] = tuple(x.shape[1:]), tuple(y.shape[1:])
        return y

    skeleton = network.skeleton
    z = skeleton.candidate_mask.astype("float32")
    for layer in sublayers(network):
        if hasattr(layer, "traces"):
            layer.traces = None  # each edge is called, not one of each form
    with monkeypatch.context() as patch:
        patch.setattr(keras.layers.Layer, "__call__", record)
        network(images(*SIZE), weights=z)
    return seen


@pytest.fixture(params=FUSIONS)
def skeleton(request, small_skeleton):
    """No larger than the fusion needs."""
    cells = {"dense": 3, "none": 3, "cas": 2}.get(request.param, 1)
    return small_skeleton(
        num_cells=cells,
        reduction_cells=tuple(range(1, cells)),
        fusion_taps=tuple(range(cells)),
        fusion=request.param,
    )


def test_shapes_are_those_of_the_built_network(skeleton, images, monkeypatch):
    from lgcnet_tf.model.network import Network

    network = Network(skeleton, SIZE)
    seen = traced(network, images, monkeypatch)
    work = workloads(skeleton, SIZE)

    for index, edges in enumerate(work.cells):
        for built, candidates in zip(network.cells[str(index)].edges.values(), edges):
            for layer, candidate in zip(built.candidates, candidates, strict=True):
                assert candidate.operation == layer.name
                if layer.name != "none":  # never computed
                    shapes = candidate.input_shape, candidate.output_shape
                    assert seen[id(layer)] == shapes, candidate.key

    fixed = {
        "stem_conv_3x3": network.stem,
        "avg_pool_2x2": [p for c in network.cells.values() for p in c.pools.values()],
        "preprocess_1x1": [
            p for c in network.cells.values() for p in c.preprocess.values()
        ],
        "fusion_reduce_1x1": [],
        "classifier": [] if skeleton.fusion_cell else [network.classifier],
        "resize": [network.resize],
    }
    if skeleton.fusion_head:
        branches = {layer.name: [layer] for layer in network.fusion.branches}
        fixed |= branches
        head = skeleton.fusion_head
        fixed[head.project] = [*fixed.get(head.project, ()), network.fusion.project]
    if skeleton.fusion_cell:
        fixed["fusion_reduce_1x1"] = [
            network.fusion.reduce[name] for name in network.fusion.table.inputs
        ]
    else:
        assert work.fusion == {}
    expected = collections.Counter(
        (name, *seen[id(layer)]) for name, layers in fixed.items() for layer in layers
    )
    listed = collections.Counter(
        (w.operation, w.input_shape, w.output_shape) for w in work.fixed
    )
    assert listed == expected


@pytest.mark.parametrize("fusion", ["dense", "cas"])
def test_work_of_the_fusion_cell_is_that_of_the_deployed_one(
    fusion, small_skeleton, images, monkeypatch, derived_work
):
    from lgcnet_tf.model.network import Network

    skeleton = small_skeleton(fusion=fusion, num_cells=3, fusion_taps=(0, 1, 2),
                              reduction_cells=(1, 2))  # fmt: skip
    work = workloads(skeleton, SIZE)
    for seed in range(3):
        genotype = random_genotype(skeleton, np.random.default_rng(seed))
        cells = (("conv_3x3",) * 5,) * 3
        genotype = Genotype(skeleton, cells, genotype.fusion)
        network = Network(skeleton, SIZE, genotype, "folded")
        seen = traced(network, images, monkeypatch)
        expected = []
        for parts in network.fusion.parts.values():
            for name, edges in parts.items():
                shapes = seen[id(network.fusion.edges[name])]
                for edge in edges:
                    place = edge.candidates.index(genotype.fusion[edge.name])
                    workload = work.fusion[edge.name][place]
                    assert (workload.input_shape, workload.output_shape) == shapes
                expected.append(workload)
        edges = {w for candidates in work.fusion.values() for w in candidates}
        found = [w for w in derived_work(genotype, work) if w in edges]
        assert collections.Counter(found) == collections.Counter(expected)


def test_edges_of_a_group_do_once_what_they_have_in_common(derived_work):
    skeleton = Skeleton()
    work = workloads(skeleton, (64, 96))
    fusion = uniform(skeleton, "conv_3x3").fusion | {
        "P4->S16": "sep_conv_3x3", "P4->R8": "sep_conv_3x3", "Q8->R8": "bilinear",
    }  # fmt: skip
    network = Genotype(skeleton, (("conv_3x3",) * 5,) * 14, fusion)
    found = collections.Counter(w.key for w in derived_work(network, work))
    at_4 = {key: count for key, count in found.items() if key.endswith("16x24x19 s1")}
    assert at_4 == {
        "conv_3x3 16x24x48 16x24x19 s1": 1,
        "sep_conv_3x3 16x24x48 16x24x19 s1": 2,
        "deconv_3x3 8x12x48 16x24x19 s1": 2,  # of R16 and of Q8
        "bilinear_1x1 8x12x48 16x24x19 s1": 1,
    }


def test_the_papers_space():
    work = workloads(Skeleton(), (769, 1537))
    assert len(work.cells) == 14
    assert all(len(cell) == 5 for cell in work.cells)
    assert all(len(edge) == 8 for cell in work.cells for edge in cell)
    assert len(work.fusion) == 13
    first = work.cells[8][0][CELL_OPERATIONS.index("conv_3x3")]
    assert first.key == "conv_3x3 97x193x128 49x97x128 s2"
    assert work.cells[8][4][1].key == "skip_connect 49x97x128 49x97x128 s1"
    assert work.fusion["R16->S16"][0].key == "deconv_3x3 97x193x48 193x385x19 s1"
    assert work.fusion["Q16->Q8"][1].key == "bilinear_1x1 49x97x48 97x193x48 s1"
    assert work.fusion["Q16->R16"][1].key == "bilinear 49x97x48 97x193x48 s1"
    assert {w.operation for w in work.fixed} == set(FIXED_OPERATIONS)


def test_the_heads_at_the_papers_size():
    found = set()
    for fusion in ("aspp", "ppm"):
        work = workloads(Skeleton(fusion=fusion), (769, 1537))
        assert work.fusion == {} and work.taps == ()
        found |= {w.operation for w in work.head}
    parts = {part.name for part in HEAD_PARTS}
    assert found == {*parts, "fusion_reduce_1x1", "classifier", "resize"}
    keys = [w.key for w in work.head]
    assert keys[1] == "fusion_pool_2x2 49x97x256 49x97x12 s1"
    assert keys[4] == "fusion_conv_3x3 49x97x304 49x97x48 s1"
    assert keys[5] == "classifier 49x97x48 49x97x19 s1"


def test_distinct_has_everything_once():
    work = workloads(Skeleton(), (64, 96))
    keys = [w.key for w in work.distinct()]
    assert len(keys) == len(set(keys))
    every = [w for cell in work.cells for edge in cell for w in edge]
    every += [w for edge in work.fusion.values() for w in edge] + list(work.fixed)
    assert set(keys) == {w.key for w in every}


@pytest.mark.parametrize("fusion", ["dense", "cas"])
@pytest.mark.parametrize(
    "taps", [(0, 5, 13), (0, 6, 13), (0, 7, 13), (0, 7, 10), (0, 7, 11), (0, 7, 12)]
)
def test_cells_after_the_last_tap_are_no_work(taps, fusion):
    """The rows of Table XI."""
    work = workloads(Skeleton(fusion=fusion, fusion_taps=taps), (64, 96))
    assert len(work.cells) == len(work.inputs) == taps[-1] + 1
    strides = [64 // reduction.output_shape[0] for (reduction,) in work.taps]
    assert strides == ([4, 8, 16] if fusion == "dense" else [8, 16])


def test_space_id_tells_spaces_and_sizes_apart():
    ids = [
        space_id(Skeleton(), (64, 96)),
        space_id(Skeleton(), (64, 128)),
        space_id(Skeleton(num_classes=11), (64, 96)),
        space_id(Skeleton(initial_channels=16), (64, 96)),
        *(space_id(Skeleton(fusion=f), (64, 96)) for f in FUSIONS if f != "dense"),
    ]
    assert len(set(ids)) == len(ids)
    assert ids[0] == space_id(Skeleton(), (64, 96))


@pytest.mark.parametrize(
    "fusion, expected",
    [
        ("dense", "10cafc0298220547"),  # since deployed, it has the classifier inside
        ("none", "5545d2cf7189d2c8"),
        ("aspp", "ffb2c5d388db6cb2"),
    ],
)
def test_tables_measured_before_still_belong_to_their_space(fusion, expected):
    """Another id makes all tables of users invalid."""
    skeleton = Skeleton(num_classes=11, fusion=fusion)
    assert space_id(skeleton, (120, 160)) == expected


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_full_network_does_all_fixed_work_and_one_operation_an_edge(
    fusion, derived_work
):
    skeleton = Skeleton(fusion=fusion)
    work = workloads(skeleton, (64, 96))
    found = derived_work(uniform(skeleton, "conv_3x3"), work)
    assert collections.Counter(found) >= collections.Counter(work.fixed)
    merged = {"dense": 6, "cas": 0}.get(fusion, 0)  # of three edges from R16, Q8, P4
    assert len(found) == len(work.fixed) + 14 * 5 + len(work.fusion) - merged + 1
    assert found[-1] == work.argmax
    assert work.argmax.key == "argmax 64x96x19 64x96x1 s1"
    assert work.argmax not in work.distinct()


def test_a_pruned_network_does_less(small_skeleton, derived_work):
    changes = {"reduction_cells": (), "fusion": "none", "fusion_taps": ()}
    skeleton = small_skeleton(num_cells=3, **changes)
    none, conv = "none", "conv_3x3"
    cells = (
        (none,) * 5,  # empty: cell 1 has no s1, cell 2 no s0
        (conv, conv, none, none, none),
        (none, conv, none, none, "max_pool_3x3"),
    )
    found = derived_work(Genotype(skeleton, cells, {}), workloads(skeleton, (64, 96)))
    names = [w.operation for w in found]
    assert names[:3] == ["stem_conv_3x3"] * 3
    assert names[3:] == [
        "preprocess_1x1", conv, "preprocess_1x1", conv, "max_pool_3x3",
        "classifier", "resize", "argmax",
    ]  # fmt: skip


@pytest.mark.parametrize("fusion", FUSIONS)
def test_counts_are_those_of_each_networks_work(fusion, derived_work):
    """Of networks with much that is dead, and with operations done once for several."""
    skeleton = Skeleton(fusion=fusion, fusion_taps=(0, 7, 12))
    work, generator = workloads(skeleton, (64, 96)), np.random.default_rng(0)
    genotypes = [random_genotype(skeleton, generator) for _ in range(12)]
    for index in range(0, 12, 2):  # every other one with many an edge of `none`
        cells = tuple(
            tuple("none" if generator.random() < 0.6 else op for op in cell)
            for cell in genotypes[index].cells
        )
        genotypes[index] = Genotype(skeleton, cells, genotypes[index].fusion)
    counts = work.counts(np.array([each.choice for each in genotypes]))
    assert counts.shape == (12, len(work.columns))
    for genotype, row in zip(genotypes, counts):
        expected = collections.Counter(derived_work(genotype, work))
        assert {w: n for w, n in zip(work.columns, row) if n} == expected
    alone = work.counts(genotypes[3].choice)
    np.testing.assert_array_equal(alone, counts[3])
