"""Data folders of users, from real files: layouts, masks, bad inputs."""

import json
import pathlib
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import dataset_info, load_samples, split_inputs, training_dataset
from lgcnet_tf.data.folder import FolderDataset, dataset
from lgcnet_tf.data.samples import Samples
from lgcnet_tf.errors import InputError, NoSuchSplit

from .folders import CLASSES, COLORS, pixels, save, write_folder, write_json_classes

LAYOUTS = ("images", "splits", "annot", "lists")


def load(root, split="train", **more) -> Samples:
    return load_samples("folder", split, root, **more)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_pixels(tmp_path, layout):
    root = write_folder(tmp_path / "warehouse", layout)
    assert dataset_info("folder", root).class_names == CLASSES
    assert dataset_info("folder", root).name == "warehouse"
    for split, count, first in (("train", 4, 0), ("val", 2, 4)):
        samples = load(root, split)
        assert len(samples) == count
        for sample in samples:
            image, mask = pixels(first + int(sample.name[-3:]))
            np.testing.assert_array_equal(sample.image, image)
            np.testing.assert_array_equal(sample.label, mask)
    with pytest.raises(NoSuchSplit, match="no split 'test'. Available: train, val"):
        load(root, "test")


def test_names_are_paths_and_differ_between_splits(tmp_path):
    root = write_folder(tmp_path)
    assert load(root).names == (
        "train/a_000",
        "train/a_002",
        "train/b_001",
        "train/b_003",
    )
    assert len(load(root, "train,val")) == 6
    lists = write_folder(tmp_path / "lists", "lists")
    assert load(lists, "val").names == ("frames/val a_000", "frames/val b_001")


def test_folders_without_splits_and_in_folders_of_videos(tmp_path):
    write_json_classes(tmp_path)
    for index, video in enumerate("aabbb"):
        image, mask = pixels(index)
        save(tmp_path / "images" / video / f"{index}.png", image)
        save(tmp_path / "labels" / video / f"{index}_mask.png", mask)
    samples = load(tmp_path)
    assert samples.names == ("a/0", "a/1", "b/2", "b/3", "b/4")
    np.testing.assert_array_equal(samples[3].label, pixels(3)[1])
    val = load(tmp_path, "val", val_share=0.4, group_by="^([^/]+)/")
    assert val.names in (("a/0", "a/1"), ("b/2", "b/3", "b/4")) and val.split == "val"


@pytest.mark.parametrize("name", ["valid", "validation", "dev"])
def test_other_names_of_the_split_val(tmp_path, name):
    root = write_folder(tmp_path, "annot")
    (root / "val").rename(root / name)
    (root / "valannot").rename(root / f"{name}annot")
    assert load(root, "val").names == (f"{name}/a_000", f"{name}/b_001")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_left_behind_files_are_passed_over(tmp_path, layout):
    root = write_folder(tmp_path, layout)
    before = {split: load(root, split).names for split in ("train", "val")}
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for name in (
            ".DS_Store",
            "Thumbs.db",
            "._a_000.png",
            "desktop.ini",
            "notes.md",
        ):
            (folder / name).write_bytes(b"\0\1")
        (folder / "__MACOSX").mkdir()
        (folder / "__MACOSX" / "x.png").write_bytes(b"")
    assert {split: load(root, split).names for split in ("train", "val")} == before


def one_mask(tmp_path, mask, suffix="png", mode=None, classes=None):
    """A folder of one picture with this mask; its label as read."""
    root = tmp_path / "one"
    shutil.rmtree(root, ignore_errors=True)
    height, width = np.asarray(mask).shape[:2]
    save(root / "images" / "train" / "x.jpg", np.zeros((height, width, 3), np.uint8))
    save(root / "masks" / "train" / f"x.{suffix}", mask, mode)
    write_json_classes(root, **(classes or {}))
    return load(root)[0].label


def test_masks_as_index_palette_and_colours(tmp_path):
    mask = pixels(5)[1]
    painted = np.zeros((*mask.shape, 3), np.uint8)
    for index, color in enumerate(COLORS):
        painted[mask == index] = color
    alpha = np.dstack([painted, np.full(mask.shape, 7, np.uint8)])
    deep = mask.astype(np.uint16)
    for written, mode in ((mask, None), (mask, "P"), (painted, None), (alpha, None),
                          (deep, None)):  # fmt: skip
        np.testing.assert_array_equal(one_mask(tmp_path, written, mode=mode), mask)


def test_a_palette_in_another_order_is_read_by_its_colours(tmp_path):
    mask = pixels(5)[1]
    painted = np.zeros((*mask.shape, 3), np.uint8)
    for index, color in enumerate(COLORS):
        painted[mask == index] = color
    one_mask(tmp_path, mask)
    path = tmp_path / "one" / "masks" / "train" / "x.png"
    Image.fromarray(painted).quantize(4).save(path)
    with Image.open(path) as stored:  # the quantizer has its own order
        assert (np.asarray(stored) != np.where(mask == 255, 3, mask)).any()
    np.testing.assert_array_equal(load(tmp_path / "one")[0].label, mask)
    half = np.array(Image.open(path))
    palette = np.array([COLORS[1], COLORS[0], (1, 2, 3)], np.uint8)
    picture = Image.fromarray(np.where(half > 1, 2, half).astype(np.uint8))
    picture.putpalette(palette.tobytes())
    picture.save(path)
    with pytest.raises(InputError, match="read by its values or by its colours"):
        load(tmp_path / "one")[0]


def voc_palette():
    """The first colours of VOC's palette, in which the value 0 is black."""
    return np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)], np.uint8)


def test_background_alone_in_the_palette_of_voc_is_no_void(tmp_path):
    """Beside masks with objects, which are read by their values, as a class too."""
    root = write_folder(tmp_path)
    folder = root / "masks" / "train"
    objects = pixels(0)[1] % 3
    background = np.zeros_like(objects)

    def write(name, mask, palette):
        picture = Image.fromarray(mask)
        picture.putpalette(palette.tobytes())
        picture.save(folder / name)

    write("a_000.png", objects, voc_palette())
    write("b_001.png", background, voc_palette())
    samples = load(root)
    by_name = {sample.name: sample.label for sample in samples}
    np.testing.assert_array_equal(by_name["train/a_000"], objects)
    np.testing.assert_array_equal(by_name["train/b_001"], background)
    # By a palette with the classes' colours black is nothing that was labelled.
    write("b_001.png", background, np.array([(0, 0, 0), *COLORS], np.uint8))
    (void,) = (s.label for s in load(root) if s.name == "train/b_001")
    assert (void == 255).all()
    write("b_001.png", background, np.zeros((1, 3), np.uint8))  # black is all it has
    with pytest.raises(InputError, match="By its values it has floor"):
        load(root).check()
    write_json_classes(root, void_colors=["#000000"])
    (void,) = (s.label for s in load(root) if s.name == "train/b_001")
    assert (void == 255).all()


def test_values_and_void_as_the_class_file_says(tmp_path):
    classes = {
        "classes": ["floor", {"name": "robot", "value": 255}],
        "void_values": [128],
    }
    mask = np.array([[0, 255, 128], [128, 0, 255]], np.uint8)
    expected = np.array([[0, 1, 255], [255, 0, 1]])
    for written in (mask, np.repeat(mask[..., None], 3, -1)):  # also saved as RGB
        found = one_mask(tmp_path, written, classes=classes)
        np.testing.assert_array_equal(found, expected)


def test_black_and_white_masks_by_colour(tmp_path):
    classes = {"classes": [{"name": "floor", "color": [0, 0, 0]},
                           {"name": "robot", "color": "#ffffff"}]}  # fmt: skip
    mask = np.array([[0, 255, 255], [0, 0, 255]], np.uint8)
    for written in (mask, mask > 0, np.repeat(mask[..., None], 3, -1)):
        found = one_mask(tmp_path, written, classes=classes)
        np.testing.assert_array_equal(found, mask > 0)


@pytest.mark.parametrize(
    "text",
    [
        "void 0 0 0\nfloor 60 60 60\nshelf 200,30,30\nrobot #1e1ec8\n",
        "void\t#000000\n\nfloor: 60 60 60\nshelf;200;30;30\nrobot 30 30 200",
    ],
)
def test_classes_txt(tmp_path, text):
    mask = pixels(2)[1]
    one_mask(tmp_path, mask)
    root = tmp_path / "one"
    (root / "classes.json").unlink()
    (root / "classes.txt").write_text(text)
    shifted = np.where(mask == 255, 0, mask + 1).astype(np.uint8)  # lines are values
    save(root / "masks" / "train" / "x.png", shifted)
    np.testing.assert_array_equal(load(root)[0].label, mask)
    info = dataset_info("folder", root)
    assert info.class_names == CLASSES
    np.testing.assert_array_equal(info.palette, COLORS)
    (root / "classes.txt").write_text("traffic light\nclass 2\nrobot\n")
    info = dataset_info("folder", root)
    assert info.class_names == ("traffic light", "class 2", "robot")
    assert len({tuple(color) for color in info.palette.tolist()}) == 3


@pytest.mark.parametrize(
    "text, said",
    [
        ("0 floor\n1 shelf\n", "every line begins with a number, as '0 floor'"),
        ("0: floor\n1: shelf\n", "every line begins with a number"),
        ("floor 60 60\nshelf\n", "'floor 60 60' ends with two numbers"),
    ],
)
def test_lines_that_are_not_meant_as_names(tmp_path, text, said):
    root = write_folder(tmp_path)
    (root / "classes.json").unlink()
    (root / "classes.txt").write_text(text)
    with pytest.raises(InputError, match=said):
        load(root)


def test_comments_are_no_classes_and_a_mark_of_bytes_is_passed_over(tmp_path):
    root = write_folder(tmp_path)
    content = (root / "classes.json").read_text()
    (root / "classes.json").write_text(content, "utf-8-sig")
    assert load(root).info.class_names == CLASSES
    (root / "classes.json").unlink()
    (root / "classes.txt").write_text("# names\nfloor\n\nshelf\n#end\nrobot 1 2 3\n")
    assert load(root).info.class_names == CLASSES
    np.testing.assert_array_equal(load(root)[0].label, pixels(0)[1])


def test_names_in_either_form_of_unicode(tmp_path):
    """As a Mac writes the one file and another system the other."""
    root = write_folder(tmp_path)
    for kind, form in (("images", "NFD"), ("masks", "NFC")):
        name = unicodedata.normalize(form, "Übung.png")
        (root / kind / "train" / "a_000.png").rename(root / kind / "train" / name)
    assert "train/\u00dcbung" in load(root).names


@pytest.mark.parametrize("layout", ["images", "splits", "annot"])
def test_a_test_split_without_masks_is_left_out(tmp_path, layout, caplog):
    root = write_folder(tmp_path, layout, (("train", 2), ("val", 2), ("test", 2)))
    masks = {"images": "masks/test", "splits": "test/masks", "annot": "testannot"}
    shutil.rmtree(root / masks[layout])
    assert FolderDataset(root).splits.keys() == {"train", "val"}
    assert "images without masks: the split test is left out" in caplog.text
    with pytest.raises(NoSuchSplit, match="no split 'test'"):
        load(root, "test")


@pytest.mark.parametrize(
    "layout, before, after",
    [
        ("images", "images", "Images"),
        ("images", "images/train", "images/Train"),
        ("splits", "train/masks", "train/Masks"),
        ("annot", "trainannot", "train_labels"),
    ],
)
def test_other_ways_to_write_a_layout(tmp_path, layout, before, after):
    root = write_folder(tmp_path, layout)
    (root / before).rename(root / after)
    samples = load(root)
    assert len(samples) == 4 and len(load(root, "val")) == 2
    np.testing.assert_array_equal(
        samples[0].label, pixels(int(samples[0].name[-3:]))[1]
    )


def test_lists_name_what_stands_twice(tmp_path):
    root = write_folder(tmp_path, "lists")
    line = (root / "val.txt").read_text().splitlines()[0]
    with open(root / "train.txt", "a") as file:
        file.write(f"{line}\n")
    with pytest.raises(
        InputError, match="val.txt: .* also stands in the list of train"
    ):
        load(root)


def test_sizes_differ_and_train_together(tmp_path):
    pytest.importorskip("tensorflow")
    write_json_classes(tmp_path)
    sizes = ((24, 32), (48, 20), (17, 90))
    for index, size in enumerate(sizes):
        image, mask = pixels(index, size)
        save(tmp_path / "train" / f"{index}.png", image)
        save(tmp_path / "trainannot" / f"{index}.png", mask)
    assert [s.label.shape for s in load(tmp_path)] == list(sizes)
    batches = list(training_dataset(load(tmp_path), 3, (16, 16), seed=0))
    assert batches[0][0].shape == (3, 16, 16, 3)
    assert set(np.unique(batches[0][1])) <= {0, 1, 2, 255}


@pytest.mark.parametrize("turn", [3, 6, 8])
def test_image_and_mask_are_turned_alike(tmp_path, picture_files, turn):
    image, mask = pixels(1)
    write_json_classes(tmp_path)
    back = {6: 8, 8: 6}.get(turn, turn)
    for folder, array in (("train", image), ("trainannot", mask)):
        stored = np.ascontiguousarray(picture_files.TURNS[back](array))
        save(tmp_path / folder / "x.png", stored)
        path = tmp_path / folder / "x.png"
        data = picture_files.with_exif(path.read_bytes(), picture_files.exif(turn))
        path.write_bytes(data)
    (sample,) = load(tmp_path)
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_array_equal(sample.label, mask)
    # A mask that a tool wrote upright, without EXIF, fits too.
    save(tmp_path / "trainannot" / "x.png", mask)
    np.testing.assert_array_equal(load(tmp_path)[0].label, mask)


def test_gray_and_16_bit_images(tmp_path):
    root = write_folder(tmp_path, "annot", (("train", 2),))
    deep = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) * 80
    save(root / "train" / "a_000.png", deep)
    save(root / "train" / "b_001.png", (deep >> 8).astype(np.uint8))
    first, second = load(root)
    expected = np.round(deep / 257.0).astype(np.uint8)  # 65535 becomes 255
    np.testing.assert_array_equal(first.image, np.repeat(expected[..., None], 3, -1))
    np.testing.assert_array_equal(second.image[..., 1], deep >> 8)


def folder_errors():
    """What makes a folder bad, and what the one line says."""

    def extra(path):
        return lambda root: save(root / path, np.zeros((24, 32), np.uint8))

    def gone(path):
        return lambda root: (root / path).unlink()

    def text(path, content):
        return lambda root: (root / path).write_text(content)

    def emptied(root):
        for path in [*(root / "images/val").iterdir(), *(root / "masks/val").iterdir()]:
            path.unlink()

    return {
        "mask alone": (extra("masks/val/z.png"), "z.png: mask without image"),
        "image alone": (gone("masks/val/a_000.png"), "a_000.png: image without mask"),
        "no classes": (gone("classes.json"), "neither classes.json nor classes.txt"),
        "empty split": (emptied, "images/val: the split is empty"),
        "two images": (extra("images/val/a_000.jpg"), "there is also a_000"),
        "tiff": (extra("images/val/z.tiff"), "z.tiff: a .tiff file; PNG and JPEG"),
        "jpeg mask": (extra("masks/val/z.jpg"), "z.jpg: a .jpg file; PNG masks"),
        "beside": (extra("images/z.png"), "beside the folders of the splits"),
        "no masks": (lambda root: shutil.rmtree(root / "masks"), "no masks/"),
        "no images": (lambda root: shutil.rmtree(root / "images"), "no images/"),
        "nothing": (
            lambda root: [shutil.rmtree(root / f) for f in ("images", "masks")],
            "no images found. Expected images/train/",
        ),
        "bad json": (text("classes.json", "{"), "classes.json: not a JSON file"),
        "unknown entry": (
            text("classes.json", '{"classes": ["a"], "colours": []}'),
            "unknown entry 'colours'",
        ),
        "same name": (text("classes.json", '["a", "a"]'), "two classes have the name"),
        "bad colour": (
            text("classes.json", '[{"name": "a", "color": [1, 2]}]'),
            "a colour is",
        ),
        "no class": (text("classes.json", "[]"), "needs 1 to 254 classes"),
        "bad list": (text("train.txt", "a.png b.png c.png"), "train.txt: line 1 must"),
        "absent in list": (text("val.txt", "a.png\tb.png"), "line 1: no such image"),
        "empty list": (text("val.txt", "\n# none\n"), "the split is empty"),
        "other layout": (
            lambda root: (root / "images/val").rename(root / "unused")
            and [shutil.rmtree(root / "masks/val"), (root / "val/images").mkdir(parents=True)],
            "val/images: images in another layout than",
        ),
        "folder above": (
            lambda root: [(root / "in").mkdir(), (root / "classes.json").rename(root / "in/classes.json")],
            "There is one in .*/in: name that folder",
        ),
        "colour by another name": (
            text("classes.json", '[{"name": "a", "colour": [1, 2, 3]}]'),
            "unknown entry 'colour'. Did you mean 'color'",
        ),
        "all alone": (lambda root: [p.unlink() for p in (root / "masks/val").iterdir()],
                      "image without mask; .*and 1 more are alone"),
    }  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_link_to_nothing_is_of_its_split_alone(tmp_path, layout):
    root = write_folder(tmp_path, layout)
    path = pathlib.Path(FolderDataset(root).splits["train"][0].image)
    path.unlink()
    path.symlink_to("nowhere.png")
    assert load(root, "val").names
    with pytest.raises(InputError, match=f"{path.name}: cannot be read: No such file"):
        load(root, "train").check()


@pytest.mark.parametrize("case", list(folder_errors()))
def test_a_bad_folder_is_one_line(tmp_path, case):
    spoil, message = folder_errors()[case]
    root = write_folder(tmp_path / "data")
    spoil(root)
    with pytest.raises(InputError, match=message) as error:
        load(root, "val")
    assert "\n" not in str(error.value) and str(root) in str(error.value)


def test_no_folder():
    with pytest.raises(InputError, match="--data_dir is missing"):
        load(None)
    with pytest.raises(InputError, match="no/where: no such data folder"):
        load("no/where")


def test_values_and_colours_of_no_class_are_named(tmp_path):
    mask = np.zeros((6, 8), np.uint8)
    mask[2, 3:6] = 7, 9, 12
    with pytest.raises(
        InputError,
        match=r"x.png: values 7, 9, 12 of no class, 7 at x=3, y=2; found values 0, 7, 9 "
        r"and 1 more. classes.json has 0 floor, 1 shelf, 2 robot, 255 void.$",
    ):
        one_mask(tmp_path, mask)
    painted = np.full((6, 8, 3), COLORS[0], np.uint8)
    painted[4, 1:3] = (1, 2, 3)
    with pytest.raises(
        InputError, match=r"colour \(1, 2, 3\) of no class on 2 of 48 pixels.*x=1, y=4"
    ):
        one_mask(tmp_path, painted)
    with pytest.raises(InputError, match="does not give every class a colour"):
        one_mask(tmp_path, painted, classes={"classes": ["floor", "shelf"]})


def test_a_mask_of_another_size_and_damaged_files(tmp_path):
    root = write_folder(tmp_path)
    save(root / "masks" / "train" / "a_000.png", np.zeros((24, 30), np.uint8))
    with pytest.raises(
        InputError, match="the label is 30x24 but its image .* is 32x24"
    ):
        load(root)[0]
    path = root / "images" / "train" / "a_002.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="a_002.png: truncated or damaged"):
        load(root)[1]


def test_val_share_divides_by_groups_and_is_stable(tmp_path):
    root = write_folder(tmp_path, counts=(("train", 20),))
    for seed in range(4):
        parts = [
            set(load(root, split, val_share=0.25, split_seed=seed).names)
            for split in ("train", "val")
        ]
        assert len(parts[1]) == 5 and not parts[0] & parts[1]
    others = [
        set(load(root, "val", val_share=0.25, split_seed=s).names) for s in range(4)
    ]
    assert len(set(map(frozenset, others))) > 1
    again = set(load(root, "val", val_share=0.25, split_seed=3).names)
    assert again == others[3]
    val = load(root, "val", val_share=0.3, group_by=r"/([ab])_")
    assert len({name[6] for name in val.names}) == 1 and len(val) == 10
    with pytest.raises(
        InputError, match="all 20 training samples .* one group 'train'"
    ):
        load(root, "val", val_share=0.3, group_by="^([^/]+)")
    with pytest.raises(InputError, match="above 0 and below 1. Received: 1.5"):
        load(root, "val", val_share=1.5)
    with_val = write_folder(tmp_path / "other")
    with pytest.raises(
        InputError, match="data without a split val; other has train, val"
    ):
        load(with_val, "val", val_share=0.2)


def test_inputs_know_what_changed(tmp_path):
    root = write_folder(tmp_path / "d")

    def files(split="train", **more):
        return split_inputs("folder", split, root, **more)[f"split {split} of {root}"]

    before = files()
    assert set(before) == {"classes.json"} | {
        f"{kind}/train/{n}.png"
        for kind in ("images", "masks")
        for n in ("a_000", "a_002", "b_001", "b_003")
    }
    mask = pixels(0)[1]
    mask[0, 0] = 2
    save(root / "masks" / "train" / "a_000.png", mask)
    changed = {name for name, state in files().items() if state != before[name]}
    assert changed == {"masks/train/a_000.png"}
    found = split_inputs("folder", "train", root)
    assert found["classes of d"] == {"0": "floor", "1": "shelf", "2": "robot",
                                     "void": "255"}  # fmt: skip
    shutil.rmtree(root / "images" / "val")
    shutil.rmtree(root / "masks" / "val")
    one, other = (files(val_share=0.5, split_seed=s) for s in (0, 1))
    assert one["division"] != other["division"]


def test_large_splits_are_known_by_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "MOST_FILES", 3)
    root = write_folder(tmp_path)
    found = FolderDataset(root).inputs("train")
    assert set(found) == {"classes.json", "images/train", "masks/train"}
    assert found["images/train"].startswith("4 files, ")


def test_all_is_read_once_and_again_only_after_a_change(tmp_path, monkeypatch):
    root = write_folder(tmp_path)
    load(root).check()
    monkeypatch.setattr(FolderDataset, "read", lambda *_: 1 / 0)
    load(root).check()  # nothing is read
    monkeypatch.undo()
    save(root / "masks" / "train" / "a_000.png", np.full((24, 32), 9, np.uint8))
    with pytest.raises(InputError, match="a_000.png: value 9 of no class"):
        load(root).check()


def test_memory_is_bounded_though_the_first_image_is_small(tmp_path, monkeypatch):
    from lgcnet_tf.data import samples as module

    reads = []

    def read(index):
        reads.append(index)
        side = 4 if index == 0 else 40
        image = np.zeros((side, side, 3), np.uint8)
        return module.Sample(str(index), image, image[..., 0].copy())

    monkeypatch.setattr(module, "MEMORY_LIMIT_BYTES", 15_000)
    made = Samples(dataset_info("toy_streets"), "train", 10, read)
    for _ in range(2):
        assert len(list(made)) == 10
    assert reads.count(0) == reads.count(1) == reads.count(2) == 1
    assert all(reads.count(index) == 2 for index in range(3, 10))


def test_json_entry_errors_name_the_class(tmp_path):
    for content, message in (
        ([{"name": "a", "value": 300}], "class 'a': value must be 0 to 255"),
        ([{"name": "a", "value": 1}, "b"], "two classes have the value 1"),
        ({"classes": ["a"], "void_values": [0]}, "the value 0 is void and that of 'a'"),
        ({"classes": ["a"], "void_values": [-1]}, "void_values must be a list"),
        ([{"name": "a", "colour": [1, 2, 3]}], "has an unknown entry 'colour'"),
        ([3], "class 0 must be a name or an object"),
        ({"names": ["a"]}, 'must be {"classes": '),
    ):
        root = pathlib.Path(tmp_path)
        (root / "classes.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match=message):
            dataset_info("folder", root)
