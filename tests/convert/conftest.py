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
    from lgcnet_tf.space.genotype import Genotype, random_genotype

    skeleton = small_skeleton(
        num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2)
    )
    generator, cells = np.random.default_rng(1), []
    fusion = random_genotype(small_skeleton(), generator).fusion
    for _ in range(skeleton.num_cells):  # in every cell others, in another order
        found = generator.permutation(skeleton.cell_operations[1:])[:5]
        cells.append(tuple(map(str, found)))
    genotype = Genotype(skeleton, tuple(cells), fusion)
    return randomise(Network(skeleton, (33, 65), genotype, "folded"))
