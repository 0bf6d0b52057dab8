"""A run that takes a second: small pictures and a one-layer network."""

import keras
import numpy as np
import pytest

from lgcnet_tf.data import Sample, Samples, dataset_info
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.optimizers import SGD

CLASSES = 8


@pytest.fixture(scope="session")
def small_samples():
    """6 pictures of 24x32."""

    def read(index):
        generator = np.random.default_rng(index)
        image = generator.integers(0, 256, (24, 32, 3), np.uint8)
        label = generator.integers(0, CLASSES, (24, 32), np.uint8)
        label[0] = 255
        return Sample(f"picture_{index}", image, label)

    return Samples(dataset_info("toy_streets"), "train", 6, read)


@pytest.fixture
def make_small_model():
    """One convolution with dropout, so that there is random state too."""

    def make(learning_rate=0.1):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((16, 16, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Dropout(0.2, seed=1),
                keras.layers.Conv2D(CLASSES, 1, name="conv"),
                keras.layers.BatchNormalization(name="norm"),
            ]
        )
        model.compile(
            SGD(learning_rate, momentum=0.9, l2=1e-3), CrossEntropy(), jit_compile=False
        )
        model.optimizer.build(model.trainable_variables)
        return model

    return make
