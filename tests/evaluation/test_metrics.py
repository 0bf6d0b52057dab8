"""The confusion matrix against plain counting, and against Keras' metric."""

import keras
import numpy as np
import pytest

from lgcnet_tf.evaluation.metrics import ConfusionMatrix, confusion_matrix


def test_counts_by_hand():
    label = np.array([[0, 0, 1], [2, 255, 1]], np.uint8)
    prediction = np.array([[0, 1, 1], [0, 2, 1]], np.uint8)
    counts = confusion_matrix(label, prediction, 3, void=255)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 2, 0], [1, 0, 0]])
    assert counts.dtype == np.int64


def test_accumulator_by_hand():
    matrix = ConfusionMatrix(4)
    matrix.update(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    matrix.update(np.array([2, 255]), np.array([0, 3]))
    np.testing.assert_allclose(matrix.per_class_iou, [1 / 3, 2 / 3, 0, np.nan])
    assert matrix.miou == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)
    assert matrix.pixel_accuracy == pytest.approx(3 / 5)


def test_class_that_is_only_predicted_counts_as_zero():
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 0]), np.array([0, 2]))
    np.testing.assert_allclose(matrix.per_class_iou, [0.5, np.nan, 0.0])
    assert matrix.miou == pytest.approx(0.25)


def test_agrees_with_keras():
    generator = np.random.default_rng(1)
    label = generator.integers(0, 11, (2, 30, 40)).astype(np.uint8)
    prediction = np.where(
        generator.random(label.shape) < 0.6,
        label,
        generator.integers(0, 11, label.shape),
    )
    label[:, :3] = 255
    matrix = ConfusionMatrix(11)
    metric = keras.metrics.MeanIoU(11, ignore_class=255)
    for one, other in zip(label, prediction):
        matrix.update(one, other)
        metric.update_state(one.astype("int32"), other.astype("int32"))
    assert matrix.miou == pytest.approx(float(metric.result()), abs=1e-6)


def test_nothing_seen_is_nan():
    matrix = ConfusionMatrix(2)
    matrix.update(np.full((2, 2), 255), np.zeros((2, 2), int))
    assert np.isnan(matrix.miou) and np.isnan(matrix.pixel_accuracy)


@pytest.mark.parametrize(
    "label, prediction, message",
    [
        ([0, 1], [0], "same shape"),
        ([0, 3], [0, 0], "label must be"),
        ([0, 1], [0, 3], "prediction must be"),
    ],
)
def test_refuses_what_it_would_count_wrongly(label, prediction, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(label), np.array(prediction), 3)
