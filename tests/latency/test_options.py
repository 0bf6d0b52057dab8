import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.commands.benchmark import BenchmarkOptions
from lgcnet_tf.commands.evaluate import EvaluateOptions
from lgcnet_tf.commands.measure_latency import MeasureOptions
from lgcnet_tf.commands.sweep import SweepOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.options import RuntimeOptions
from lgcnet_tf.runtimes.representative import MOST_IMAGES, images_of_folder


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
    images = images_of_folder(str(pictures), "minmax")
    assert [image[0, 0, 0] for image in images] == list(range(MOST_IMAGES))
    assert images[0].shape == (4, 6, 3)


def test_a_picture_that_is_a_link_to_nothing(pictures):
    (pictures / "0000.png").symlink_to("nowhere.png")
    with pytest.raises(InputError, match="0000.png: cannot be read: No such file"):
        list(images_of_folder(str(pictures), "minmax"))


def test_pictures_are_what_int8_is_fitted_to(pictures):
    pytest.importorskip("onnxruntime")
    options = RuntimeOptions(
        runtime="onnxruntime", precision="int8", calibration_images=str(pictures)
    )
    batches = list(options.make_runtime().batches((4, 8, 12, 3), "uint8"))
    assert [batch.shape for batch in batches] == MOST_IMAGES // 4 * [(4, 8, 12, 3)]
    assert [batch[0, 0, 0, 0] for batch in batches] == list(range(0, MOST_IMAGES, 4))


def test_pictures_for_nothing(pictures):
    for wrong in (
        {"calibration_images": str(pictures)},
        {"calibration_method": "entropy"},
    ):
        with pytest.raises(InputError, match="is for --precision=int8"):
            RuntimeOptions(**wrong).make_runtime()


def test_evaluation_calibrates_on_the_training_split():
    pytest.importorskip("onnxruntime")
    options = EvaluateOptions(
        dataset="toy_streets", runtime="onnxruntime", precision="int8"
    )
    runtime = options.make_runtime(options.dataset, options.data_dir)
    assert runtime.calibration == "minmax of 32 training images of toy_streets"
    assert RuntimeOptions(runtime="onnxruntime").make_runtime().calibration is None


def test_random_pixels_are_said(caplog):
    pytest.importorskip("onnxruntime")
    options = RuntimeOptions(runtime="onnxruntime", precision="int8")
    with caplog.at_level("WARNING", "lgcnet_tf"):
        assert options.make_runtime().calibration == "minmax of random pixels"
    assert "random pixels" in caplog.text


def test_a_method_that_the_runtime_lacks():
    pytest.importorskip("ai_edge_litert.interpreter")
    options = RuntimeOptions(
        runtime="litert", precision="int8", calibration_method="entropy"
    )
    with pytest.raises(InputError, match="litert: takes .* by minmax, not by entropy"):
        options.make_runtime()


def test_no_pictures(tmp_path):
    with pytest.raises(InputError, match="no PNG or JPEG files"):
        images_of_folder(str(tmp_path), "minmax")
    with pytest.raises(InputError, match="no such folder"):
        images_of_folder(str(tmp_path / "absent"), "minmax")
