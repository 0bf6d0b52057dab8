import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.model.class_map import ClassMap
from lgcnet_tf.model.deploy import copy_weights
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.sizes import at_size
from lgcnet_tf.space import (
    DENSE,
    Skeleton,
    random_genotype,
    uniform,
)

NONE = ("none",) * 5
CONV = ("conv_3x3",) * 5


def logits(network, images, **kwargs):
    return ops.convert_to_numpy(network(images, **kwargs))


def test_parameters_of_the_largest_network():
    """6.51 M where the paper's network of shared cells has 6.60 M."""
    network = Network(Skeleton(), (32, 32), uniform(Skeleton(), "conv_3x3"))
    assert 6.4e6 < network.count_params() < 6.7e6
    assert network.count_params() == sum(int(np.prod(w.shape)) for w in network.weights)


def test_parameters_of_a_random_network():
    genotype = random_genotype(Skeleton(), np.random.default_rng(0))
    network = Network(Skeleton(), (32, 32), genotype)
    assert 0.4e6 < network.count_params() < 6.7e6


def test_what_fails_deep_inside_is_told_at_the_door(network, small_skeleton):
    with pytest.raises(InputError, match="takes images of 32x48. Received: 64x48"):
        network(np.zeros((1, 64, 48, 3), "uint8"))
    with pytest.raises(InputError, match="a supernet takes the weights Z"):
        Network(small_skeleton(num_cells=2, reduction_cells=(1,), fusion="none"), (16, 16))(
            np.zeros((1, 16, 16, 3), "uint8")
        )  # fmt: skip


def test_a_genotype_alone_knows_skeleton_and_size(small_skeleton):
    genotype = uniform(small_skeleton(fusion="none"), "skip_connect")
    with pytest.raises(InputError, match="input_size is missing"):
        Network(genotype)
    known = dataclasses.replace(genotype, provenance={"input_size": [32, 48]})
    assert Network(known).input_size == (32, 48)
    assert Network(known, (16, 16)).genotype == genotype


@pytest.mark.parametrize(
    "size, up", [((97, 161), "deconv_3x3"), ((33, 18), "bilinear")]
)
def test_logits_have_the_size_of_the_image(size, up, small_skeleton, images):
    skeleton = small_skeleton()
    genotype = uniform(skeleton, "dil_sep_conv_3x3_d4")
    fusion = {
        edge: up if op == "deconv_3x3" else "global_pool_5x5"
        for edge, op in genotype.fusion.items()
    }
    network = Network(skeleton, size, dataclasses.replace(genotype, fusion=fusion))
    assert network.input_size == size
    found = logits(network, images(*size, batch=2))
    assert found.shape == (2, *size, 3)
    assert found.dtype == np.float32


@pytest.fixture(scope="module")
def network(small_skeleton, randomise):
    """A random one at 32x48, with a provenance."""
    genotype = dataclasses.replace(
        _without_empty_nodes(small_skeleton(), 2), provenance={"seed": 2}
    )
    return randomise(Network(genotype.skeleton, (32, 48), genotype))


def test_takes_uint8_and_float_pictures_alike(network, images):
    x = images(32, 48)
    np.testing.assert_allclose(
        logits(network, x), logits(network, x.astype("float32")), atol=1e-5
    )


def test_input_is_normalised_inside(network, images, monkeypatch):
    seen = []
    stem = network.stem[0].call
    monkeypatch.setattr(
        network.stem[0], "call", lambda x, **k: (seen.append(x), stem(x, **k))[1]
    )
    x = images(32, 48)
    network(x)
    expected = x.astype("float64") / 127.5 - 1.0
    np.testing.assert_allclose(ops.convert_to_numpy(seen[0]), expected, atol=1e-6)


def _with_cells(skeleton, cells, default=CONV):
    genotype = uniform(skeleton, "conv_3x3")
    chosen = tuple(cells.get(k, default) for k in range(skeleton.num_cells))
    return dataclasses.replace(genotype, cells=chosen)


def _mostly_none(skeleton, seed):
    """A random genotype, half of whose edges are `none`, with a live tap."""
    generator = np.random.default_rng(seed)
    genotype = random_genotype(skeleton, generator)
    cells = [
        tuple("none" if generator.uniform() < 0.5 else op for op in cell)
        for cell in genotype.cells
    ]
    cells[0] = ("skip_connect", *cells[0][1:])
    return dataclasses.replace(genotype, cells=tuple(cells))


def prunable():
    """Genotype makers, named by what is special about them."""
    late = ("conv_3x3", "none", "max_pool_3x3", "none", "skip_connect")
    newer = ("none", "conv_3x3", "none", "sep_conv_3x3", "none")
    n1_only = ("none", "none", "skip_connect", "conv_3x3", "conv_3x3")
    n0_only = ("skip_connect", "conv_3x3", "none", "none", "none")
    return {
        "an empty cell": ("none", lambda s: _with_cells(s, {1: NONE})),
        "a cell nobody reads": (
            "none",
            lambda s: _with_cells(s, {3: late, 4: newer, 2: n1_only}),
        ),
        "empty nodes": (
            "none",
            lambda s: _with_cells(s, {1: n1_only, 3: n0_only, 4: n1_only}),
        ),
        "two empty taps, empty nodes": (
            "dense",
            lambda s: _with_cells(s, {0: n1_only, 1: n0_only, 2: NONE, 4: NONE}),
        ),
        **{
            f"random {seed}": ("dense", lambda s, seed=seed: _mostly_none(s, seed))
            for seed in range(3)
        },
    }


@pytest.mark.parametrize("kind", prunable())
def test_pruned_equals_unpruned(kind, small_skeleton, randomise, images, unpruned):
    fusion, make = prunable()[kind]
    skeleton = small_skeleton(fusion=fusion)
    genotype = make(skeleton)
    whole = randomise(unpruned(genotype, (33, 48)), seed=4)
    pruned = Network(skeleton, (33, 48), genotype)
    assert pruned.count_params() < whole.count_params()

    copy_weights(whole, pruned)

    x = images(33, 48)
    found, expected = logits(pruned, x), logits(whole, x)
    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_cell_nobody_reads_is_left_out(small_skeleton):
    skeleton = small_skeleton(fusion="none")
    skips_cell_2 = {
        3: ("conv_3x3", "none", "conv_3x3", "none", "conv_3x3"),
        4: ("none", "conv_3x3", "none", "conv_3x3", "conv_3x3"),
    }
    genotype = _with_cells(skeleton, skips_cell_2)

    network = Network(skeleton, (32, 32), genotype)

    assert list(network.cells) == ["0", "1", "3", "4"]
    assert not any("cell_2" in path for path in network.units)


def test_dead_edges_and_nodes_have_no_weights(small_skeleton):
    skeleton = small_skeleton()
    n1_only = ("none", "none", "none", "conv_3x3", "conv_3x3")
    network = Network(skeleton, (32, 32), _with_cells(skeleton, {2: n1_only}))
    inside = {path for path in network.units if path.startswith("cell_2/")}
    assert inside == {"cell_2/preprocess_s1", "cell_2/edge_s1_n1/conv_3x3"}
    reader = network.units["cell_3/preprocess_s1"]
    assert reader.conv.kernel.shape[2] == skeleton.cells[2].channels


@pytest.mark.parametrize(
    "cells, fusion",
    [
        (dict.fromkeys(range(5), NONE), "dense"),
        ({0: NONE, 1: NONE}, "none"),
        ({4: NONE}, "none"),
        ({0: NONE, 2: NONE, 4: NONE}, "dense"),
        ({4: ("none", "none", "none", "none", "conv_3x3")}, "none"),
    ],
)
def test_no_path_from_image_to_output(cells, fusion, small_skeleton):
    skeleton = small_skeleton(fusion=fusion)
    with pytest.raises(InputError, match="no path leads from the image") as error:
        Network(skeleton, (32, 32), _with_cells(skeleton, cells))
    assert "\n" not in str(error.value)


def test_genotype_of_another_skeleton(small_skeleton):
    with pytest.raises(InputError, match="another skeleton"):
        Network(small_skeleton(), (32, 32), uniform(Skeleton(), "conv_3x3"))


@pytest.fixture(scope="module")
def supernet(small_skeleton, randomise):
    """Of 3 cells, to save time."""
    skeleton = small_skeleton(
        num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2)
    )
    return randomise(Network(skeleton, (32, 48)), seed=11)


def _without_empty_nodes(skeleton, seed):
    genotype = random_genotype(skeleton, np.random.default_rng(seed))
    cells = []
    for cell in genotype.cells:
        cell = list(cell)
        if cell[0] == cell[1] == "none":
            cell[1] = "max_pool_3x3"
        if cell[2] == cell[3] == cell[4] == "none":
            cell[4] = "skip_connect"
        cells.append(tuple(cell))
    return dataclasses.replace(genotype, cells=tuple(cells))


def _one_hot(supernet, genotype):
    z = np.zeros(supernet.skeleton.candidate_mask.shape, "float32")
    operations = [op for cell in genotype.cells for op in cell]
    operations += [genotype.fusion[edge.name] for edge in DENSE.edges]
    edges = supernet.skeleton.edges
    for row, edge, op in zip(z, edges, operations, strict=True):
        row[edge.candidates.index(op)] = 1.0
    return z


@pytest.mark.parametrize("seed", range(3))
def test_one_hot_supernet_equals_the_derived_network(seed, supernet, images):
    skeleton = supernet.skeleton
    genotype = _without_empty_nodes(skeleton, seed)
    assert any("none" in cell for cell in genotype.cells)
    derived = Network(skeleton, (32, 48), genotype, "search")
    copy_weights(supernet, derived)
    x = images(32, 48, batch=2)

    expected = logits(derived, x)
    found = logits(supernet, x, weights=_one_hot(supernet, genotype))

    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-4)
    other = _one_hot(supernet, _without_empty_nodes(skeleton, seed + 50))
    assert np.abs(logits(supernet, x, weights=other) - expected).max() > 1e-2


def test_one_hot_supernet_equals_the_derived_network_in_training(
    small_skeleton, images, randomise
):
    """Batch statistics, and the moving ones after a step, are the same too."""
    skeleton = small_skeleton(
        num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2)
    )
    supernet = randomise(Network(skeleton, (32, 48)), seed=12)
    genotype = _without_empty_nodes(skeleton, 7)
    derived = Network(skeleton, (32, 48), genotype, "search")
    copy_weights(supernet, derived)
    x = images(32, 48, batch=4)

    expected = logits(derived, x, training=True)
    z = _one_hot(supernet, genotype)
    found = logits(supernet, x, weights=z, training=True)

    np.testing.assert_allclose(found, expected, atol=2e-3)
    for path, unit in derived.units.items():
        for mine, theirs in zip(unit.get_weights(), supernet.units[path].get_weights()):
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)


def test_supernet_has_every_candidate_and_learns_no_scales(supernet):
    assert len(supernet.cells) == 3
    for cell in supernet.cells.values():
        assert [len(edge.candidates) for edge in cell.edges.values()] == [8] * 5
    assert len(supernet.fusion.edges) == 13
    names = {variable.name for variable in supernet.trainable_variables}
    assert not names & {"gamma", "beta"}


def test_saved_and_loaded_network_is_equal(network, images, tmp_path):
    network.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert isinstance(loaded, Network)
    assert loaded.genotype == network.genotype
    assert loaded.genotype.provenance == {"seed": 2}
    assert loaded.input_size == (32, 48)
    x = images(32, 48)
    np.testing.assert_allclose(logits(loaded, x), logits(network, x), atol=1e-6)


def test_config_is_json(network):
    config = json.loads(json.dumps(network.get_config()))
    assert Network.from_config(config).get_config() == network.get_config()


def test_at_size_moves_the_weights(network, images):
    larger = at_size(network, (65, 40))

    assert larger.input_size == (65, 40)
    assert logits(larger, images(65, 40)).shape == (1, 65, 40, 3)
    for mine, theirs in zip(larger.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_class_map_is_the_argmax(network, images):
    x = images(32, 48)
    classes = logits(ClassMap(network), x)
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(classes, logits(network, x).argmax(-1))


def test_unknown_normalization(small_skeleton):
    skeleton = small_skeleton()
    with pytest.raises(ValueError, match="normalization"):
        Network(skeleton, (32, 32), uniform(skeleton, "conv_3x3"), "group")


@pytest.mark.parametrize(
    "earlier, use", [("affine", "train"), ("plain", "search"), ("folded", "deploy")]
)
def test_what_earlier_releases_saved_is_read(small_skeleton, earlier, use):
    genotype = uniform(small_skeleton(), "conv_3x3")
    network = Network.derived(genotype, (32, 32), normalization=use)
    config = network.get_config()
    assert config["normalization"] == network.normalization == use
    read = Network.from_config(config | {"normalization": earlier})
    assert read.normalization == use
    assert [w.shape for w in read.weights] == [w.shape for w in network.weights]


def test_unknown_sampling(small_skeleton):
    with pytest.raises(ValueError, match="sampling must be one of"):
        Network.supernet(small_skeleton(), (32, 32), sampling="medium")
