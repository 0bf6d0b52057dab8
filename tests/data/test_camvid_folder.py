"""Both layouts of CamVid, and what is wrong with bad ones."""

import io

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data.camvid import folder as camvid
from lgcnet_tf.errors import InputError


def read_all(data_dir):
    reader = camvid.CamvidFolder(data_dir)
    return [reader.read(pair) for pairs in reader.splits.values() for pair in pairs]


def test_segnet_layout_maps_11_to_void_and_leaves_absent_splits_out(small_camvid):
    reader = camvid.CamvidFolder(small_camvid)
    assert {k: len(v) for k, v in reader.splits.items()} == {"train": 5, "val": 2}
    pair = reader.splits["train"][1]
    sample = reader.read(pair)
    stored = np.asarray(Image.open(pair.label))
    np.testing.assert_array_equal(sample.label, np.where(stored == 11, 255, stored))
    np.testing.assert_array_equal(sample.image, np.asarray(Image.open(pair.image)))
    assert sample.name == "train_1"


def test_real_camvid_has_the_standard_splits(real_camvid):
    reader = camvid.CamvidFolder(real_camvid)
    for split, pairs in reader.splits.items():
        assert [pair.name for pair in pairs] == sorted(camvid.split_names(split))
    sample = reader.read(reader.splits["val"][0])
    assert sample.image.shape == (360, 480, 3)
    assert set(np.unique(sample.label)) <= {*range(11), 255}


def test_standard_split_has_367_101_and_233_names():
    names = [camvid.split_names(split) for split in camvid.SPLITS]
    assert [len(split) for split in names] == [367, 101, 233]
    assert len(set().union(*names)) == 701


def test_official_layout_groups_32_colours_to_11_classes(official_camvid):
    reader = camvid.CamvidFolder(official_camvid)
    assert {k: len(v) for k, v in reader.splits.items()} == {"val": 101}
    label = reader.read(reader.splits["val"][0]).label
    assert label.shape == (4, 8)
    # Sky, 5 of Building, 2 of Pole, ...: as many pixels as grouped colours.
    counts = np.bincount(label.ravel(), minlength=256)
    assert counts[:11].tolist() == [1, 5, 2, 3, 3, 2, 3, 1, 5, 4, 2]
    assert counts[255] == 1


def test_official_layout_with_a_part_of_a_split(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    name = camvid.split_names("val")[3]
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / f"{name}.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "labels" / f"{name}_L.png")
    with pytest.raises(InputError, match="100 of the 101 images of the val split"):
        camvid.CamvidFolder(tmp_path)


def test_unknown_colour_names_file_colour_and_place():
    colors = np.zeros((4, 6, 3), np.uint8)
    colors[2, 5] = (1, 2, 3)
    with pytest.raises(InputError, match=r"x_L.png: .*\(1, 2, 3\) at x=5, y=2"):
        camvid.group_colors(colors, "x_L.png")


def test_no_folder_given_missing_and_empty(tmp_path):
    with pytest.raises(InputError, match="--data_dir"):
        camvid.CamvidFolder(None)
    with pytest.raises(InputError, match="nowhere: no such data folder"):
        camvid.CamvidFolder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no CamVid images found"):
        camvid.CamvidFolder(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match="train: no images"):
        camvid.CamvidFolder(tmp_path)


def test_image_without_label_and_the_reverse(small_camvid):
    label = small_camvid / "trainannot" / "train_2.png"
    content = label.read_bytes()
    label.unlink()
    with pytest.raises(InputError, match="train_2.png: image without label"):
        camvid.CamvidFolder(small_camvid)
    label.write_bytes(content)
    (small_camvid / "val" / "val_1.jpg").unlink()
    with pytest.raises(InputError, match="val_1.png: label without image"):
        camvid.CamvidFolder(small_camvid)


def test_label_of_another_size(small_camvid):
    Image.new("L", (30, 24)).save(small_camvid / "trainannot" / "train_0.png")
    with pytest.raises(InputError, match="train_0.png: the label is 30x24 .* 32x24"):
        read_all(small_camvid)


@pytest.mark.parametrize("value", [12, 254])
def test_label_value_outside_the_classes(small_camvid, value):
    label = np.zeros((24, 32), np.uint8)
    label[3, 4] = value
    Image.fromarray(label).save(small_camvid / "trainannot" / "train_3.png")
    with pytest.raises(InputError, match=f"train_3.png: label value {value} is"):
        read_all(small_camvid)


def test_colour_label_where_indices_belong(small_camvid):
    Image.new("RGB", (32, 24)).save(small_camvid / "valannot" / "val_0.png")
    with pytest.raises(InputError, match="val_0.png: .* Received: mode RGB"):
        read_all(small_camvid)


@pytest.mark.parametrize("name", ["train_0.png", "train_1.jpg"])
@pytest.mark.parametrize("kept", [0, 4, 40, 0.5, 0.97])
def test_truncated_picture(small_camvid, name, kept):
    path = small_camvid / "train" / name
    content = path.read_bytes()
    path.write_bytes(content[: kept if kept > 1 else int(kept * len(content))])
    with pytest.raises(InputError, match=f"{name}: truncated"):
        read_all(small_camvid)


def test_palette_label_is_read_by_index(small_camvid):
    image = Image.fromarray(np.full((24, 32), 7, np.uint8)).convert("P")
    image.putdata([7] * (24 * 32))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    (small_camvid / "trainannot" / "train_0.png").write_bytes(buffer.getvalue())
    assert (read_all(small_camvid)[0].label == 7).all()


def test_fingerprint_follows_any_change(small_camvid):
    before = camvid.CamvidFolder(small_camvid).fingerprint()
    assert camvid.CamvidFolder(small_camvid).fingerprint() == before
    path = small_camvid / "trainannot" / "train_0.png"
    path.write_bytes(path.read_bytes())
    assert camvid.CamvidFolder(small_camvid).fingerprint() != before


@pytest.mark.parametrize(
    "folder, name", [("train", "train_0"), ("trainannot", "train_1")]
)
def test_a_link_to_nothing_is_one_line(small_camvid, folder, name):
    path = small_camvid / folder / f"{name}.png"
    path.unlink()
    path.symlink_to(small_camvid / "nowhere.png")
    with pytest.raises(
        InputError, match=f"^{path}: cannot be read: No such file[^\n]*$"
    ):
        camvid.CamvidFolder(small_camvid).fingerprint()
    with pytest.raises(InputError, match=f"^{path}: cannot be read: "):
        read_all(small_camvid)


def test_labels_of_two_bits_and_of_sixteen(small_camvid, picture_files):
    values = np.arange(24 * 32).reshape(24, 32)
    folder = small_camvid / "trainannot"
    two, sixteen = values % 4, values % 11
    for name, label, depth in (("train_0", two, 2), ("train_1", sixteen, 16)):
        data = picture_files.png_file(label, depth, picture_files.GRAY)
        (folder / f"{name}.png").write_bytes(data)
    samples = read_all(small_camvid)
    np.testing.assert_array_equal(samples[0].label, two)
    np.testing.assert_array_equal(samples[1].label, sixteen)
    data = picture_files.png_file(values, 16, picture_files.GRAY)
    (folder / "train_0.png").write_bytes(data)
    with pytest.raises(
        InputError, match="train_0.png: label values .* Received: 256, 257"
    ):
        read_all(small_camvid)
