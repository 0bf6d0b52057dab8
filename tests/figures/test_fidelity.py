import pytest
from PIL import Image

from lgcnet_tf.errors import InputError
from lgcnet_tf.figures.fidelity import predicted_measured


def inks(path):
    return {color for _, color in Image.open(path).convert("RGB").getcolors(1 << 20)}


def test_every_group_is_drawn(tmp_path):
    points = {
        "random networks": [(10.0, 11.0), (20.0, 19.0)],
        "searched": [(15.0, 15.5)],
    }
    path = predicted_measured(points, tmp_path / "both.png", "a title")
    assert {(0x1F, 0x5F, 0xA8), (0xB8, 0x52, 0x0A)} <= inks(path)
    points["searched"] = []
    path = predicted_measured(points, tmp_path / "one.png")
    assert (0x1F, 0x5F, 0xA8) in inks(path)
    assert (0xB8, 0x52, 0x0A) not in inks(path)
    assert path.stat().st_size < 100_000


def test_nothing_to_draw(tmp_path):
    with pytest.raises(InputError, match="no point"):
        predicted_measured({"random networks": []}, tmp_path / "none.png")
    assert not list(tmp_path.iterdir())
