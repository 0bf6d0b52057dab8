import json

import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.space.skeleton import Skeleton, size_at


def test_the_papers_skeleton():
    skeleton = Skeleton()
    cells = skeleton.cells
    assert skeleton.stem_channels == (16, 16, 32)
    assert [cell.stride for cell in cells] == [4] + [8] * 7 + [16] * 6
    assert [cell.channels for cell in cells] == [32] + [64] * 7 + [128] * 6
    assert [cell.output_channels for cell in cells] == [64] + [128] * 7 + [256] * 6
    assert [cell.index for cell in cells if cell.reduction] == [1, 8]


def test_inputs_of_cells():
    cells = Skeleton().cells
    assert cells[0].source_channels == (32, 32)  # the stem's, twice
    assert cells[1].source_channels == (32, 64)
    assert cells[1].source_strides == (4, 4)
    assert cells[2].source_strides == (4, 8)  # the older one has to be pooled
    assert cells[2].source_channels == (64, 128)
    assert cells[3].source_strides == (8, 8)
    assert cells[9].source_strides == (8, 16)


def test_strides_of_edges():
    cells = Skeleton().cells
    assert [cells[8].edge_stride(edge) for edge in range(5)] == [2, 2, 2, 2, 1]
    assert [cells[7].edge_stride(edge) for edge in range(5)] == [1] * 5


@pytest.mark.parametrize(
    "size, stride, expected",
    [
        ((769, 1537), 16, (49, 97)),
        ((769, 1537), 8, (97, 193)),
        ((769, 1537), 4, (193, 385)),
        ((360, 480), 16, (23, 30)),
        ((97, 161), 16, (7, 11)),
        ((64, 64), 1, (64, 64)),
    ],
)
def test_size_at(size, stride, expected):
    assert size_at(size, stride) == expected


def test_size_at_is_halving_by_halving():
    for n in range(1, 70):
        halved = n
        for stride in (2, 4, 8, 16):
            halved = (halved + 1) // 2
            assert size_at((n, n), stride) == (halved, halved)


def test_last_cell():
    assert Skeleton(fusion_taps=(0, 7, 12)).last_cell == 12
    assert Skeleton(fusion_taps=(0, 7, 12), fusion="none").last_cell == 13


def test_taps_are_what_the_fusion_reads():
    taps = (0, 7, 12)
    assert Skeleton(fusion_taps=taps).taps == taps
    assert Skeleton(fusion_taps=taps, fusion="cas").taps == (7, 12)
    assert Skeleton(fusion_taps=(7, 12), fusion="cas").taps == (7, 12)
    for fusion in ("none", "aspp", "ppm"):
        assert Skeleton(fusion_taps=taps, fusion=fusion).taps == (13,)


def test_dict_and_json_and_back():
    skeleton = Skeleton(num_classes=11, reduction_cells=(1, 5), fusion_taps=(0, 3, 9))
    config = json.loads(json.dumps(skeleton.to_dict()))
    assert Skeleton.from_dict(config) == skeleton


@pytest.mark.parametrize(
    "change, message",
    [
        ({"num_classes": 0}, "num_classes"),
        ({"num_cells": "14"}, "num_cells"),
        ({"initial_channels": 2.0}, "initial_channels"),
        ({"fusion_channels": True}, "fusion_channels"),
        ({"reduction_cells": (8, 1)}, "reduction_cells"),
        ({"reduction_cells": (1, 1)}, "reduction_cells"),
        ({"reduction_cells": (1, 14)}, "reduction_cells"),
        ({"reduction_cells": 1}, "reduction_cells"),
        ({"reduction_cells": (1, "eight")}, "reduction_cells"),
        ({"reduction_cells": ([1], [8])}, "reduction_cells"),
        ({"fusion_taps": (-1, 7, 13)}, "fusion_taps"),
        ({"fusion_taps": None}, "fusion_taps"),
        ({"fusion_taps": (0, 7)}, "three fusion_taps"),
        ({"fusion_taps": (0, 1, 2)}, "twice the stride"),
        ({"reduction_cells": (1,)}, "twice the stride"),
        ({"fusion": "cas", "fusion_taps": (13,)}, "two or three fusion_taps"),
        ({"fusion": "cas", "fusion_taps": (0, 8, 13)}, "twice the stride"),
        ({"fusion": "aspp?"}, "fusion"),
    ],
)
def test_what_does_not_fit_is_one_line_with_the_field(change, message):
    with pytest.raises(InputError, match=message) as error:
        Skeleton(**change)
    assert "\n" not in str(error.value)


def test_without_fusion_cell_taps_are_free():
    for fusion in ("none", "aspp", "ppm"):
        Skeleton(fusion=fusion, reduction_cells=(1,))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c.pop("fusion"), "missing \\['fusion'\\]"),
        (lambda c: c.update(depth=3), "unknown \\['depth'\\]"),
    ],
)
def test_dict_with_other_fields(change, message):
    config = Skeleton().to_dict()
    change(config)
    with pytest.raises(InputError, match=message):
        Skeleton.from_dict(config)


def test_no_dict():
    with pytest.raises(InputError, match="needs exactly the fields"):
        Skeleton.from_dict([1, 2])
