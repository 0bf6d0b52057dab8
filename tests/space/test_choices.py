"""Last change and margins of hand-made courses of α."""

import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.space import CELL_OPERATIONS, Skeleton
from lgcnet_tf.space.choices import (
    changes,
    choice_lines,
    last_change,
    margins,
    read_probabilities,
    searched_edges,
    sureness,
)


@pytest.fixture
def skeleton():
    return Skeleton(num_cells=3, reduction_cells=(1,), fusion="none")


def sure_of(choices, operations, p=0.65):
    """Probabilities with p at each of `choices`, the rest spread evenly."""
    choices = np.asarray(choices)
    rest = (1 - p) / (operations - 1)
    return np.where(np.arange(operations) == choices[..., None], p, rest)


def course(*changes, epochs=6, cells=3):
    """(epochs, edges, 8): `none` but where (epoch, cell, edge, operation) say."""
    best = np.zeros((epochs, cells, 5), int)
    for epoch, cell, edge, operation in changes:
        best[epoch - 1 :, cell, edge] = operation
    return sure_of(best, 8).reshape(epochs, -1, 8)


def test_the_last_of_several_changes(skeleton):
    found = last_change(course((2, 0, 0, 1), (4, 1, 3, 3), (3, 2, 4, 2)), skeleton)
    assert found == {
        "epoch": 4,
        "edges": [{"edge": "cell 1 s1->n1", "from": "none", "to": "conv_3x3"}],
    }


def test_changes_of_one_epoch_stand_together(skeleton):
    found = last_change(course((5, 2, 1, 7), (5, 0, 2, 1)), skeleton)
    assert found["epoch"] == 5
    assert [edge["edge"] for edge in found["edges"]] == [
        "cell 0 s0->n1",
        "cell 2 s1->n0",
    ]
    assert found["edges"][1]["to"] == CELL_OPERATIONS[7]
    counts = changes(course((5, 2, 1, 7), (5, 0, 2, 1), (3, 1, 1, 1)), skeleton)
    np.testing.assert_array_equal(counts, [np.nan, 0, 1, 0, 2, 0])


def test_a_change_back_counts(skeleton):
    found = last_change(course((2, 0, 0, 1), (6, 0, 0, 0)), skeleton)
    assert found["edges"] == [
        {"edge": "cell 0 s0->n0", "from": "skip_connect", "to": "none"}
    ]


@pytest.mark.parametrize("epochs", [1, 6])
def test_no_change(skeleton, epochs):
    assert last_change(course(epochs=epochs), skeleton) is None


def test_epochs_that_are_not_known(skeleton):
    epochs = course((3, 0, 0, 1))
    epochs[1:3] = np.nan
    assert last_change(epochs, skeleton)["epoch"] == 4
    np.testing.assert_array_equal(changes(epochs, skeleton), [np.nan] * 4 + [0, 0])


def test_the_fusion_cell_belongs_to_it(small_skeleton, tmp_path):
    skeleton = small_skeleton()
    keep, up = skeleton.fusion_cell.keep_edges, skeleton.fusion_cell.up_edges
    ups = np.zeros((6, len(up)), int)
    ups[3:, 2] = 1
    older = {
        "cells": course((2, 0, 0, 1), cells=5).reshape(6, 5, 5, 8),
        "keep": sure_of(np.zeros((6, len(keep)), int), 10),
        "up": sure_of(ups, 2),
    }
    np.savez(tmp_path / "older.npz", **older)
    epochs = read_probabilities(tmp_path / "older.npz", skeleton, epochs=True)
    np.testing.assert_allclose(epochs.sum(-1), 1.0)
    edge = {"edge": f"fusion {up[2].name}", "from": "deconv_3x3", "to": "bilinear"}
    assert last_change(epochs, skeleton) == {"epoch": 4, "edges": [edge]}
    assert margins(epochs, skeleton).shape == (6, 5 * 5 + len(keep) + len(up))


def test_archives_of_both_forms(small_skeleton, tmp_path):
    skeleton, path = small_skeleton(), tmp_path / "alphas.npz"

    def read(**arrays):
        np.savez(path, **arrays)
        return read_probabilities(path, skeleton)

    p = np.random.default_rng(0).uniform(size=skeleton.candidate_mask.shape)
    p *= skeleton.candidate_mask
    np.testing.assert_array_equal(read(probabilities=p), p)
    fusion, table = p[skeleton.cell_edges :], skeleton.fusion_cell
    up = np.array([edge.up for edge in table.edges])
    older = {"cells": p[: skeleton.cell_edges, :8].reshape(-1, 5, 8)}
    older |= {"keep": fusion[~up], "up": fusion[up, :2]}
    np.testing.assert_array_equal(read(**older), p)
    for wrong in (
        {"probabilities": p[1:]},
        {"probabilities": p[None]},
        {"probabilities": p - 0.5},
        {"probabilities": np.where(p == p.max(), np.nan, p)},
        {"probabilities": p.astype(str)},
        {"cells": older["cells"]},
        older | {"cells": np.concatenate([older["cells"]] * 2)},
        older | {"cells": older["cells"][1:]},
        {},
    ):
        with pytest.raises(InputError, match="alphas.npz: no archive of alphas"):
            read(**wrong)


def test_cells_that_nothing_reads_do_not_count(small_skeleton):
    skeleton = small_skeleton(num_cells=7)
    assert skeleton.last_cell == 4
    assert len(searched_edges(skeleton)) == 5 * 5 + 13
    unread = np.zeros((6, *skeleton.candidate_mask.shape))
    unread[:, : skeleton.cell_edges, :8] = course((5, 6, 0, 1), cells=7)
    assert last_change(unread, skeleton) is None


def test_margins(skeleton):
    p = np.zeros((3, 5, 8))
    p[..., :3] = (0.5, 0.3, 0.2)
    p[2, 1] = 0.02
    p[2, 1, [4, 6]] = (0.43, 0.45)
    p[0, 3, :2] = (0.9, 0.0)
    p = p.reshape(15, 8)
    found = sureness(p, skeleton)
    np.testing.assert_allclose(found["minimum"], 0.02)
    np.testing.assert_allclose(found["median"], 0.2)
    first, *others = found["least_sure"]
    assert len(others) == 4
    assert first["edge"] == "cell 2 s1->n0"
    assert first["first"] == "dil_sep_conv_3x3_d4" and first["second"] == "sep_conv_3x3"
    np.testing.assert_allclose(margins(p, skeleton)[3], 0.7)


def test_in_words(skeleton):
    epochs = course((2, 0, 0, 1), (2, 0, 1, 1), (2, 2, 1, 1))
    results = {
        "last_change": last_change(epochs, skeleton),
        "margin": sureness(epochs[-1], skeleton),
    }
    lines = choice_lines(results)
    assert lines[0] == (
        "last change: epoch 2, cell 0 s0->n0 from none to skip_connect, and 2 more"
    )
    assert lines[1] == "margin of the choice: minimum 0.6, median 0.6"
    assert lines[2].startswith("least sure: cell 0 s0->n0, skip_connect over ")
    assert lines[2].endswith(" by 0.6")
    assert len(lines) == 2 + 5
    assert choice_lines({"last_change": None}) == [
        "last change: none since the first epoch"
    ]
    assert choice_lines({}) == []
