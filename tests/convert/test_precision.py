import keras
import numpy as np

from lgcnet_tf.convert.precision import computing_in


def test_computes_so_and_as_before_afterwards(deployed, images):
    x = images(33, 65)
    exact = np.asarray(deployed(x))
    with computing_in(deployed, "bfloat16"):
        rounded = np.asarray(deployed(x))
        assert {edge.compute_dtype for edge in deployed.fusion.edges.values()} == {
            "bfloat16"
        }
        assert deployed.resize.compute_dtype == "float32"
    assert rounded.dtype == np.float32
    assert 1e-4 < np.abs(rounded - exact).max() < 0.2 * np.abs(exact).max()
    np.testing.assert_array_equal(np.asarray(deployed(x)), exact)
    assert {v.dtype for v in deployed.variables} == {"float32"}


def test_restores_after_an_error():
    layer = keras.layers.Dense(2)
    try:
        with computing_in(layer, "float16"):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert layer.compute_dtype == "float32"
