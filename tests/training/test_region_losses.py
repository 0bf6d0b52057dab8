"""Lovász-softmax and Dice against their definitions, in NumPy float64."""

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.region_losses import (
    Dice,
    LovaszSoftmax,
    WeightedSum,
    with_regions,
)

SHAPE = (3, 6, 9)
CLASSES = 5


@pytest.fixture
def batch():
    """Labels with no, some and half void; the last image lacks two classes."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, CLASSES, SHAPE)
    labels[1, :2] = 255
    labels[2, :, 5:] = 255
    labels[2][labels[2] < 2] = 3
    return labels, generator.normal(scale=2.0, size=(*SHAPE, CLASSES))


def lovasz(label, scores):
    """One image, as Berman's published code goes about it: pixel by pixel."""
    valid = label != 255
    p, label = softmax(scores[valid]), label[valid]
    losses = []
    for number in np.unique(label):
        own = label == number
        errors = np.where(own, 1 - p[:, number], p[:, number])
        loss, lost, before = 0.0, np.zeros(len(own), bool), 0.0
        for pixel in np.argsort(-errors, kind="stable"):
            lost[pixel] = True
            kept = (own & ~lost).sum() / (own | lost).sum()
            loss += errors[pixel] * ((1 - kept) - before)
            before = 1 - kept
        losses.append(loss)
    return np.mean(losses) if losses else 0.0


def dice(label, scores):
    valid = label != 255
    p, label = softmax(scores[valid]), label[valid]
    losses = [
        1 - 2 * p[label == k, k].sum() / (p[:, k].sum() + (label == k).sum())
        for k in np.unique(label)
    ]
    return np.mean(losses) if losses else 0.0


def softmax(scores):
    exponents = np.exp(scores - scores.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


KINDS = pytest.mark.parametrize("kind, one", [(LovaszSoftmax, lovasz), (Dice, dice)])


@KINDS
def test_against_float64(kind, one, batch):
    labels, logits = batch
    expected = [one(*image) for image in zip(labels, logits)]
    found = kind().call(
        labels.astype("int32"), ops.convert_to_tensor(logits, "float32")
    )
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    mean = float(kind()(labels.astype("int32"), logits.astype("float32")))
    assert mean == pytest.approx(np.mean(expected), rel=2e-5)


@KINDS
def test_gradient_against_differences(kind, one, batch):
    """Of the definition in float64, at a few logits of each image."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs TensorFlow's tape")
    import tensorflow as tf

    labels, logits = batch
    variable = tf.Variable(logits.astype("float32"))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(kind().call(labels.astype("int32"), variable))
    found = tape.gradient(loss, variable).numpy()
    generator = np.random.default_rng(1)
    for _ in range(12):
        place = tuple(generator.integers(0, size) for size in logits.shape)
        sides = []
        for step in (1e-6, -1e-6):
            moved = logits.copy()
            moved[place] += step
            sides.append(one(labels[place[0]], moved[place[0]]))
        expected = (sides[0] - sides[1]) / 2e-6
        assert found[place] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert (found[labels == 255] == 0).all()


@KINDS
def test_scores_at_void_pixels_do_not_matter(kind, one, batch):
    labels, logits = batch
    other = logits.copy()
    other[labels == 255] += np.linspace(-50, 50, CLASSES)
    found = [float(kind()(labels, x.astype("float32"))) for x in (logits, other)]
    assert found[0] == found[1]


@KINDS
def test_all_void_and_perfect_images(kind, one, batch):
    labels, logits = batch
    labels[1] = 255
    perfect = 50.0 * np.eye(CLASSES)[np.where(labels[0] == 255, 0, labels[0])]
    logits[0] = perfect
    found = np.asarray(kind().call(labels, ops.convert_to_tensor(logits, "float32")))
    assert found[1] == 0.0
    assert found[0] == pytest.approx(0.0, abs=1e-6)
    assert 0.0 < found[2] < 1.0


def test_added_to_a_weighted_cross_entropy(batch):
    labels, logits = batch
    entropy = CrossEntropy(hardest=0.5, class_weights=np.linspace(0.5, 2, CLASSES))
    parts = [
        float(loss(labels, logits.astype("float32")))
        for loss in (entropy, LovaszSoftmax(), Dice())
    ]
    for lovasz_weight, dice_weight in ((0.0, 0.0), (0.5, 0.0), (0.5, 2.0)):
        loss = with_regions(entropy, lovasz_weight, dice_weight)
        found = float(loss(labels, logits.astype("float32")))
        expected = np.dot(parts, (1.0, lovasz_weight, dice_weight))
        assert found == pytest.approx(expected, rel=1e-5)
        assert loss.void_label == 255
    assert with_regions(entropy, 0.0, 0.0) is entropy


def test_survives_serialisation(batch):
    labels, logits = batch
    loss = with_regions(CrossEntropy(hardest=0.5), 0.5, 2.0)
    other = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(other, WeightedSum)
    found = [float(x(labels, logits.astype("float32"))) for x in (loss, other)]
    assert found[0] == found[1]
