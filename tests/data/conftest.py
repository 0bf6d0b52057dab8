"""Small data folders for the tests of the data room."""

import pathlib

import numpy as np
import pytest
from PIL import Image

CAMVID = pathlib.Path(__file__).parents[3] / "shared" / "camvid"


@pytest.fixture
def real_camvid() -> pathlib.Path:
    if not CAMVID.is_dir():
        pytest.skip("CamVid's pictures are not at ../shared/camvid")
    return CAMVID


@pytest.fixture
def small_camvid(tmp_path) -> pathlib.Path:
    """A folder in SegNet's layout: 5 images to train on, 2 for validation."""
    folder = tmp_path / "camvid"
    rng = np.random.default_rng(0)
    for split, count in (("train", 5), ("val", 2)):
        (folder / split).mkdir(parents=True)
        (folder / f"{split}annot").mkdir()
        for i in range(count):
            suffix = "jpg" if i % 2 else "png"
            image = rng.integers(0, 256, (24, 32, 3), np.uint8)
            Image.fromarray(image).save(folder / split / f"{split}_{i}.{suffix}")
            label = rng.integers(0, 12, (24, 32), np.uint8)
            label_file = folder / f"{split}annot" / f"{split}_{i}.png"
            Image.fromarray(label).save(label_file)
    return folder


@pytest.fixture(scope="session")
def official_camvid(tmp_path_factory) -> pathlib.Path:
    """A folder in the official layout with the whole validation split, tiny."""
    from lgcnet_tf.data.camvid import folder as reader

    root = tmp_path_factory.mktemp("official")
    images, labels = root / "701_StillsRaw_full", root / "LabeledApproved_full"
    images.mkdir()
    labels.mkdir()
    colors = [color for group in reader.GROUPS.values() for color in group]
    pixels = np.array([*colors, (0, 0, 0)], np.uint8).reshape(4, 8, 3)
    for name in reader.split_names("val"):
        Image.new("RGB", (8, 4), (10, 20, 30)).save(images / f"{name}.png")
        Image.fromarray(pixels).save(labels / f"{name}_L.png")
    return root
