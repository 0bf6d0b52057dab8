"""Classes and colours."""

import subprocess
import sys

import numpy as np
import pytest

from lgcnet_tf import data
from lgcnet_tf.errors import InputError


@pytest.mark.parametrize(
    "name, count", [("toy_streets", 8), ("camvid", 11), ("cityscapes", 19)]
)
def test_every_class_has_a_colour_of_its_own(name, count):
    info = data.dataset_info(name)
    assert info.num_classes == len(info.class_names) == count
    assert len({tuple(color) for color in info.palette.tolist()}) == count


def test_colorize_paints_classes_and_leaves_void_black():
    info = data.dataset_info("camvid")
    painted = info.colorize(np.array([[0, 10], [11, 255]], np.uint8))
    np.testing.assert_array_equal(painted[0], [(128, 128, 128), (0, 128, 192)])
    assert not painted[1].any()


def test_unknown_dataset_lists_those_there_are():
    with pytest.raises(InputError, match="'kitti'. Available: camvid, cityscapes, "):
        data.dataset_info("kitti")


def test_importing_needs_no_tensorflow():
    code = (
        "import sys, lgcnet_tf.data; "
        "sys.exit(any(m in sys.modules for m in "
        "('tensorflow', 'tensorflow_datasets')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
