"""What moves from network to network, and what the report says of it."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import one_hot_weights
from lgcnet_tf.model.classifier import build_classifier
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.weights import transfer_weights
from lgcnet_tf.space import uniform
from lgcnet_tf.space.genotype import Genotype

SIZE = (32, 48)
SEP, CONV = "sep_conv_3x3", "conv_3x3"


def logits(network, images, **kwargs):
    return ops.convert_to_numpy(network(images, **kwargs))


@pytest.fixture(scope="module")
def skeleton(small_skeleton):
    return small_skeleton(num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2))


@pytest.fixture(scope="module")
def make(skeleton):
    """Makes the network of a skeleton with `operation` on all edges of its cells."""

    def make(operation=SEP, size=SIZE, **changes):
        other = dataclasses.replace(skeleton, **changes)
        return Network(other, size, uniform(other, operation))

    return make


@pytest.fixture(scope="module")
def source(make, randomise):
    return randomise(make(), seed=1)


def test_the_same_network_at_another_size(source, make, images):
    target = make(size=(48, 32))
    report = transfer_weights(source, target)
    assert report.complete
    assert sum(report.taken.values()) == report.parameters == target.count_params()
    for mine, theirs in zip(target.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    total = f"{target.count_params():,}"
    assert report.summary() == (
        f"took {report.layers} of {report.layers} layers ({total} of {total} numbers)"
    )


@pytest.fixture(scope="module")
def supernet(skeleton, randomise):
    return randomise(Network(skeleton, SIZE), seed=2)


def test_a_derived_network_takes_its_part_of_the_supernet(supernet, skeleton, images):
    """Learned scales and offsets begin as 1 and 0, so that it computes the same."""
    mixed = (SEP, "max_pool_3x3", "none", "dil_sep_conv_3x3_d4", CONV)
    chosen = uniform(skeleton, SEP)
    genotype = Genotype(skeleton, (mixed, *chosen.cells[1:]), chosen.fusion)
    derived = Network(skeleton, SIZE, genotype)
    for variable in derived.variables:  # nothing of what was there is left
        variable.assign(variable + 7.0)
    report = transfer_weights(supernet, derived)
    assert report.complete and not report.without_statistics
    x = images(*SIZE, batch=2)
    expected = logits(supernet, x, weights=one_hot_weights(genotype))
    assert expected.std() > 0.05
    np.testing.assert_allclose(logits(derived, x), expected, atol=1e-4)


def test_a_hard_sampled_supernet_has_no_statistics(skeleton, randomise):
    supernet = randomise(Network(skeleton, SIZE, sampling="hard"), seed=3)
    derived = Network(skeleton, SIZE, uniform(skeleton, SEP))
    report = transfer_weights(supernet, derived)
    assert report.complete
    edges = [path for path in report.taken if "/edge_" in path]
    assert list(report.without_statistics) == edges
    for path, unit in derived.units.items():
        kept = path not in edges
        there = np.asarray(supernet.units[path].norm.moving_mean)
        found = np.asarray(unit.norm.moving_mean)
        np.testing.assert_array_equal(found, there if kept else 0.0 * there)
    assert f"{len(edges)} layers have no moving statistics" in report.summary()


def test_other_classes_take_all_but_the_classifier(source, make):
    target = make(num_classes=5)
    before = target.classifier.get_weights()
    report = transfer_weights(source, target)
    assert report.mismatched == {"classifier": "3 classes there, 5 here"}
    assert not report.missing
    assert len(report.taken) == report.layers - 1
    assert "other shape: 1 (classifier)" in report.summary()
    for mine, own in zip(target.classifier.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, own)


def test_other_names_of_as_many_classes_are_other_classes(source, skeleton):
    def named(names):
        classes = DatasetInfo.of("own", dict.fromkeys(names, (0, 0, 0)))
        genotype = dataclasses.replace(source.genotype, classes=classes)
        return Network(skeleton, SIZE, genotype)

    first, same, other = named("abc"), named("abc"), named("abd")
    assert transfer_weights(first, same).complete
    report = transfer_weights(first, other)
    assert report.mismatched == {"classifier": "class 2 is c there, d here"}


def test_another_genotype_takes_what_is_equal_on_equal_edges(source, make):
    target = make(CONV)
    before = {path: unit.get_weights() for path, unit in target.units.items()}
    report = transfer_weights(source, target)
    edges = {
        path for path in target.units if path.startswith("cell_") and "/edge" in path
    }
    assert set(report.missing) == edges
    assert not report.mismatched
    for path, unit in target.units.items():
        expected = before[path] if path in edges else source.units[path].get_weights()
        for mine, wanted in zip(unit.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(mine, wanted)


def test_a_kernel_that_reads_a_node_more_is_not_taken(source, make, skeleton):
    one_node = (SEP, SEP, "none", "none", "none")
    chosen = uniform(skeleton, SEP)
    genotype = Genotype(skeleton, (one_node, *chosen.cells[1:]), chosen.fusion)
    small = Network(skeleton, SIZE, genotype)
    fewer = transfer_weights(source, small)
    assert fewer.complete  # of two nodes there, one is kept
    kernel = np.asarray(source.units["cell_1/preprocess_s1"].conv.kernel)
    found = np.asarray(small.units["cell_1/preprocess_s1"].conv.kernel)
    np.testing.assert_array_equal(found, kernel[:, :, : kernel.shape[2] // 2])
    more = transfer_weights(small, make())
    assert set(more.mismatched) == {
        "cell_1/preprocess_s1", "cell_2/preprocess_s0", "fusion/reduce_P4",
    }  # fmt: skip


def test_a_pretrained_backbone_gives_all_but_fusion_and_classifier(
    make, skeleton, randomise, images
):
    genotype = uniform(skeleton, SEP)
    classifier = randomise(build_classifier(genotype, 3, (24, 24)), seed=5)
    x = images(24, 24, batch=2)
    assert logits(classifier, x).shape == (2, 3)
    target = make()
    report = transfer_weights(classifier, target)
    # As many classes, but of images.
    assert report.mismatched == {"classifier": "it classifies images there"}
    assert report.missing
    assert all(path.startswith("fusion/") for path in report.missing)
    for path in report.taken:
        for mine, theirs in zip(
            target.units[path].get_weights(), classifier.units[path].get_weights()
        ):
            np.testing.assert_array_equal(mine, theirs)


def test_a_classifier_pools_what_the_last_cell_gives(
    skeleton, randomise, images, tmp_path
):
    genotype = uniform(skeleton, CONV)
    classifier = randomise(build_classifier(genotype, 7, SIZE), seed=6)
    x = images(*SIZE, batch=2)
    maps = np.asarray(classifier.features(x), "float64").mean((1, 2))
    kernel, bias = classifier.classifier.get_weights()
    expected = maps @ kernel[0, 0] + bias
    np.testing.assert_allclose(logits(classifier, x), expected, atol=1e-4)
    classifier.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    np.testing.assert_array_equal(logits(loaded, x), logits(classifier, x))


def test_into_a_supernet_scales_are_lost_and_it_is_said(source, skeleton):
    report = transfer_weights(source, Network(skeleton, SIZE))
    assert set(report.without_affine) == set(report.taken) - {"classifier"}
    assert "lost their learned scale and offset" in report.summary()


def test_the_report_is_json(source, make):
    report = transfer_weights(source, make(CONV, num_classes=4)).to_dict()
    assert json.loads(json.dumps(report)) == report | {
        "missing": list(report["missing"]),
        "without_statistics": [],
        "without_affine": [],
    }
    assert report["layers_taken"] == len(report["taken"])
    assert report["layers"] == sum(
        len(report[key]) for key in ("taken", "mismatched", "missing")
    )


def test_nothing_fits(source, make):
    other = make(CONV, initial_channels=3, fusion_channels=5)
    with pytest.raises(
        InputError, match="mine: its weights fit none of this network's"
    ):
        transfer_weights(source, other, "mine")
