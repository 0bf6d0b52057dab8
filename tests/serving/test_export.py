"""The SavedModel, read back, against the live network."""

import fcntl
import io
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lgcnet_tf.data import Sample
from lgcnet_tf.data import images as files_decoder
from lgcnet_tf.data.geometry import FITS
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import predict_samples
from lgcnet_tf.evaluation.models import load_model
from lgcnet_tf.serving import export as export_module
from lgcnet_tf.serving import warmup
from lgcnet_tf.serving.classes import read_classes
from lgcnet_tf.serving.export import export_saved_model, load_info
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.servable import Servable
from lgcnet_tf.serving.version_folders import version_folders


@pytest.fixture(scope="module")
def loaded(base_path):
    return tf.saved_model.load(str(base_path / "1"))


def test_signatures_have_the_documented_names_and_shapes(loaded):
    images = loaded.signatures["serving_default"]
    encoded = loaded.signatures["encoded"]
    assert set(loaded.signatures) == {"serving_default", "encoded", "classes"}
    spec = images.structured_input_signature[1]["images"]
    assert (spec.dtype, spec.shape.as_list()) == (tf.uint8, [None, 24, 40, 3])
    spec = encoded.structured_input_signature[1]["encoded"]
    assert (spec.dtype, spec.shape.as_list()) == (tf.string, [None])
    for signature, sides in ((images, [24, 40]), (encoded, [None, None])):
        mask = signature.structured_outputs["mask"]
        assert (mask.dtype, mask.shape.as_list()) == (tf.uint8, [None, *sides])
        scores = signature.structured_outputs["scores"]
        assert (scores.dtype, scores.shape.as_list()) == (tf.float32, [None, *sides, 5])
    size = encoded.structured_outputs["size"]
    assert (size.dtype, size.shape.as_list()) == (tf.int32, [None, 2])


def test_images_signature_equals_the_live_network(loaded, network, live_mask, images):
    outputs = loaded.signatures["serving_default"](images=tf.constant(images))
    expected = live_mask(images)
    assert len(np.unique(expected)) == 5
    np.testing.assert_array_equal(outputs["mask"], expected)
    scores = keras.ops.softmax(network.predict_on_batch(images))
    np.testing.assert_allclose(outputs["scores"], scores, atol=1e-6)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_encoded_signature_sees_what_pillow_reads(
    loaded, live_mask, images, encode, image_format
):
    files = [encode(image, image_format) for image in images]
    read = np.stack([np.asarray(Image.open(io.BytesIO(one))) for one in files])
    outputs = loaded.signatures["encoded"](encoded=tf.constant(files))
    np.testing.assert_array_equal(outputs["mask"], live_mask(read))


@pytest.mark.parametrize("fit", FITS)
def test_evaluation_and_server_give_the_same_mask_for_any_size(
    fit, network, info, live_mask, images, encode, tmp_path
):
    """All of a batch, each at its own size; beyond it void and no scores."""
    folder = export_saved_model(network, tmp_path, info, scores=True, fit=fit)
    signature = tf.saved_model.load(str(folder)).signatures["encoded"]
    sizes = [(24, 40), (48, 80), (31, 17), (9, 70), (24, 90)]
    pictures = [
        np.asarray(Image.fromarray(images[0]).resize(size[::-1])) for size in sizes
    ]
    outputs = signature(encoded=tf.constant([encode(one, "PNG") for one in pictures]))
    np.testing.assert_array_equal(outputs["size"], sizes)
    assert outputs["mask"].shape == (5, 48, 90)
    samples = [Sample(str(i), one, None) for i, one in enumerate(pictures)]
    expected = predict_samples(live_mask, samples, 2, (24, 40), fit)
    for number, (sample, mask) in enumerate(expected):
        height, width = sizes[number]
        assert sample.name == str(number)
        found = outputs["mask"][number].numpy()
        # Resized pixels may differ by 1 of 255, which few pixels' class hangs on.
        exact = fit == "tile" or number == 0
        wrong = np.mean(found[:height, :width] != mask)
        assert wrong == 0 if exact else wrong < 0.05
        assert (found[height:] == 255).all() and (found[:, width:] == 255).all()
        scores = outputs["scores"][number].numpy()
        own = scores[:height, :width]
        np.testing.assert_array_equal(own.argmax(-1), found[:height, :width])
        np.testing.assert_allclose(own.sum(-1), 1, atol=1e-5)
        assert not scores[height:].any() and not scores[:, width:].any()


def test_classes_signature_says_what_the_model_is(network, info, tmp_path):
    metadata = {"model": "small"}
    folder = export_saved_model(network, tmp_path, info, metadata=metadata, fit="tile")
    signature = tf.saved_model.load(str(folder)).signatures["classes"]
    outputs = {k: v.numpy() for k, v in signature(query=tf.zeros(3, tf.int32)).items()}
    # A server that joins requests splits the outputs by their first dimension.
    assert {len(value) for value in outputs.values()} == {3}
    found = read_classes({name: value[2:] for name, value in outputs.items()})
    assert (found.fit, found.input_size, found.model) == ("tile", (24, 40), "small")
    assert found.info.name == "five" and found.info.void_label == 255
    assert found.info.class_names == info.class_names
    np.testing.assert_array_equal(found.info.palette, info.palette)


@pytest.mark.parametrize("name", ["a[1]", "a[", "a\\b"])
def test_a_path_that_tensorflow_cannot_load_from_is_refused(
    name, network, info, tmp_path
):
    with pytest.raises(InputError, match="loads no SavedModel from a path with"):
        export_saved_model(network, tmp_path / name / "model", info)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a]b", "a*?{c}", "ä ü"])
def test_other_paths_can_be_loaded_from(name, base_path, tmp_path):
    shutil.copytree(base_path, tmp_path / name)
    assert load_model(str(tmp_path / name)).input_size == (24, 40)


def test_a_model_in_a_folder_that_cannot_be_loaded_from_is_one_line(
    base_path, tmp_path
):
    shutil.copytree(base_path, tmp_path / "a[1]")
    for load in (lambda path: Servable("m", 1, f"{path}/1", Limits()), load_model):
        with pytest.raises(InputError, match="from a path with"):
            load(str(tmp_path / "a[1]"))


def test_grey_and_alpha_pictures_are_read_as_rgb(loaded, live_mask, images, encode):
    grey = images[0, ..., 0]
    alpha = np.concatenate([images[1], images[1, ..., :1]], axis=-1)
    files = [encode(grey, "PNG"), encode(alpha, "PNG")]
    outputs = loaded.signatures["encoded"](encoded=tf.constant(files))
    expected = live_mask(np.stack([np.stack([grey] * 3, -1), images[1]]))
    np.testing.assert_array_equal(outputs["mask"], expected)


@pytest.mark.parametrize("turn", range(1, 9))
def test_encoded_signature_sees_every_kind_of_picture_upright(
    loaded, live_mask, picture_files, turn
):
    size = (24, 40) if turn < 5 else (40, 24)
    kinds = picture_files.pictures(*size, seed=turn)[turn % 3 :: 3]
    block = picture_files.exif(turn, "<>"[turn % 2])
    files = [picture_files.with_exif(kind.data, block) for kind in kinds]
    read = np.stack([files_decoder.decode_image(one, "") for one in files])
    outputs = loaded.signatures["encoded"](encoded=tf.constant(files))
    np.testing.assert_array_equal(outputs["mask"], live_mask(read))


def test_scores_are_left_out_unless_asked_for(network, info, tmp_path):
    folder = export_saved_model(network, tmp_path, info)
    signatures = tf.saved_model.load(str(folder)).signatures
    assert set(signatures["encoded"].structured_outputs) == {"mask", "size"}


def test_a_subclassed_network_is_exported_by_its_attributes(
    network, info, tmp_path, images, live_mask
):
    class Wrapped(keras.Model):
        input_size = (24, 40)
        num_classes = 5

        def call(self, images, training=None):
            return network(images, training=training)

    wrapped = Wrapped()
    wrapped(images)
    folder = export_saved_model(wrapped, tmp_path, info)
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    outputs = signature(images=tf.constant(images))
    np.testing.assert_array_equal(outputs["mask"], live_mask(images))


def test_versions_count_up_and_are_never_overwritten(network, info, tmp_path):
    assert export_saved_model(network, tmp_path, info, version=9).name == "9"
    assert export_saved_model(network, tmp_path, info).name == "10"
    assert list(version_folders(tmp_path)) == [9, 10]
    with pytest.raises(InputError, match="9: this version already exists"):
        export_saved_model(network, tmp_path, info, version=9)
    with pytest.raises(InputError, match="at least 1"):
        export_saved_model(network, tmp_path, info, version=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["10", "9"]


def test_what_a_killed_export_left_is_removed_and_a_living_one_is_not(
    network, info, tmp_path
):
    killed, living, other = (tmp_path / n for n in (".1-dead", ".2-alive", ".git-x"))
    for folder in (killed, living, other):
        folder.mkdir()
        os.utime(folder, (0, 0))
    held = os.open(living, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    try:
        with pytest.raises(InputError, match="2: another export is writing this"):
            export_saved_model(network, tmp_path, info, version=2)
    finally:
        os.close(held)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {".2-alive", ".git-x"}


def test_the_loser_of_two_exports_gets_the_next_version(
    network, info, tmp_path, monkeypatch
):
    def write_graph(*_):
        (tmp_path / "1/variables").mkdir(parents=True, exist_ok=True)  # the other one

    monkeypatch.setattr(export_module, "_write_graph", write_graph)
    assert export_saved_model(network, tmp_path, info).name == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_a_failed_export_leaves_nothing(network, info, tmp_path):
    with pytest.raises(TypeError):
        export_saved_model(network, tmp_path, info, metadata={"no json": {1, 2}})
    assert not list(tmp_path.iterdir())


def test_other_classes_and_a_file_as_folder_are_refused(network, info, tmp_path):
    fewer = type(info)("four", info.class_names[:4], info.palette[:4])
    with pytest.raises(InputError, match="5 classes, four has 4"):
        export_saved_model(network, tmp_path, fewer)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match="a folder is needed"):
        export_saved_model(network, file, info)


def test_info_file_gives_the_classes_back(base_path, info):
    read, values = load_info(base_path / "1")
    assert (read.name, read.class_names) == (info.name, info.class_names)
    np.testing.assert_array_equal(read.palette, info.palette)
    assert values["input_size"] == [24, 40]
    assert values["metadata"] == {"miou": 0.5}
    with pytest.raises(InputError, match="no such file"):
        load_info(base_path)


def test_warmup_has_one_valid_request_for_each_signature(base_path):
    requests = list(warmup.read_warmup(base_path / "1"))
    names = [one.model_spec.signature_name for one in requests]
    assert names == ["serving_default", "encoded", "classes"]
    array = tf.make_ndarray(requests[0].inputs["images"])
    assert (array.dtype, array.shape) == (np.uint8, (1, 24, 40, 3))
    (png,) = tf.make_ndarray(requests[1].inputs["encoded"])
    assert Image.open(io.BytesIO(png)).size == (40, 24)
