"""A tiny search space with a table of random times for it."""

import numpy as np
import pytest

SIZE = (32, 64)
SPACE = {
    "initial_channels": 2,
    "num_cells": 2,
    "reduction_cells": (1,),
    "fusion": "none",
    "fusion_taps": (0, 1),
    "input_size": SIZE,
    "crop_size": SIZE,
    "ggm_width": 6,
    "batch_size": 4,
}
WITH_FUSION = {
    "num_cells": 3,
    "reduction_cells": (1, 2),
    "fusion": "dense",
    "fusion_taps": (0, 1, 2),
    "fusion_channels": 4,
}


@pytest.fixture(scope="session")
def make_options():
    """Options of a search in the tiny space, by what differs."""
    from lgcnet_tf.architecture_search.options import SearchOptions

    def make(with_fusion=False, **changes):
        return SearchOptions(**SPACE | (WITH_FUSION if with_fusion else {}) | changes)

    return make


@pytest.fixture(scope="session")
def make_batch():
    """Images and labels of 5 classes; void is unevenly spread over the images."""

    def make(count, seed=0):
        generator = np.random.default_rng(seed)
        coarse = generator.integers(0, 256, (count, 4, 8, 3))
        images = coarse.repeat(8, axis=1).repeat(8, axis=2).astype("uint8")
        labels = generator.integers(0, 5, (count, 4, 8))
        labels = labels.repeat(8, axis=1).repeat(8, axis=2).astype("int32")
        for index in range(count):
            labels[index, : 31 * index // count] = 255
        return images, labels

    return make
