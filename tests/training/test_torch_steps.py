"""Steps on PyTorch against Keras' own; run by `make test-torch`."""

import keras
import numpy as np
import pytest

from lgcnet_tf.data import Sample, dataset_info, training_batches
from lgcnet_tf.data.samples import Samples
from lgcnet_tf.errors import InputError
from lgcnet_tf.model.network import Network
from lgcnet_tf.space import random_genotype
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.optimizers import SGD, Adam

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        keras.backend.backend() != "torch", reason="`make test-torch` runs it"
    ),
]
SIZE = (32, 64)


@pytest.fixture(scope="module")
def batches():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (3, 4, *SIZE, 3), np.uint8)
    labels = generator.integers(0, 3, (3, 4, *SIZE)).astype("int32")
    labels[:, :, :5] = 255
    return [(torch.as_tensor(x), torch.as_tensor(y)) for x, y in zip(images, labels)]


def steps_of(batches, count):
    return [batches[i % len(batches)] for i in range(count)]


def distance(a, b):
    """Root mean square difference of all weights."""
    pairs = zip(a.trainable_variables, b.trainable_variables, strict=True)
    squares = [(x.value - y.value).detach().double().square() for x, y in pairs]
    return float(torch.cat([s.flatten() for s in squares]).mean().sqrt())


def nudge(model):
    """Changes every weight by 1e-7 of its size."""
    with torch.no_grad():
        for variable in model.trainable_variables:
            signs = torch.ones_like(variable.value)
            signs.flatten()[::2] = -1.0
            variable.value.mul_(1 + 1e-7 * signs)
            variable.value.add_(1e-7 * signs * (variable.value == 0))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_finetune_step_is_keras_own(small_skeleton, batches, optimizer):
    from lgcnet_tf.training.torch_steps import Captured, train_step

    skeleton = small_skeleton()
    genotype = random_genotype(skeleton, np.random.default_rng(3))

    def make():
        keras.utils.set_random_seed(0)
        model = Network(skeleton, SIZE, genotype)
        schedule = keras.optimizers.schedules.PolynomialDecay(0.01, 20, 0.0, 0.9)
        made = (
            SGD(schedule, momentum=0.9, l2=1e-3, global_clipnorm=0.5)
            if optimizer == "sgd"
            # Offsets before a normalisation have gradients of rounding alone, which
            # Adam would make as large as any other's.
            else Adam(1e-3, l2=2e-4, epsilon=1e-4)
        )
        model.compile(made, CrossEntropy(class_weights=[0.5, 1.0, 2.0]))
        made.build(model.trainable_variables)
        return model

    ordinary, nudged, ours = make(), make(), make()
    nudge(nudged)
    places = range(len(ours.trainable_variables))
    step = Captured(
        lambda x, y: train_step(ours, [(ours.optimizer, places)], x, y), batches[0]
    )
    for number, (images, labels) in enumerate(steps_of(batches, 10)):
        for model in (ordinary, nudged):
            model.reset_metrics()
            expected = model.train_step((images, labels))
            if model is ordinary:
                loss = float(expected["loss"])
        found = float(step(images, labels))
        if number == 0:
            assert found == pytest.approx(loss, rel=1e-5)
        if number == 1:
            made = step.constants.made
    assert step.constants.made == made  # a capture could not make any
    assert int(ours.optimizer.iterations) == 10
    assert distance(ordinary, ours) <= distance(ordinary, nudged)


def test_search_step_is_keras_own():
    from lgcnet_tf.architecture_search.architecture import Architecture
    from lgcnet_tf.architecture_search.joint_optimizer import JointOptimizer
    from lgcnet_tf.architecture_search.search_model import SearchModel
    from lgcnet_tf.latency.estimate import LatencyLoss
    from lgcnet_tf.space import Skeleton
    from lgcnet_tf.training.torch_steps import Captured, train_step

    skeleton = Skeleton(
        num_classes=3,
        initial_channels=2,
        num_cells=2,
        reduction_cells=(1,),
        fusion="none",
    )

    class Costs:
        def expected_latency(self, z):
            return 100.0 + keras.ops.sum(z * keras.ops.arange(float(z.shape[-1])))

    def make():
        keras.utils.set_random_seed(0)
        model = SearchModel(
            Network(skeleton, SIZE),
            Architecture(skeleton, width=6),
            Costs(),
            LatencyLoss(0.1),
        )
        optimizer = JointOptimizer(
            SGD(0.025, momentum=0.9, l2=1e-3),
            {
                name: Adam(1e-3, beta_1=0.5, l2=1e-4)
                for name in ("architecture", "communication")
            },
        )
        model.compile(optimizer, CrossEntropy())
        optimizer.build(model.trainable_variables)
        return model

    generator = np.random.default_rng(1)
    images = torch.as_tensor(generator.integers(0, 256, (2, *SIZE, 3), np.uint8))
    labels = torch.as_tensor(generator.integers(0, 3, (2, *SIZE)).astype("int32"))
    ordinary, nudged, ours = make(), make(), make()
    nudge(nudged)
    groups = ours.optimizer.groups(ours.trainable_variables)
    assert len(groups) == 3
    noise = ours.architecture.draw_noise  # as Keras' own steps draw it
    step = Captured(
        lambda x, y, drawn: train_step(ours, groups, x, y, noise=drawn),
        [images, labels, Architecture(skeleton, width=6).draw_noise()],
    )
    for number in range(10):
        loss = {}
        for model in (ordinary, nudged):
            model.reset_metrics()
            loss[id(model)] = float(model.train_step((images, labels))["loss"])
        found = float(step(images, labels, noise()))
        if number == 0:
            assert found == pytest.approx(loss[id(ordinary)], rel=1e-5)
    assert distance(ordinary, ours) <= distance(ordinary, nudged)


def test_crops_on_the_device_are_pillows():
    from lgcnet_tf.training.torch_augment import DeviceData, Parameters

    def read(index):
        generator = np.random.default_rng(index)
        image = generator.integers(0, 256, (36, 48, 3), np.uint8)
        return Sample(f"{index}", image, generator.integers(0, 8, (36, 48), np.uint8))

    samples = Samples(dataset_info("toy_streets"), "train", 6, read)
    data = DeviceData(samples, "cpu")
    drawn = Parameters(samples, (36, 48), (30, 40), 4, seed=5)
    expected = training_batches(samples, 4, (30, 40), seed=5, epochs=12)
    for step, (images, labels) in enumerate(expected):
        found, found_labels = data.crops(drawn[step], (30, 40))
        assert np.abs(found.numpy().astype(int) - images.astype(int)).max() <= 1
        sure = between_pixels(drawn[step].numpy(), (36, 48), (30, 40))
        assert sure.any()
        np.testing.assert_array_equal(found_labels.numpy()[sure], labels[sure])


def between_pixels(parameters, source, crop):
    """Where the nearest pixel is no tie, which rounding decides."""
    sure = []
    for _, flip, height, width, top, left in parameters:
        sides = []
        for count, first, resized, size in zip(
            crop, (top, left), (height, width), source
        ):
            places = (first + np.arange(count) + 0.5) * size / resized
            sides.append(np.abs(places - np.round(places)) > 1e-9)
        rows, columns = sides[0], sides[1][::-1] if flip else sides[1]
        sure.append(rows[:, None] & columns[None, :])
    return np.stack(sure)


def test_images_of_two_sizes_are_refused():
    from lgcnet_tf.training.torch_augment import DeviceData

    samples = [
        Sample("a", np.zeros((h, 8, 3), np.uint8), np.zeros((h, 8), np.uint8))
        for h in (6, 7)
    ]
    with pytest.raises(InputError, match="6x8, 7x8"):
        DeviceData(samples, "cpu")


def test_average_starts_short_and_is_exact(small_skeleton):
    from lgcnet_tf.training.torch_steps import Average

    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    layer.build((None, 1))
    average, expected = Average(layer, 0.5), 0.0
    for number in range(1, 20):
        layer.kernel.assign([[float(number)]])
        average.update()
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * number
    assert float(average.averages[0].squeeze()) == pytest.approx(expected, rel=1e-5)


def test_miou_is_keras_own():
    from lgcnet_tf.training.metrics import MeanIoU

    ours, keras_own = (
        MeanIoU(3),
        keras.metrics.MeanIoU(3, ignore_class=255, sparse_y_pred=False),
    )
    generator = np.random.default_rng(2)
    for _ in range(2):
        labels = generator.choice([0, 1, 2, 255], (2, 5, 6)).astype("int32")
        logits = generator.normal(size=(2, 5, 6, 3)).astype("float32")
        ours.update_state(labels, logits)
        keras_own.update_state(labels, logits)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(ours.total_cm),
        keras.ops.convert_to_numpy(keras_own.total_cm),
    )
    assert float(ours.result()) == float(keras_own.result())
