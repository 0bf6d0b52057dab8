"""TensorFlow's own names of variables, which cost a kernel each."""

import contextlib

import keras
import pytest

from lgcnet_tf.model import network as network_module
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.variables import named_alike

tf = pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def make(small_skeleton):
    skeleton = small_skeleton(num_cells=1, reduction_cells=(), fusion="none")

    def make():
        keras.utils.clear_session()  # or the second network has other names
        keras.utils.set_random_seed(0)
        return Network.supernet(skeleton, (16, 16))

    return make


def tensorflow_names(variables):
    return {variable.value.name for variable in variables}


def test_a_networks_variables_have_one_name_there(make, monkeypatch):
    """And Keras' names, what is trained and the values are what they are without."""
    network = make()
    monkeypatch.setattr(network_module, "named_alike", contextlib.nullcontext)
    plain = make()
    assert len(tensorflow_names(network.variables)) == 1
    assert len(tensorflow_names(plain.variables)) == len(plain.variables)
    for one, other in zip(network.variables, plain.variables, strict=True):
        assert (one.path, one.trainable) == (other.path, other.trainable)
        assert (one.value.numpy() == other.value.numpy()).all()


def test_what_is_made_afterwards_has_its_own_name():
    with tf.name_scope("outside"):
        with named_alike(), tf.name_scope("inside"):
            alike = tf.Variable(1.0, name="one")
            another = tf.Variable(2.0, name="other")
        own = tf.Variable(3.0, name="own")
    assert alike.name == another.name
    assert own.name == "outside/own:0"


def test_optimisers_name_theirs_alike(make):
    network = make()
    optimizer = keras.optimizers.SGD(momentum=0.9)
    with named_alike():
        optimizer.build(network.trainable_variables)
    slots = [v for v in optimizer.variables if "momentum" in v.path]
    assert len(slots) == len(network.trainable_variables)
    assert len({slot.path for slot in slots}) == len(slots)
    assert len(tensorflow_names(slots)) == 1
