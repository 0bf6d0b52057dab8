import numpy as np
import pytest

from lgcnet_tf.latency.table import LatencyEntry, LatencyTable, timed
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.workloads import space_id


def make_table(skeleton, input_size, seed=0):
    """A table of the search space with random times."""
    generator = np.random.default_rng(seed)
    entries = {
        work.key: LatencyEntry(float(generator.uniform(1, 5000)), 1.5, 10)
        for work in timed(skeleton, input_size)
    }
    return LatencyTable(
        entries=entries,
        device="a device",
        runtime="tensorflow_graph",
        runtime_version="2",
        precision="float32",
        threads=2,
        input_size=input_size,
        skeleton=skeleton,
        space_id=space_id(skeleton, input_size),
        date="2001-02-03T04:05:06+00:00",
        noise=0.1,
    )


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
