"""Auxiliary heads and distillation, against NumPy in float64."""

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.model.auxiliary import auxiliary_heads
from lgcnet_tf.model.network import Network
from lgcnet_tf.space.genotype import random_genotype, uniform
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.supervised import Distillation, SupervisedNetwork

SIZE = (32, 64)


def softmax(x):
    exponents = np.exp(x - x.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_by_its_definition(temperature):
    generator = np.random.default_rng(0)
    teacher, student = generator.normal(scale=3.0, size=(2, 2, 5, 6, 4))
    known = generator.random((2, 5, 6)) < 0.7
    soft = softmax(teacher / temperature)
    own = softmax(student / temperature)
    divergence = (soft * np.log(soft / own)).sum(-1)
    expected = [temperature**2 * d[k].mean() for d, k in zip(divergence, known)]
    loss = Distillation(temperature)
    given = (soft * known[..., None]).astype("float32")
    found = loss.call(given, ops.convert_to_tensor(student, "float32"))
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    assert float(loss(given, student.astype("float32"))) == pytest.approx(
        np.mean(expected), rel=2e-5
    )
    nothing = loss.call(given * 0, ops.convert_to_tensor(student, "float32"))
    np.testing.assert_array_equal(nothing, 0.0)
    same = loss.call(soft.astype("float32"), ops.convert_to_tensor(teacher, "float32"))
    np.testing.assert_allclose(same, 0.0, atol=1e-5)
    other = keras.losses.deserialize(keras.losses.serialize(loss))
    assert other.temperature == temperature


@pytest.fixture(scope="module")
def network(small_skeleton, randomise):
    skeleton = small_skeleton(
        num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2)
    )
    genotype = random_genotype(skeleton, np.random.default_rng(3))
    return randomise(Network(skeleton, SIZE, genotype))


@pytest.fixture
def batch(images):
    labels = np.random.default_rng(1).integers(0, 3, (2, *SIZE)).astype("int32")
    labels[:, :5] = 255
    return images(*SIZE, batch=2), labels


class FixedTeacher:
    """Says the same of every image."""

    temperature = 2.0

    def __init__(self):
        generator = np.random.default_rng(2)
        self.soft = softmax(generator.normal(size=(2, *SIZE, 3)))

    def __call__(self, images):
        return ops.convert_to_tensor(self.soft, "float32")


def test_heads_stand_at_strides_8_and_16(network):
    heads = auxiliary_heads(network)
    strides = [network.skeleton.cells[index].stride for index in heads]
    assert strides == [8, 16]
    assert [head.name for head in heads.values()] == ["auxiliary_8", "auxiliary_16"]
    assert max(heads) == network.skeleton.last_cell


def test_a_network_without_such_strides(small_skeleton):
    skeleton = small_skeleton(
        num_cells=2, reduction_cells=(), fusion="none", fusion_taps=()
    )
    network = Network(skeleton, SIZE, uniform(skeleton, "conv_3x3"))
    with pytest.raises(InputError, match="--auxiliary_weight: .* no cell at stride 8"):
        auxiliary_heads(network)


def test_the_loss_is_the_sum_of_its_parts(network, batch):
    images, labels = batch
    teacher, loss = FixedTeacher(), CrossEntropy(class_weights=[0.5, 1.0, 2.0])
    model = SupervisedNetwork(network, auxiliary_heads(network), 0.4, teacher, 0.7)
    model.compile("sgd", loss, jit_compile=False)
    outputs = [ops.convert_to_numpy(x) for x in model(images, training=True)]
    assert [x.shape for x in outputs] == [(2, *SIZE, 3)] * 3
    found = float(model.compute_loss(images, labels, outputs))

    def entropy(logits):
        """Per image over its labelled pixels; all images have as many."""
        known = labels != 255
        right = np.take_along_axis(
            np.log(softmax(logits.astype("float64"))),
            np.where(known, labels, 0)[..., None],
            -1,
        )[..., 0]
        weights = np.array([0.5, 1.0, 2.0])[np.where(known, labels, 0)]
        return -(right * weights)[known].mean()

    own = softmax(outputs[0].astype("float64") / 2.0)
    divergence = (teacher.soft * np.log(teacher.soft / own)).sum(-1)
    expected = entropy(outputs[0]) + 0.4 * np.mean([entropy(x) for x in outputs[1:]])
    expected += 0.7 * 4.0 * divergence[labels != 255].mean()
    assert found == pytest.approx(expected, rel=1e-4)


def test_trains_heads_and_network_and_is_the_network_otherwise(network, batch):
    images, labels = batch
    model = SupervisedNetwork(network, auxiliary_heads(network), 0.4)
    (logits,) = model(images)
    np.testing.assert_array_equal(logits, network(images))
    own = {id(v) for v in model.trainable_variables}
    assert own >= {id(v) for v in network.trainable_variables}
    assert len(own) > len(network.trainable_variables)
    from lgcnet_tf.training.fit import compile_for_segmentation

    compile_for_segmentation(model, keras.optimizers.SGD(0.1), CrossEntropy(), 3)
    before = model.get_weights()
    kept = [ops.convert_to_numpy(v) for v in network.weights]
    model.fit(images, labels, batch_size=2, verbose=0)
    moved = [
        np.abs(a - b).max() for a, b in zip(before, model.get_weights()) if a.ndim == 4
    ]
    assert min(moved) > 0
    network.set_weights(kept)  # the module's fixture stays as it was


def test_only_the_network_is_saved(network, tmp_path, batch):
    model = SupervisedNetwork(network, auxiliary_heads(network), 0.4)
    model.network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == len(network.weights) < len(model.weights)
    np.testing.assert_allclose(loaded(batch[0]), network(batch[0]), atol=1e-6)
