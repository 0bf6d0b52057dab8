"""Whole images through a predictor, at the labels' resolution."""

import json

import numpy as np
import pytest

from lgcnet_tf.data import Sample, Samples, dataset_info
from lgcnet_tf.data.geometry import FITS
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import evaluate, mask_function, predict_samples
from lgcnet_tf.evaluation.metrics import confusion_matrix
from lgcnet_tf.model.network import Network
from lgcnet_tf.space import Skeleton, uniform

INFO = dataset_info("toy_streets")


def samples_of(sizes, seed=0):
    generator = np.random.default_rng(seed)
    found = []
    for index, size in enumerate(sizes):
        label = generator.integers(0, INFO.num_classes, size).astype(np.uint8)
        label[0] = 255
        # The class is written into the picture, so a predictor can read it.
        image = np.repeat(label[..., None], 3, axis=-1)
        found.append(Sample(f"sample_{index}", image, label))
    return Samples(INFO, "val", len(found), lambda i: found[i])


def read_class(images):
    return images[..., 0] % INFO.num_classes


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_perfect_prediction_whatever_the_batch(batch_size):
    samples = samples_of([(20, 30)] * 3 + [(10, 14)] * 2)
    result = evaluate(read_class, samples, batch_size, progress=False)
    assert result.miou == 1.0 and result.pixel_accuracy == 1.0
    assert result.num_images == 5
    assert result.confusion.sum() == 3 * 19 * 30 + 2 * 9 * 14


def test_one_matrix_for_the_set():
    samples = samples_of([(20, 30)] * 3)
    generator = np.random.default_rng(3)
    masks = generator.integers(0, 8, (3, 20, 30))
    queue = iter(masks)
    result = evaluate(lambda images: next(queue)[None], samples, 1, progress=False)
    labels = np.stack([sample.label for sample in samples])
    counts = confusion_matrix(labels, masks, 8)
    np.testing.assert_array_equal(result.confusion, counts)
    hits = np.diag(counts)
    expected = hits / (counts.sum(0) + counts.sum(1) - hits)
    np.testing.assert_allclose(result.per_class_iou, expected)
    assert result.miou == pytest.approx(expected.mean())


def test_images_reach_the_network_at_its_size_and_masks_return():
    samples = samples_of([(24, 40), (13, 17)])
    seen = []

    def quadrants(images):
        seen.append(images.shape)
        mask = np.zeros(images.shape[:3], np.int64)
        mask[:, 6:, 10:] = 3
        return mask

    quadrants.input_size = (12, 20)
    masks = [mask for _, mask in predict_samples(quadrants, samples, 8)]
    assert seen == [(2, 12, 20, 3)]
    expected = np.zeros((24, 40), np.uint8)
    expected[12:, 20:] = 3
    np.testing.assert_array_equal(masks[0], expected)
    assert masks[1].shape == (13, 17) and set(np.unique(masks[1])) == {0, 3}


def test_json_has_null_for_absent_classes(capsys):
    label = np.array([[0, 1], [1, 1]], np.uint8)
    sample = Sample("one", np.zeros((2, 2, 3), np.uint8), label)
    samples = Samples(INFO, "val", 1, lambda i: sample)
    result = evaluate(lambda images: label[None], samples)
    found = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert found["miou"] == 1.0
    assert found["per_class_iou"]["road"] == 1.0
    assert found["per_class_iou"]["car"] is None
    assert list(found["per_class_iou"]) == list(INFO.class_names)
    assert "mIoU 100.00 %" in capsys.readouterr().err


def test_bad_input_is_one_clear_line():
    with pytest.raises(InputError, match="'val' has no samples"):
        evaluate(read_class, samples_of([]), progress=False)
    with pytest.raises(InputError, match="class 9; toy_streets has only 8"):
        evaluate(
            lambda images: np.full(images.shape[:3], 9),
            samples_of([(4, 4)]),
            progress=False,
        )


def test_mask_function_is_the_networks_argmax_and_follows_its_weights():
    skeleton = Skeleton(
        num_classes=8,
        initial_channels=2,
        num_cells=2,
        reduction_cells=(1,),
        fusion="none",
        fusion_taps=(0,),
    )
    network = Network(skeleton, (16, 24), uniform(skeleton, "conv_3x3"))
    predict = mask_function(network)
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), np.uint8)
    for _ in range(2):
        masks = predict(images)
        logits = np.asarray(network(images))
        np.testing.assert_array_equal(masks, logits.argmax(-1))
        assert masks.dtype == np.uint8
        np.testing.assert_array_equal(predict(images[:1]), masks[:1])
        network.set_weights([-w for w in network.get_weights()[:-1]] + [np.arange(8.0)])
    assert predict.input_size == (16, 24)
    result = evaluate(predict, samples_of([(32, 48)] * 3), 2, progress=False)
    assert result.confusion.sum() == 3 * 31 * 48


def test_each_fit_gives_masks_of_the_pictures_own_size():
    """A network that answers red's brightness: the picture comes back in place."""
    rng = np.random.default_rng(3)
    sizes = [(8, 16), (16, 8), (40, 50), (40, 50), (3, 5)]
    samples = [
        Sample(str(i), np.full((*size, 3), 10 * i, np.uint8), None)
        for i, size in enumerate(sizes)
    ]
    seen = []

    def red(images):
        seen.append(images.shape)
        return images[..., 0]

    for fit in FITS:
        for batch_size in (1, 3):
            found = list(predict_samples(red, samples, batch_size, (8, 16), fit))
            assert [sample.name for sample, _ in found] == list("01234")
            for number, (_, mask) in enumerate(found):
                assert mask.shape == sizes[number]
                assert (mask == 10 * number).all()  # margins are cut off again
            assert max(shape[0] for shape in seen) <= batch_size
            seen.clear()
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    ((_, mask),) = predict_samples(red, [Sample("a", image, None)], 4, (8, 16), "tile")
    np.testing.assert_array_equal(mask, image[..., 0])
