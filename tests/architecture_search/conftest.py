"""Batches for search models in the tiny space."""

import numpy as np
import pytest


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
