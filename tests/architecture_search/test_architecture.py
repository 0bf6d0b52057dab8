import keras
import numpy as np
import pytest

from lgcnet_tf.architecture_search.architecture import Architecture, gumbel_softmax
from lgcnet_tf.architecture_search.temperature import temperature_at
from lgcnet_tf.space.fusion import CAS, DENSE
from lgcnet_tf.space.genotype import fusion_candidates
from lgcnet_tf.space.operations import (
    CELL_OPERATIONS,
    FUSION_OPERATIONS,
    UP_OPERATIONS,
)
from lgcnet_tf.space.skeleton import Skeleton

PAPER = Skeleton()


def softmax64(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def flat(z):
    return np.concatenate(
        [np.ravel(z["cells"]), *(np.ravel(v) for v in z["fusion"].values())]
    )


@pytest.fixture(scope="module")
def architecture():
    layer = Architecture(PAPER, seed=3)
    generator = np.random.default_rng(1)
    for variable in layer.alpha.values():
        variable.assign(generator.normal(size=variable.shape))
    return layer


@pytest.mark.parametrize("shape", [(14, 5, 8), (5, 10), (8, 2)])
@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.03])
def test_equation_4(shape, temperature):
    generator = np.random.default_rng(0)
    alpha = generator.normal(size=shape)
    noise = generator.gumbel(size=shape)
    log_alpha = np.log(softmax64(alpha))
    expected = softmax64((log_alpha + noise) / temperature)
    z = gumbel_softmax(alpha.astype("float32"), noise.astype("float32"), temperature)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(z), expected, atol=2e-5)


def test_weights_of_every_edge(architecture):
    z = architecture(temperature=1.0, training=True)
    assert tuple(z["cells"].shape) == (14, 5, 8)
    assert {e: len(v) for e, v in z["fusion"].items()} == {
        e: len(v) for e, v in fusion_candidates(PAPER).items()
    }
    for weights in (z["cells"], *z["fusion"].values()):
        total = np.sum(keras.ops.convert_to_numpy(weights), -1)
        np.testing.assert_allclose(total, 1.0, atol=1e-5)


def test_noise_differs_from_step_to_step(architecture):
    first, second = (
        flat(architecture(temperature=1.0, training=True)) for _ in range(2)
    )
    assert np.mean(np.abs(first - second) > 1e-4) > 0.9


def test_noise_is_gumbels():
    layer = Architecture(PAPER, "none", seed=0)
    for variable in layer.alpha.values():
        variable.assign(np.zeros(variable.shape))
    draws = [
        keras.ops.convert_to_numpy(layer(temperature=1.0, training=True)["cells"])
        for _ in range(40)
    ]
    logs = np.log(np.array(draws, "float64"))
    # The difference of two Gumbel variables is logistic: variance π²/3.
    differences = logs[..., 0] - logs[..., 1]
    assert np.var(differences) == pytest.approx(np.pi**2 / 3, rel=0.15)
    assert np.mean(differences) == pytest.approx(0.0, abs=0.15)


def test_seed_fixes_the_noise():
    layers = [Architecture(PAPER, "none", seed=seed) for seed in (5, 5, 6)]
    draws = [flat(layer(temperature=1.0, training=True)) for layer in layers]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.allclose(draws[0], draws[2])


def test_no_noise_at_inference(architecture):
    z = architecture(temperature=1.0, training=False)
    again = architecture(temperature=1.0, training=False)
    np.testing.assert_array_equal(flat(z), flat(again))
    updated = architecture.updated()
    for name, alpha in updated.items():
        expected = softmax64(np.asarray(alpha, "float64"))
        if name == "cells":
            np.testing.assert_allclose(z["cells"], expected, atol=1e-5)
            continue
        edges = DENSE.keep_edges if name == "keep" else DENSE.up_edges
        for edge, row in zip(edges, expected, strict=True):
            np.testing.assert_allclose(z["fusion"][edge.name], row, atol=1e-5)


def test_low_temperature_sharpens(architecture):
    soft, sharp = (
        np.asarray(architecture(temperature=t)["cells"]) for t in (1.0, 0.03)
    )
    assert sharp.max(-1).mean() > 0.9 > soft.max(-1).mean()
    np.testing.assert_array_equal(soft.argmax(-1), sharp.argmax(-1))


def test_probabilities_are_after_the_communication(architecture):
    found = architecture.probabilities()
    updated = np.asarray(architecture.updated()["cells"], "float64")
    np.testing.assert_allclose(found["cells"], softmax64(updated), atol=1e-5)
    alone = softmax64(np.asarray(architecture.alpha["cells"], "float64"))
    assert np.abs(found["cells"][1:] - alone[1:]).max() > 0.01
    np.testing.assert_allclose(found["cells"][0], alone[0], atol=1e-5)


def test_derives_the_argmax_of_every_edge(architecture):
    genotype = architecture.derive({"seed": 3})
    updated = {k: np.asarray(v) for k, v in architecture.updated().items()}
    for k, cell in enumerate(genotype.cells):
        for edge, operation in enumerate(cell):
            assert operation == CELL_OPERATIONS[updated["cells"][k, edge].argmax()]
    assert len({op for cell in genotype.cells for op in cell}) > 4
    for name, edges, operations in (
        ("keep", DENSE.keep_edges, FUSION_OPERATIONS),
        ("up", DENSE.up_edges, UP_OPERATIONS),
    ):
        for edge, row in zip(edges, updated[name], strict=True):
            assert genotype.fusion[edge.name] == operations[row.argmax()]
    assert genotype.skeleton == PAPER
    assert genotype.provenance == {"seed": 3}


def test_argmax_is_of_the_updated_logits(architecture):
    alone = np.asarray(architecture.alpha["cells"]).argmax(-1)
    updated = np.asarray(architecture.updated()["cells"]).argmax(-1)
    changed = np.argwhere(alone != updated)
    assert len(changed)  # else this test could not tell the two apart
    cell, edge = changed[0]
    found = architecture.derive().cells[cell][edge]
    assert found == CELL_OPERATIONS[updated[cell, edge]]


def test_none_can_be_derived():
    layer = Architecture(PAPER, "none")
    logits = np.zeros((14, 5, 8))
    logits[3, 2, CELL_OPERATIONS.index("none")] = 1.0
    layer.alpha["cells"].assign(logits)
    assert layer.derive().cells[3][2] == "none"


@pytest.mark.parametrize("fusion", ["none", "aspp", "ppm"])
def test_without_a_searched_fusion_cell(fusion):
    layer = Architecture(Skeleton(fusion=fusion))
    assert layer(temperature=1.0, training=True)["fusion"] == {}
    assert layer.derive().fusion == {}


def test_the_multi_scale_cell_has_logits_of_its_own():
    layer = Architecture(Skeleton(fusion="cas"))
    shapes = {name: tuple(v.shape) for name, v in layer.alpha.items()}
    assert shapes == {"cells": (14, 5, 8), "keep": (3, 10), "up": (2, 2)}
    z = layer(temperature=1.0, training=True)["fusion"]
    assert set(z) == set(layer.derive().fusion) == {edge.name for edge in CAS.edges}
    logits = np.zeros((3, 10))
    logits[[edge.name for edge in CAS.keep_edges].index("P8->Q8"), 4] = 1.0
    layer.alpha["keep"].assign(logits)
    assert layer.derive().fusion["P8->Q8"] == FUSION_OPERATIONS[4]


def test_temperature_falls_exponentially():
    temperatures = [temperature_at(epoch, 50) for epoch in range(50)]
    assert temperatures[0] == 1.0
    assert temperatures[-1] == pytest.approx(0.03)
    ratios = np.divide(temperatures[1:], temperatures[:-1])
    np.testing.assert_allclose(ratios, 0.03 ** (1 / 49))


def test_temperature_of_a_single_epoch_is_the_last():
    assert temperature_at(0, 1, 1.0, 0.03) == 0.03


def test_shared_cells_are_sampled_and_derived_alike():
    shared = Architecture(PAPER, "shared", seed=5)
    assert tuple(shared.alpha["cells"].shape) == (2, 5, 8)
    z = keras.ops.convert_to_numpy(shared(temperature=1.0, training=True)["cells"])
    cells = shared.derive().cells
    for spec in PAPER.cells:
        like = 1 if spec.reduction else 0
        np.testing.assert_array_equal(z[spec.index], z[like])
        assert cells[spec.index] == cells[like]
    assert np.abs(z[0] - z[1]).max() > 1e-3
    assert cells[0] != cells[1]


@pytest.mark.parametrize("communication", ["fc", "ggm_operation", "none"])
def test_every_cell_has_logits_of_its_own(communication):
    architecture = Architecture(PAPER, communication, width=16)
    assert tuple(architecture.alpha["cells"].shape) == (14, 5, 8)
    assert architecture.updated()["cells"].shape == (14, 5, 8)
    assert len(set(architecture.derive().cells)) > 1
