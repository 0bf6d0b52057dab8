"""Nothing is written over that `lgcnet-predict` did not write itself."""

import os

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving import outputs
from lgcnet_tf.serving.outputs import is_ours, plan_outputs, save_picture

PICTURE = np.zeros((2, 3, 3), np.uint8)


@pytest.fixture
def street(tmp_path):
    path = tmp_path / "street.jpg"
    Image.fromarray(PICTURE).save(path)
    return path


def test_our_own_pictures_are_replaced(street, tmp_path):
    (plan,) = plan_outputs([street])
    assert plan == {
        "mask": tmp_path / "street_mask.png",
        "overlay": tmp_path / "street_overlay.png",
    }
    save_picture(plan["mask"], PICTURE)
    assert is_ours(plan["mask"]) and not is_ours(street)
    assert plan_outputs([street]) == [plan]
    save_picture(plan["mask"], PICTURE + 1)
    np.testing.assert_array_equal(np.asarray(Image.open(plan["mask"])), PICTURE + 1)


@pytest.mark.parametrize("kind", outputs.KINDS)
@pytest.mark.parametrize("content", ["picture", "text", "folder", "dangling", "link"])
def test_a_file_of_someone_else_stays(street, tmp_path, kind, content):
    target = tmp_path / f"street_{kind}.png"
    if content == "picture":
        Image.fromarray(PICTURE).save(target)
    elif content == "text":
        target.write_text("notes")
    elif content == "folder":
        target.mkdir()
    else:
        other = tmp_path / "elsewhere.png"
        target.symlink_to(other)
        if content == "link":
            save_picture(other, PICTURE)
    with pytest.raises(InputError, match=f"street_{kind}.png: exists already"):
        plan_outputs([street])
    with pytest.raises(InputError, match=f"street_{kind}.png: exists already"):
        save_picture(target, PICTURE)  # it may come after the plan
    assert content in ("folder", "dangling") or target.read_bytes()


def test_an_input_is_never_written_over(street, tmp_path):
    mask = tmp_path / "street_mask.png"
    save_picture(mask, PICTURE)  # even one of ours
    for images in ([street, mask], [mask, street]):
        with pytest.raises(InputError, match="street_mask.png is one of the images"):
            plan_outputs(images)
    link = tmp_path / "other.png"
    os.link(mask, link)
    with pytest.raises(InputError, match="is one of the images"):
        plan_outputs([street, link])


def test_two_images_never_write_one_file(street, tmp_path):
    png = tmp_path / "street.png"
    png.write_bytes(street.read_bytes())
    with pytest.raises(
        InputError, match="street.jpg and .*street.png would both write"
    ):
        plan_outputs([street, png])
    twin = tmp_path / "folder" / "street.jpg"
    twin.parent.mkdir()
    twin.write_bytes(street.read_bytes())
    assert len(plan_outputs([street, twin])) == 2
    with pytest.raises(InputError, match="would both write"):
        plan_outputs([street, twin], tmp_path / "out")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="would both write"):
        plan_outputs([street, tmp_path / "link" / "street.png"])


def test_a_folder_that_takes_no_files_is_one_line(street, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="street.jpg is no folder"):
        plan_outputs([street], street / "out")
    with pytest.raises(InputError, match="street.jpg/a_mask.png: cannot be written"):
        save_picture(street / "a_mask.png", PICTURE)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(InputError, match="out: cannot be written to"):
        plan_outputs([street], tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"street.jpg"}
