"""The SavedModel, read back, against the live network."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lgcnet_tf.data import images as files_decoder
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving import warmup
from lgcnet_tf.serving.signatures import decode_image
from lgcnet_tf.serving.export import export_saved_model, load_info, versions


@pytest.fixture(scope="module")
def loaded(base_path):
    return tf.saved_model.load(str(base_path / "1"))


def test_signatures_have_the_documented_names_and_shapes(loaded):
    images = loaded.signatures["serving_default"]
    encoded = loaded.signatures["encoded"]
    assert set(loaded.signatures) == {"serving_default", "encoded"}
    spec = images.structured_input_signature[1]["images"]
    assert (spec.dtype, spec.shape.as_list()) == (tf.uint8, [None, 24, 40, 3])
    spec = encoded.structured_input_signature[1]["encoded"]
    assert (spec.dtype, spec.shape.as_list()) == (tf.string, [None])
    for signature in (images, encoded):
        mask = signature.structured_outputs["mask"]
        assert (mask.dtype, mask.shape.as_list()) == (tf.uint8, [None, 24, 40])


def test_images_signature_equals_the_live_network(
    loaded, network, live_mask, images
):
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


def test_encoded_signature_resizes_and_mixes_sizes_and_formats(
    loaded, live_mask, images, encode
):
    large = np.asarray(Image.fromarray(images[1]).resize((60, 36)))
    files = [encode(images[0], "JPEG"), encode(large, "PNG")]
    outputs = loaded.signatures["encoded"](encoded=tf.constant(files))
    small = np.asarray(
        Image.fromarray(large).resize((40, 24), Image.Resampling.BILINEAR)
    )
    decoded = decode_image(tf.constant(files[1]), (24, 40)).numpy()
    assert np.abs(decoded.astype(int) - small).max() <= 1  # Pillow rounds twice
    np.testing.assert_array_equal(outputs["mask"][1], live_mask(decoded[None])[0])


def test_grey_and_alpha_pictures_are_read_as_rgb(
    loaded, live_mask, images, encode
):
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
    assert set(signatures["encoded"].structured_outputs) == {"mask"}


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
    assert versions(tmp_path) == [9, 10]
    with pytest.raises(InputError, match="9: this version already exists"):
        export_saved_model(network, tmp_path, info, version=9)
    with pytest.raises(InputError, match="at least 1"):
        export_saved_model(network, tmp_path, info, version=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["10", "9"]


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
    assert names == ["serving_default", "encoded"]
    array = tf.make_ndarray(requests[0].inputs["images"])
    assert (array.dtype, array.shape) == (np.uint8, (1, 24, 40, 3))
    (png,) = tf.make_ndarray(requests[1].inputs["encoded"])
    assert Image.open(io.BytesIO(png)).size == (40, 24)
