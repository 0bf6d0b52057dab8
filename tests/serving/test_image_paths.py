"""Files, folders and patterns of images."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.image_paths import image_files
from lgcnet_tf.serving.outputs import save_picture


def test_folders_and_patterns_leave_out_what_was_written_by_the_program(tmp_path):
    for name in ("b.png", "a.JPG", "c.jpeg", "d[1].png"):
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.png").mkdir()
    save_picture(tmp_path / "b_mask.png", np.zeros((2, 2, 3), np.uint8))

    def names(*given):
        found = image_files([f"{tmp_path}/{one}" for one in given])
        return [path.removeprefix(f"{tmp_path}/") for path in found]

    assert names("") == ["a.JPG", "b.png", "c.jpeg", "d[1].png"]
    assert names("b*.png", "b.png", "absent.png") == ["b.png", "absent.png"]
    assert names("d[1].png") == ["d[1].png"]  # a file, not a pattern
    for nothing in ("empty.png", "*.gif"):
        with pytest.raises(InputError, match="no PNG or JPEG file there"):
            names(nothing)
