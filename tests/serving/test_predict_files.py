"""Files in, colour mask and overlay out, through a real server."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.predict_files import overlay, predict_files


@pytest.fixture
def street(tmp_path, images):
    path = tmp_path / "street.one.png"
    Image.fromarray(images[0]).save(path)
    return path


def test_mask_and_overlay_lie_next_to_the_input(
    client, info, street, images, live_mask
):
    summary = predict_files(client, info, [street])
    names = {path.name for path in street.parent.iterdir()}
    assert names == {street.name, "street.one_mask.png", "street.one_overlay.png"}
    (one,) = summary["files"]
    expected = live_mask(images[:1])[0]
    np.testing.assert_array_equal(
        np.asarray(Image.open(one["mask"])), info.palette[expected]
    )
    blend = 0.4 * images[0] + 0.6 * info.palette[expected]
    np.testing.assert_allclose(np.asarray(Image.open(one["overlay"])), blend, atol=1)
    assert one["size"] == [24, 40]
    assert one["latency_ms"] == summary["latency_ms"]["median"] > 0
    shares = one["class_percentages"]
    assert shares["road"] == pytest.approx(100 * np.mean(expected == 0))
    assert sum(shares.values()) == pytest.approx(100)
    assert summary["class_percentages"] == pytest.approx(shares)


def test_outputs_have_the_pictures_own_size(client, info, tmp_path, images):
    picture = Image.fromarray(images[0]).resize((80, 48), Image.BILINEAR)
    picture.save(tmp_path / "large.jpg")
    output = tmp_path / "out"
    summary = predict_files(client, info, [tmp_path / "large.jpg"], output)
    mask = np.asarray(Image.open(output / "large_mask.png"))
    assert mask.shape == (48, 80, 3)
    assert {tuple(color) for color in mask.reshape(-1, 3)} <= {
        tuple(color) for color in info.palette
    }
    np.testing.assert_array_equal(mask[::2, ::2], mask[1::2, 1::2])
    assert summary["files"][0]["size"] == [48, 80]
    assert not (tmp_path / "large_mask.png").exists()


def test_bad_files_are_named_and_nothing_is_written(
    client, info, street, tmp_path
):
    broken = tmp_path / "broken.png"
    broken.write_bytes(street.read_bytes()[:200])
    output = tmp_path / "out"
    with pytest.raises(InputError, match="broken.png"):
        predict_files(client, info, [broken], output)
    with pytest.raises(InputError, match="absent.png: no such image file"):
        predict_files(client, info, [street, tmp_path / "absent.png"], output)
    with pytest.raises(InputError, match="No image"):
        predict_files(client, info, [], output)
    twin = tmp_path / "other" / street.name
    twin.parent.mkdir()
    twin.write_bytes(street.read_bytes())
    with pytest.raises(InputError, match="would both write"):
        predict_files(client, info, [street, twin], output)
    assert not output.exists()


def test_a_model_of_other_classes_is_refused(client, info, street):
    fewer = type(info)("two", info.class_names[:2], info.palette[:2])
    with pytest.raises(InputError, match="two has only 2 classes"):
        predict_files(client, fewer, [street])
    assert len(list(street.parent.iterdir())) == 1


def test_overlay_ends():
    image = np.full((2, 3, 3), 200, np.uint8)
    colors = np.full((2, 3, 3), 50, np.uint8)
    np.testing.assert_array_equal(overlay(image, colors, 0.0), image)
    np.testing.assert_array_equal(overlay(image, colors, 1.0), colors)
