"""Files in, colour mask and overlay out, through a real server."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.backend import served_info
from lgcnet_tf.serving.client import Client
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


def test_a_bad_file_is_named_and_the_others_are_done(client, info, street, tmp_path):
    broken, absent = tmp_path / "broken.png", tmp_path / "absent.png"
    broken.write_bytes(street.read_bytes()[:200])
    output, said = tmp_path / "out", []
    summary = predict_files(
        client, info, [broken, street, absent], output, failed=said.append
    )
    assert {one.name for one in output.iterdir()} == {
        "street.one_mask.png", "street.one_overlay.png"
    }  # fmt: skip
    assert [one["file"] for one in summary["failed"]] == [str(broken), str(absent)]
    assert said == [one["error"] for one in summary["failed"]]
    assert "broken.png: truncated" in said[0]
    assert said[1] == f"{absent}: cannot be read: No such file or directory."
    assert len(summary["files"]) == 1 and summary["latency_ms"]["min"] > 0
    nothing = predict_files(client, info, [absent], output)
    assert nothing["files"] == [] and nothing["latency_ms"] is None
    with pytest.raises(InputError, match="No image"):
        predict_files(client, info, [], output)


def test_a_server_that_is_gone_ends_it(info, street):
    with Client("127.0.0.1:1", "lgcnet", timeout_s=5) as nobody:
        with pytest.raises(InputError, match="UNAVAILABLE"):
            predict_files(nobody, info, [street])
    assert len(list(street.parent.iterdir())) == 1


def test_classes_come_from_the_served_model(client, info, network, tmp_path):
    found = served_info(client)
    assert (found.name, found.class_names) == ("five", info.class_names)
    np.testing.assert_array_equal(found.palette, info.palette)
    assert served_info(client, info).class_names == info.class_names
    with pytest.raises(InputError, match="5 classes of five, not those of camvid"):
        served_info(client, dataset_info("camvid"))


class OldClient:
    """Stands for a server of an export that has no `classes` and no `size`."""

    target, model_name = "host:1", "old"

    def classes(self):
        return None

    def gives_own_sizes(self):
        return False

    def predict_encoded(self, encoded):
        return [np.arange(4, dtype=np.uint8).reshape(2, 2) for _ in encoded]


def test_an_older_export_needs_the_data_sets_name(info, tmp_path):
    with pytest.raises(
        InputError, match="host:1: old was exported by an older.*--data"
    ):
        served_info(OldClient())
    assert served_info(OldClient(), info) is info
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")
    (one,) = predict_files(OldClient(), info, [tmp_path / "a.png"])["files"]
    expected = np.kron([[0, 1], [2, 3]], np.ones((2, 3), int))
    np.testing.assert_array_equal(
        np.asarray(Image.open(one["mask"])), info.palette[expected]
    )


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
