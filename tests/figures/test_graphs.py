"""Cells and fusion cell as graphs, read back as pictures."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from lgcnet_tf.errors import InputError
from lgcnet_tf.figures import draw_fusion_cell, draw_genotype, style
from lgcnet_tf.figures.fusion_layouts import FUSION_LAYOUTS, layout_of
from lgcnet_tf.space import (
    CELL_OPERATIONS,
    FUSION_CELLS,
    FUSION_OPERATIONS,
    UP_OPERATIONS,
    Genotype,
    Skeleton,
    uniform,
)


def families_in(path):
    """The families whose colour the picture has a good deal of."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    found = set()
    for family, color in style.FAMILIES.items():
        color = np.round(255 * np.array(to_rgb(color))).astype(np.uint8)
        if (picture == color).all(-1).sum() > 200:
            found.add(family)
    return found


def test_cells_have_the_colours_of_their_operations(genotype, tmp_path):
    path = draw_genotype(genotype, tmp_path / "cells.png")
    present = {style.family(op) for cell in genotype.cells for op in cell}
    assert families_in(path) | {"none"} == present | {"none"}
    width, height = Image.open(path).size
    assert width == round(4 * 4.3 * style.DPI) and height > 1000


@pytest.mark.parametrize(
    "operation, expected",
    [("conv_3x3", "convolution"), ("sep_conv_3x3", "separable convolution")],
)
def test_only_the_operations_there_are_drawn(operation, expected, tmp_path):
    skeleton = Skeleton(
        num_cells=2, reduction_cells=(1,), fusion="none", fusion_taps=(0,)
    )
    path = draw_genotype(uniform(skeleton, operation), tmp_path / "cells.png")
    assert families_in(path) == {expected}


def test_dead_edges_are_faint(tmp_path):
    """Cell 1 reads s0 alone, so nothing of cell 0 does anything."""
    skeleton = Skeleton(
        num_cells=2, reduction_cells=(), fusion="none", fusion_taps=(0,)
    )
    cells = (
        ("conv_3x3",) * 5,
        ("max_pool_3x3", "none", "max_pool_3x3", "none", "max_pool_3x3"),
    )
    path = draw_genotype(Genotype(skeleton, cells, {}), tmp_path / "cells.png")
    picture = np.asarray(Image.open(path).convert("RGB"))[:-60]  # without the legend
    color = np.round(255 * np.array(to_rgb(style.color("conv_3x3")))).astype(np.uint8)
    assert not (picture == color).all(-1).any()


def test_fusion_cell_has_the_colours_of_its_operations(genotype, tmp_path):
    path = draw_fusion_cell(genotype, tmp_path / "fusion.png")
    assert families_in(path) == {style.family(op) for op in genotype.fusion.values()}


def test_the_multi_scale_cell_is_drawn(tmp_path):
    genotype = uniform(Skeleton(fusion="cas", fusion_taps=(0, 6, 11)), "conv_3x3")
    changed = dict(genotype.fusion, **{"P8->Q8": "sep_conv_3x3", "R16->Q8": "bilinear"})
    path = draw_fusion_cell(
        Genotype(genotype.skeleton, genotype.cells, changed), tmp_path / "cell.png"
    )
    assert families_in(path) == {style.family(op) for op in changed.values()}


@pytest.mark.parametrize("name, table", FUSION_CELLS.items())
def test_every_node_and_edge_of_a_fusion_cell_has_its_place(name, table, layout=None):
    layout = layout or FUSION_LAYOUTS[name]
    assert set(layout.places) == {"out", *(node.name for node in table.nodes)}
    assert {*layout.curves, *layout.labels} <= {edge.name for edge in table.edges}
    assert len(layout.bands) == len(table.inputs)
    for node in table.nodes:
        bottom, top = layout.bands[node.level]
        assert bottom < layout.places[node.name][1] < top


@pytest.mark.parametrize("name, table", FUSION_CELLS.items())
def test_a_layout_can_be_made_of_any_table(name, table):
    """As for a cell that was added, of which there is no drawing by hand."""
    layout = layout_of("an added one", table)
    test_every_node_and_edge_of_a_fusion_cell_has_its_place(name, table, layout)
    places = np.array(list(layout.places.values()))
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    assert apart[~np.eye(len(places), dtype=bool)].min() > 0.9  # nodes' radius: 0.26
    names = []
    for edge in table.edges:
        start, end = (np.array(layout.places[n]) for n in (edge.source, edge.target))
        middle = np.array(layout.curves.get(edge.name, (start + end) / 2))
        t = layout.labels[edge.name]
        names.append((1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end)
    for one, two in itertools.combinations(names, 2):
        across, down = np.abs(one - two)
        assert across > 0.9 or down > 0.3


@pytest.mark.parametrize("fusion", ["none", "aspp", "ppm"])
def test_a_genotype_without_fusion_cell_is_refused(fusion, tmp_path):
    skeleton = Skeleton(fusion=fusion)
    with pytest.raises(InputError, match="no fusion cell"):
        draw_fusion_cell(uniform(skeleton, "conv_3x3"), tmp_path / "fusion.png")
    assert not any(tmp_path.iterdir())


def test_every_operation_has_a_short_name_of_its_own():
    operations = dict.fromkeys((*CELL_OPERATIONS, *FUSION_OPERATIONS, *UP_OPERATIONS))
    names = [style.short_name(operation) for operation in operations]
    assert len(set(names)) == len(names) and max(map(len, names)) <= 10
