"""The same samples with and without TFDS, and its cache."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import load, load_samples, samples, tfds_source, training_dataset
from lgcnet_tf.data.camvid.folder import CamvidFolder
from lgcnet_tf.data.toy_streets.streets import ToyStreets
from lgcnet_tf.errors import InputError

needs_tfds = pytest.mark.skipif(
    not tfds_source.available(), reason="TensorFlow and TFDS are not installed"
)


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second):
        assert one.name == other.name
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.label, other.label)
        assert one.label.dtype == other.label.dtype == np.uint8


@needs_tfds
def test_camvid_through_tfds_equals_reading_directly(small_camvid):
    for split in ("train", "val"):
        through = load_samples("camvid", split, small_camvid)
        assert_same(through, load.read_directly(CamvidFolder(small_camvid), split))


@needs_tfds
def test_official_camvid_through_tfds(official_camvid):
    through = load_samples("camvid", "val", official_camvid)
    assert_same(through, load.read_directly(CamvidFolder(official_camvid), "val"))


@needs_tfds
@pytest.mark.parametrize("turn", [3, 6, 7])
def test_turned_pictures_and_labels_are_as_upright(small_camvid, picture_files, turn):
    upright = list(load.read_directly(CamvidFolder(small_camvid), "val"))
    back = {6: 8}.get(turn, turn)  # the turn that undoes it
    for sample in upright:
        for folder, pixels in (("val", sample.image), ("valannot", sample.label)):
            stored = np.ascontiguousarray(picture_files.TURNS[back](pixels))
            (small_camvid / folder / f"{sample.name}.jpg").unlink(missing_ok=True)
            path = small_camvid / folder / f"{sample.name}.png"
            Image.fromarray(stored).save(path)
            turned = picture_files.with_exif(
                path.read_bytes(), picture_files.exif(turn)
            )
            path.write_bytes(turned)
    assert_same(load_samples("camvid", "val", small_camvid), upright)
    batches = training_dataset(
        load_samples("camvid", "val", small_camvid), 1, (24, 32), 0,
        scale_range=(1.0, 1.0), flip=False,
    )  # fmt: skip
    for image, label in batches.as_numpy_iterator():
        (found,) = (s for s in upright if (s.image == image[0]).all())
        np.testing.assert_array_equal(label[0], found.label)


@needs_tfds
def test_a_link_to_nothing_is_one_line(small_camvid):
    path = small_camvid / "val" / "val_0.png"
    path.unlink()
    path.symlink_to("nowhere.png")
    with pytest.raises(InputError, match=f"^{path}: cannot be read: [^\\n]*$"):
        load_samples("camvid", "val", small_camvid)
    # It is of no other split.
    through = load_samples("camvid", "train", small_camvid)
    assert_same(through, load.read_directly(CamvidFolder(small_camvid), "train"))


@needs_tfds
def test_toy_streets_through_tfds_equals_drawing():
    through = load_samples("toy_streets", "val")
    assert_same(through, load.read_directly(ToyStreets(), "val"))


@needs_tfds
def test_builders_have_tfds_metadata(tmp_path):
    from lgcnet_tf.data.camvid import camvid_dataset_builder
    from lgcnet_tf.data.toy_streets import toy_streets_dataset_builder

    for module in (camvid_dataset_builder, toy_streets_dataset_builder):
        info = module.Builder(data_dir=str(tmp_path)).info
        assert info.description
    builder = camvid_dataset_builder.Builder(data_dir=str(tmp_path))
    assert "Brostow" in builder.info.citation


@needs_tfds
def test_second_load_uses_the_cache_and_changed_data_do_not(small_camvid):
    load_samples("camvid", "val", small_camvid)
    prepared = set(tfds_source.cache_folder().glob("camvid-*/camvid"))
    load_samples("camvid", "val", small_camvid)
    assert set(tfds_source.cache_folder().glob("camvid-*/camvid")) == prepared
    Image.new("L", (32, 24), 3).save(small_camvid / "valannot" / "val_0.png")
    assert (load_samples("camvid", "val", small_camvid)[0].label == 3).all()


@needs_tfds
def test_bad_sample_stops_preparation_and_leaves_nothing(small_camvid):
    Image.new("L", (32, 24), 99).save(small_camvid / "trainannot" / "train_4.png")
    for _ in range(2):
        with pytest.raises(InputError, match="train_4.png: label value 99") as error:
            load_samples("camvid", "train", small_camvid)
        assert "\n" not in str(error.value)
    state = CamvidFolder(small_camvid)._state(("train",))
    folder = tfds_source.cache_folder() / f"camvid-{state}"
    assert folder.is_dir()
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert len(load_samples("camvid", "val", small_camvid)) == 2


@needs_tfds
def test_cache_that_cannot_be_written(small_camvid, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(InputError, match="Set TFDS_DATA_DIR"):
        load_samples("camvid", "val", small_camvid)


def test_without_tfds_the_folder_is_read_directly(small_camvid, monkeypatch):
    monkeypatch.setattr(tfds_source, "available", lambda: False)
    loaded = load_samples("camvid", "val", small_camvid)
    assert_same(loaded, load.read_directly(CamvidFolder(small_camvid), "val"))


def test_bad_sample_without_tfds_is_found_before_training(small_camvid, monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(tfds_source, "available", lambda: False)
    Image.new("L", (32, 24), 99).save(small_camvid / "trainannot" / "train_4.png")
    loaded = load_samples("camvid", "train", small_camvid)
    with pytest.raises(InputError, match="train_4.png: label value 99"):
        training_dataset(loaded, 2, (16, 16), seed=0)


def test_unknown_split_lists_those_there_are(small_camvid):
    with pytest.raises(InputError, match="no split 'test'. Available: train, val"):
        load_samples("camvid", "test", small_camvid)
    with pytest.raises(InputError, match="Available: train, val, test"):
        load_samples("toy_streets", "dev")


def test_decoded_once_when_the_split_fits_into_memory(monkeypatch):
    reads = []

    def read(index):
        reads.append(index)
        image = np.zeros((4, 4, 3), np.uint8)
        return samples.Sample(str(index), image, image[..., 0].copy())

    def make():
        return samples.Samples(ToyStreets().info, "train", 3, read)

    kept = make()
    assert [sample.name for sample in kept] == [s.name for s in kept]
    assert reads == [0, 1, 2]
    assert kept[-1].name == "2"
    assert [sample.name for sample in kept[1:]] == ["1", "2"]
    with pytest.raises(IndexError):
        kept[3]
    with pytest.raises(ValueError):
        kept[0].image[:] = 1
    monkeypatch.setattr(samples, "MEMORY_LIMIT_BYTES", 100)
    large = make()
    reads.clear()
    assert len(list(large)) == len(list(large)) == 3
    assert reads == [0, 1, 2] * 2
