import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _on_tensorflow():
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs Keras on TensorFlow")


@pytest.fixture(scope="session")
def deployed(small_skeleton, randomise):
    """A deployed network with every kind of operation somewhere, random weights."""
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.space.genotype import random_genotype

    genotype = random_genotype(small_skeleton(), np.random.default_rng(1))
    return randomise(Network(genotype.skeleton, (33, 65), genotype, "folded"))
