"""The charts as files, and what they refuse."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import EvaluationResult
from lgcnet_tf.evaluation.metrics import ConfusionMatrix
from lgcnet_tf.figures import (
    alpha_heatmap,
    choices_course,
    latency_bars,
    per_class_iou,
    png_bytes,
    style,
    training_curves,
)


def count(path, color):
    picture = np.asarray(Image.open(path).convert("RGB"))
    color = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return int((picture == color).all(-1).sum())


def test_a_panel_for_each_kind_of_figure(history, tmp_path):
    path = training_curves(history, tmp_path / "all.png")
    six = Image.open(path).size
    short = [{key: row[key] for key in ("epoch", "loss", "miou")} for row in history]
    two = Image.open(training_curves(short, tmp_path / "two.png")).size
    assert six[0] > two[0] and six[1] > 1.8 * two[1]
    assert count(path, style.ACCENT) > 300


def test_epochs_without_a_figure_are_left_out(tmp_path):
    history = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": None, "val_miou": 0.1}]
    assert training_curves(history, tmp_path / "gaps.png").exists()
    with pytest.raises(InputError, match="nothing to draw; known figures: loss"):
        training_curves([{"epoch": 1, "other": 3.0}], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_bars_are_as_long_as_the_ious(tmp_path):
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0] * 10 + [1] * 10), np.array([0] * 10 + [1] * 5 + [0] * 5))
    result = EvaluationResult(
        ("road", "sky", "cat"),
        matrix.per_class_iou,
        matrix.miou,
        matrix.pixel_accuracy,
        matrix.counts,
        1,
    )
    path = per_class_iou(result, tmp_path / "iou.png")
    picture = np.asarray(Image.open(path).convert("RGB"))
    blue = (picture == [31, 95, 168]).all(-1).sum(1)
    lengths = blue[blue > 20]
    assert lengths.min() / lengths.max() == pytest.approx(0.5 / (10 / 15), abs=0.03)
    again = per_class_iou(result.to_dict(), tmp_path / "dict.png")
    np.testing.assert_array_equal(
        np.asarray(Image.open(again)), np.asarray(Image.open(path))
    )
    with pytest.raises(InputError, match="no per_class_iou"):
        per_class_iou({"miou": 0.5}, tmp_path / "bad.png")


def test_latency_table_shows_every_family(table, tmp_path):
    path = latency_bars(table, tmp_path / "latency.png")
    for family, color in style.FAMILIES.items():
        assert family == "none" or count(path, color) > 500, family


def test_alphas_as_logits_or_probabilities_are_one_picture(tmp_path):
    logits = np.random.default_rng(0).normal(size=(3, 5, 8))
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    pictures = [
        np.asarray(Image.open(alpha_heatmap(alphas, tmp_path / "alphas.png")))
        for alphas in (logits, weights)
    ]
    np.testing.assert_array_equal(*pictures)
    sharp = np.eye(8)[np.zeros((3, 5), int)]
    path = alpha_heatmap(sharp, tmp_path / "sharp.png")
    assert count(path, "#08306b") > 15 * 300  # the darkest blue, on every edge
    with pytest.raises(InputError, match=r"\(cells, 5, 8\)"):
        alpha_heatmap(np.zeros((5, 8)), tmp_path / "bad.png")


def test_epochs_that_are_not_known_are_no_obstacle(tmp_path):
    margins = np.linspace(0.1, 0.9, 12).reshape(4, 3)
    margins[1] = np.nan
    changes = np.array([np.nan, np.nan, np.nan, 3])
    path = choices_course(margins, changes, tmp_path / "choices.png")
    one = count(path, style.ACCENT)
    changes[2] = 3
    assert count(choices_course(margins, changes, path), style.ACCENT) > 1.5 * one


def test_a_figure_as_bytes_is_the_file(history, tmp_path):
    path = training_curves(history, tmp_path / "curves.png")
    assert png_bytes(training_curves, history) == path.read_bytes()
