"""Networks saved with half-precision kernels, against NumPy's rounding."""

import numpy as np
import pytest

from lgcnet_tf.model.half_weights import save_half
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.space import uniform


@pytest.fixture
def network(small_skeleton, randomise):
    skeleton = small_skeleton(
        initial_channels=8,
        num_cells=2,
        reduction_cells=(1,),
        fusion="none",
        fusion_taps=(),
    )
    return randomise(Network(skeleton, (32, 48), uniform(skeleton, "conv_3x3")))


def test_kernels_are_rounded_and_the_rest_is_exact(network, tmp_path):
    kernel = next(v for v in network.variables if len(v.shape) > 1)
    large = np.array(kernel)
    large[..., 0] = 1e5  # which float16 has not
    kernel.assign(large)
    before = network.get_weights()
    network.save(tmp_path / "full.keras")
    save_half(network, tmp_path / "half.keras")
    loaded = load_network(tmp_path / "half.keras")
    assert loaded.genotype == network.genotype and loaded.input_size == (32, 48)
    rounded = 0
    for variable, value in zip(loaded.variables, before, strict=True):
        assert variable.dtype == "float32" or value.dtype != np.float32
        half = value.ndim > 1 and np.abs(value).max() < 65504
        rounded += half
        expected = value.astype("float16").astype("float32") if half else value
        np.testing.assert_array_equal(variable, expected)
    assert rounded > 5
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    sizes = [(tmp_path / f"{n}.keras").stat().st_size for n in ("half", "full")]
    assert sizes[0] < 0.5 * sizes[1]
