import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.training.losses import CrossEntropy

SHAPE = (3, 8, 12)
CLASSES = 19


@pytest.fixture
def batch():
    """Labels with no, some and half void, and logits of wide range."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, CLASSES, SHAPE)
    labels[1, :2] = 255
    labels[2, :, 6:] = 255
    return labels, generator.normal(scale=3.0, size=(*SHAPE, CLASSES))


def reference(labels, logits, hardest=1.0, void=255, class_weights=None):
    """Per image, in float64: the mean over the hardest pixels that are not void."""
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    means = []
    for label, scores in zip(labels, log_p):
        valid = label != void
        losses = -scores[valid, label[valid]]
        if class_weights is not None:
            losses *= np.asarray(class_weights)[label[valid]]
        keep = max(1, int(hardest * label.size))
        hard = np.sort(losses)[::-1][:keep]
        means.append(hard.mean() if len(hard) else 0.0)
    return np.array(means)


@pytest.mark.parametrize("hardest", [1.0, 0.6, 0.25, 0.001])
def test_against_float64(batch, hardest):
    labels, logits = batch
    loss = CrossEntropy(hardest=hardest)
    expected = reference(labels, logits, hardest)
    found = loss.call(labels.astype("int32"), ops.convert_to_tensor(logits, "float32"))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    mean = loss(labels.astype("int32"), logits.astype("float32"))
    assert float(mean) == pytest.approx(expected.mean(), rel=1e-5)


def test_images_weigh_the_same_whatever_their_void(batch):
    labels, logits = batch
    pixels = reference(labels.reshape(1, -1), logits.reshape(1, -1, CLASSES))[0]
    mean = float(CrossEntropy()(labels, logits.astype("float32")))
    assert abs(mean - pixels) > 1e-3  # not the mean over the batch's pixels


def test_scores_at_void_pixels_do_not_matter(batch):
    labels, logits = batch
    other = logits.copy()
    other[labels == 255] += np.linspace(-50, 50, CLASSES)
    for hardest in (1.0, 0.25):
        loss = CrossEntropy(hardest=hardest)
        one, two = (float(loss(labels, x.astype("float32"))) for x in (logits, other))
        assert one == two


def test_hardest_are_at_least_as_hard_as_all(batch):
    labels, logits = batch
    all_of_them, some, few = (
        float(CrossEntropy(hardest=h)(labels, logits.astype("float32")))
        for h in (1.0, 0.25, 0.01)
    )
    assert all_of_them < some < few


@pytest.mark.parametrize("hardest", [1.0, 0.25])
def test_image_that_is_all_void(batch, hardest):
    labels, logits = batch
    labels[1] = 255
    loss = CrossEntropy(hardest=hardest)
    found = np.asarray(loss.call(labels, ops.convert_to_tensor(logits, "float32")))
    assert found[1] == 0.0
    np.testing.assert_allclose(found, reference(labels, logits, hardest), rtol=1e-5)
    labels[:] = 255
    assert float(loss(labels, logits.astype("float32"))) == 0.0


def test_training_on_an_all_void_image_changes_nothing():
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(CLASSES, 1)])
    loss = CrossEntropy(hardest=0.25)
    model.compile(keras.optimizers.SGD(1.0), loss, jit_compile=False)
    before = model.get_weights()
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    model.train_on_batch(images, np.full((2, 4, 4), 255, "int32"))
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_another_void_label(batch):
    labels, logits = batch
    labels = np.where(labels == 255, 11, labels)
    found = float(CrossEntropy(void_label=11)(labels, logits.astype("float32")))
    expected = reference(labels, logits, void=11).mean()
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("hardest", [1.0, 0.25])
def test_class_weights(batch, hardest):
    labels, logits = batch
    weights = np.linspace(0.2, 5.0, CLASSES)
    expected = reference(labels, logits, hardest, class_weights=weights)
    loss = CrossEntropy(hardest=hardest, class_weights=weights)
    found = loss.call(labels.astype("int32"), ops.convert_to_tensor(logits, "float32"))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    other = keras.losses.deserialize(keras.losses.serialize(loss))
    assert other.class_weights == list(weights)


@pytest.mark.parametrize("hardest", [0.0, -0.1, 1.5])
def test_share_outside_its_range(hardest):
    with pytest.raises(ValueError, match=f"hardest .* Received: {hardest}"):
        CrossEntropy(hardest=hardest)


def test_survives_serialisation():
    loss = CrossEntropy(void_label=11, hardest=0.5)
    other = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(other, CrossEntropy)
    assert (other.void_label, other.hardest) == (11, 0.5)
