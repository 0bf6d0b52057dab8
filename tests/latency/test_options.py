import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.benchmark import BenchmarkOptions
from lgcnet_tf.evaluation.command import EvaluateOptions
from lgcnet_tf.latency.command import MeasureOptions
from lgcnet_tf.latency.options import MOST_IMAGES, RuntimeOptions, read_images
from lgcnet_tf.sweep.command import SweepOptions


def test_commands_share_them():
    for options in (MeasureOptions, BenchmarkOptions, EvaluateOptions, SweepOptions):
        assert issubclass(options, RuntimeOptions)
        assert options().runtime == "tensorflow_graph" and options().threads == 0
    for options in (MeasureOptions, BenchmarkOptions):
        with pytest.raises(InputError, match="--batch_size must be at least 1"):
            options(batch_size=0).check()


@pytest.mark.parametrize(
    "wrong", [{"runtime": "nosuch"}, {"precision": "float8"}, {"threads": -1}]
)
def test_wrong_values(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=f"--{name} must be"):
        RuntimeOptions(**wrong).check()


@pytest.fixture
def pictures(tmp_path):
    for index in range(MOST_IMAGES + 2):
        image = Image.fromarray(np.full((4, 6, 3), index, np.uint8))
        image.save(tmp_path / f"{index:03d}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_pictures_in_order(pictures):
    images = read_images(str(pictures))
    assert [image[0, 0, 0] for image in images] == list(range(MOST_IMAGES))
    assert images[0].shape == (4, 6, 3)


def test_a_picture_that_is_a_link_to_nothing(pictures):
    (pictures / "0000.png").symlink_to("nowhere.png")
    with pytest.raises(InputError, match="0000.png: cannot be read: No such file"):
        read_images(str(pictures))


def test_pictures_are_what_int8_is_fitted_to(pictures):
    pytest.importorskip("onnxruntime")
    options = RuntimeOptions(
        runtime="onnxruntime", precision="int8", calibration_images=str(pictures)
    )
    batches = list(options.make_runtime().batches((4, 8, 12, 3), "uint8"))
    assert [batch.shape for batch in batches] == MOST_IMAGES // 4 * [(4, 8, 12, 3)]
    assert [batch[0, 0, 0, 0] for batch in batches] == list(range(0, MOST_IMAGES, 4))


def test_pictures_for_nothing(pictures):
    with pytest.raises(InputError, match="is for --precision=int8"):
        RuntimeOptions(calibration_images=str(pictures)).make_runtime()


def test_no_pictures(tmp_path):
    with pytest.raises(InputError, match="no PNG or JPEG files"):
        read_images(str(tmp_path))
    with pytest.raises(InputError, match="no such folder"):
        read_images(str(tmp_path / "absent"))
