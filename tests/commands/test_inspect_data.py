"""The look at a data folder: figures, warnings, contact sheets, bad samples."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.commands.inspect_data import InspectOptions, inspect_data
from lgcnet_tf.errors import InputError

from ..data.folders import COLORS, pixels, save, write_folder


@pytest.fixture
def inspect(tmp_path):
    def call(root, output="out", **options):
        given = InspectOptions(
            data_dir=str(root), output_dir=str(tmp_path / output), **options
        )
        return inspect_data(given)

    return call


def test_figures_are_those_of_the_masks(inspect, tmp_path, capsys):
    root = write_folder(tmp_path / "warehouse", counts=(("train", 5), ("val", 2)))
    save(root / "images/train/z.png", pixels(90, (40, 20))[0])
    save(root / "masks/train/z.png", np.full((40, 20), 255, np.uint8))
    found = inspect(root)
    masks = [pixels(seed)[1] for seed in range(5)] + [np.full((40, 20), 255)]
    pixel_counts = np.array([sum((m == c).sum() for m in masks) for c in (0, 1, 2)])
    train = found["splits"]["train"]
    assert train["images"] == 6 and train["sizes"] == {"24x32": 5, "40x20": 1}
    assert list(train["class_shares"]) == ["floor", "shelf", "robot"]
    np.testing.assert_allclose(
        list(train["class_shares"].values()), pixel_counts / pixel_counts.sum()
    )
    total = sum(m.size for m in masks)
    assert train["void_share"] == pytest.approx(1 - pixel_counts.sum() / total)
    assert list(train["class_images"].values()) == [
        sum(int((m == c).any()) for m in masks) for c in (0, 1, 2)
    ]
    out = tmp_path / "out"
    assert json.loads((out / "results.json").read_text()) == found
    page = (out / "report.html").read_text()
    assert "<h2>Split train</h2>" in page and "24x32 (5), 40x20 (1)" in page
    for share in pixel_counts / pixel_counts.sum():
        assert f'<i style="width:{100 * share:.1f}%">' in page
    assert 'alt="Contact sheet train" src="data:image/' in page
    said = capsys.readouterr()
    assert f"done: {out / 'report.html'}" in said.err
    text = said.out
    assert "warehouse: 3 classes" in text and "train: 6 images; HxW 24x32 (5)" in text
    assert f"{100 * pixel_counts[1] / pixel_counts.sum():.2f}" in text
    with Image.open(out / found["contact_sheets"]["train"]) as sheet:
        shown = {color for _, color in sheet.convert("RGB").getcolors(1 << 24)}
    assert set(COLORS) <= shown  # the legend's; the pictures' are blended


def test_wrong_encodings_are_warned_of(inspect, tmp_path):
    root = write_folder(tmp_path / "d")
    for path in (root / "masks" / "val").iterdir():
        save(path, np.full((24, 32), 255, np.uint8))
    for path in (root / "masks" / "train").iterdir():
        save(path, np.zeros((24, 32), np.uint8))
    found = inspect(root)
    text = " ".join(found["warnings"])
    assert "train: no pixel of shelf, robot." in text
    assert "train: all labelled pixels are of one class" in text
    assert "val: no pixel of floor, shelf, robot." in text
    assert "val: 100 % of the pixels are void" in text
    page = (tmp_path / "out" / "report.html").read_text()
    assert "train: no pixel of shelf, robot." in page
    assert found["splits"]["train"]["absent_classes"] == ["shelf", "robot"]


def video(root, name, seed, frames):
    """Frames of a video: one smooth picture that shifts by a pixel, with noise."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (5, 7, 3), np.uint8)
    scene = np.asarray(Image.fromarray(coarse).resize((80, 60), Image.BICUBIC))
    for frame in range(frames):
        noise = generator.integers(-4, 5, (48, 64, 3))
        image = np.clip(scene[6:54, 6 + frame : 70 + frame] + noise, 0, 255)
        save(root / f"images/{name}_{frame}.png", image.astype(np.uint8))
        save(root / f"masks/{name}_{frame}.png", np.zeros((48, 64), np.uint8))


def test_a_misspelt_split_is_warned_of(inspect, tmp_path):
    root = write_folder(tmp_path / "data", counts=(("train", 2), ("vaildation", 2)))
    (warning,) = (w for w in inspect(root)["warnings"] if "vaildation" in w)
    assert warning == "vaildation is a split of its own. Did you mean 'validation'?"


def test_neighbours_of_validation_images_are_counted(inspect, tmp_path):
    root = tmp_path / "d"
    for seed in range(5):
        video(root, f"video{seed}", seed, 5)
    (root / "classes.txt").write_text("all\n")
    by_image = inspect(root, "a", val_share=0.2)
    assert by_image["near_equal"]["val"]["count"] == 5
    for first, second, value in by_image["near_equal"]["val"]["examples"]:
        assert first.split("_")[0] == second.split("_")[0] and value > 0.95
    assert "5 of 5 images are near-equal to one of train" in " ".join(
        by_image["warnings"]
    )
    by_video = inspect(root, "b", val_share=0.2, group_by="^([^_]+)_")
    assert by_video["splits"]["val"]["images"] == 5
    assert by_video["near_equal"]["val"]["count"] == 0


def test_samples_that_cannot_be_read_are_all_named_and_fail(inspect, tmp_path):
    root = write_folder(tmp_path / "d")
    save(root / "masks/train/a_000.png", np.full((24, 32), 9, np.uint8))
    (root / "images/val/b_001.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="2 of 6 samples cannot be read; the first: "):
        inspect(root)
    found = json.loads((tmp_path / "out" / "problems.json").read_text())
    assert found["splits"]["train"]["images"] == 3
    assert found["splits"]["val"]["unreadable"] == 1
    assert "a_000.png: value 9 of no class" in found["problems"][0]
    assert "b_001.png: truncated or not a PNG" in found["problems"][1]


def test_some_splits_and_other_data_sets(inspect, tmp_path):
    found = inspect("", dataset="toy_streets", splits=("val",), pictures=0)
    assert list(found["splits"]) == ["val"] and found["splits"]["val"]["images"] == 32
    assert found["contact_sheets"] == {} and found["near_equal"] == {}
    with pytest.raises(InputError, match="no split 'dev'. Available: train, val, test"):
        inspect("", "b", dataset="toy_streets", splits=("dev",))


def test_options_are_checked():
    with pytest.raises(InputError, match="--pictures must be at least 0"):
        dataclasses.replace(InspectOptions(), pictures=-1).check()
