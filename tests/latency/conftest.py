import pytest

from lgcnet_tf.space.skeleton import Skeleton


@pytest.fixture
def tiny():
    """A skeleton of few cells and F = 2."""
    return Skeleton(
        num_classes=3,
        initial_channels=2,
        num_cells=3,
        reduction_cells=(1, 2),
        fusion_taps=(0, 1, 2),
        fusion_channels=4,
    )
