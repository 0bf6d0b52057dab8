"""Names of files without a flag, and what is said before a server is asked."""

import json
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import lgcnet_tf
from lgcnet_tf.commands import predict as command
from lgcnet_tf.commands.predict import PredictOptions, _sources, predict
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError


def test_names_without_a_flag_are_images():
    done = subprocess.run(
        [sys.executable, "-m", "lgcnet_tf", "predict",
         "a, b.png", "--images=c.jpg,d.jpg", "--wait_s=1", "--", "-e.png"],
        cwd=pathlib.Path(lgcnet_tf.__file__).parents[1],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    said = "lgcnet predict: c.jpg, d.jpg, a, b.png, -e.png: no such image file; "
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1


def test_nothing_to_segment_is_said():
    assert any("--images is missing" in line for line in PredictOptions().problems())
    assert not list(PredictOptions(camera=0).problems())


def test_videos_are_told_from_images(tmp_path):
    for name in ("a.png", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    images, videos = _sources(
        PredictOptions(images=(f"{tmp_path}/b.mp4", f"{tmp_path}/a.png"), camera=3)
    )
    assert images == [f"{tmp_path}/a.png"] and videos == [f"{tmp_path}/b.mp4", 3]
    with pytest.raises(InputError, match="c.mp4: no such video file"):
        _sources(PredictOptions(images=(f"{tmp_path}/c.mp4",)))


class Sky:
    """A backend that sees nothing but one class."""

    target = model_name = "sky"

    def __init__(self, slow_s=0.0):
        self.slow_s = slow_s

    def predict_encoded(self, encoded):
        time.sleep(self.slow_s)
        self.slow_s = 0.0
        return [np.full((2, 4), 2, np.uint8) for _ in encoded]

    def gives_own_sizes(self):
        return True

    def classes(self):
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Calls the command with `--output_dir=out` and a model that sees one class."""
    monkeypatch.setattr(command, "_backend", lambda options: Sky())
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "elsewhere/a.png", "elsewhere/a.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 2)).save(path)

    def ask(*images, **options):
        given = {"dataset": "toy_streets", "output_dir": "out"} | options
        return predict(PredictOptions(images=images, **given))

    return ask


def test_further_calls_add_to_the_folder(asked, tmp_path):
    asked("a.png")
    assert [one["file"] for one in asked("b.png", "a.png")["files"]] == [
        "b.png",
        "a.png",
    ]
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match="1 of 2 images not segmented: a.png"):
        asked("a.png", "b.png")
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert [one["file"] for one in results["files"]] == ["a.png", "b.png"]
    assert results["failed"][0]["file"] == "a.png"
    assert (
        results["class_percentages"][dataset_info("toy_streets").class_names[2]] == 100
    )
    assert "--images=a.png,b.png" in (tmp_path / "out/flags.txt").read_text()


def test_no_picture_has_the_time_of_what_is_done_once(asked, monkeypatch):
    monkeypatch.setattr(command, "_backend", lambda options: Sky(slow_s=1.0))
    times = asked("a.png", "b.png", output_dir="")["latency_ms"]
    assert times["max"] < 1000.0


def test_only_the_same_files_pictures_are_replaced(asked, tmp_path):
    asked("a.png", output_dir="")
    asked(str(tmp_path / "a.png"), output_dir="")
    asked("a.png")
    before = (tmp_path / "out/a_mask.png").read_bytes()
    for other in ("elsewhere/a.png", "elsewhere/a.jpg"):
        with pytest.raises(InputError, match=rf"of \.\./a.png and not of \.\./{other}"):
            asked(other)
    assert (tmp_path / "out/a_mask.png").read_bytes() == before


def test_no_other_folder_is_mixed_with_predictions(asked, tmp_path):
    asked("a.png", model="one")
    with pytest.raises(InputError, match="another model .--model=one, now --model=two"):
        asked("b.png", model="two")
    run = tmp_path / "run"
    run.mkdir()
    for name, content in (("log.txt", ""), ("flags.txt", "# lgcnet-search\n")):
        (run / name).write_text(content)
        with pytest.raises(InputError, match=f"something else .{name} is not of"):
            asked("a.png", output_dir=str(run))
    assert {path.name for path in run.iterdir()} == {"log.txt", "flags.txt"}
