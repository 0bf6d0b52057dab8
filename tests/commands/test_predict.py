"""Names of files without a flag, and what is said before a server is asked."""

import pathlib
import subprocess
import sys

import pytest

import lgcnet_tf
from lgcnet_tf.commands.predict import PredictOptions, _sources
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
