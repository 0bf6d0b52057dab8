import keras
import numpy as np
import pytest

from lgcnet_tf.architecture_search.architecture import Architecture, gumbel_softmax
from lgcnet_tf.architecture_search.temperature import temperature_at
from lgcnet_tf.space.fusion import CAS, DENSE
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


def cells_of(values):
    return PAPER.of_cells(keras.ops.convert_to_numpy(values))


def assign(layer, values):
    """Sets α to `values`, 0 where an edge has no candidate."""
    layer.alpha.assign(values * (np.asarray(layer.alpha) != 0))


@pytest.fixture(scope="module")
def architecture():
    layer = Architecture(PAPER, seed=3)
    assign(layer, np.random.default_rng(1).normal(size=layer.alpha.shape))
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
    z = keras.ops.convert_to_numpy(architecture(temperature=1.0, training=True))
    np.testing.assert_allclose(z.sum(-1), 1.0, atol=1e-5)
    counts = [8] * 70 + [2 if edge.up else 10 for edge in DENSE.edges]
    np.testing.assert_array_equal((z > 0).sum(-1), counts)
    for row, count in zip(z, counts, strict=True):
        assert not row[count:].any()


def test_what_an_edge_has_not_gets_no_gradient():
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes the gradient with TensorFlow")
    layer = Architecture(PAPER, width=4)
    pull = np.random.default_rng(0).normal(size=PAPER.candidate_mask.shape)
    with tf.GradientTape() as tape:
        z = layer(temperature=0.03, training=True)
        loss = tf.reduce_sum(z * pull.astype("float32"))
    gradient = np.asarray(tape.gradient(loss, layer.alpha.value))
    assert np.isfinite(gradient).all() and not gradient[~PAPER.candidate_mask].any()
    assert (gradient != 0).mean() > 0.5


def test_noise_differs_from_step_to_step(architecture):
    first, second = (
        np.asarray(architecture(temperature=1.0, training=True)) for _ in range(2)
    )
    differs = np.abs(first - second) > 1e-4
    assert differs[PAPER.candidate_mask].mean() > 0.9


def test_noise_is_gumbels():
    layer = Architecture(PAPER, "none", seed=0)
    layer.alpha.assign(np.zeros(layer.alpha.shape))
    draws = [cells_of(layer(temperature=1.0, training=True)) for _ in range(40)]
    logs = np.log(np.array(draws, "float64"))
    # The difference of two Gumbel variables is logistic: variance π²/3.
    differences = logs[..., 0] - logs[..., 1]
    assert np.var(differences) == pytest.approx(np.pi**2 / 3, rel=0.15)
    assert np.mean(differences) == pytest.approx(0.0, abs=0.15)


def test_seed_fixes_the_noise():
    layers = [Architecture(PAPER, "none", seed=seed) for seed in (5, 5, 6)]
    draws = [np.asarray(layer(temperature=1.0, training=True)) for layer in layers]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.allclose(draws[0], draws[2])


def test_no_noise_at_inference(architecture):
    z = architecture(temperature=1.0, training=False)
    again = architecture(temperature=1.0, training=False)
    np.testing.assert_array_equal(z, again)
    for edge, row, logits in zip(PAPER.edges, z, architecture.updated(), strict=True):
        count = len(edge.candidates)
        expected = softmax64(np.asarray(logits, "float64")[:count])
        np.testing.assert_allclose(row[:count], expected, atol=1e-5)


def test_low_temperature_sharpens(architecture):
    soft, sharp = (np.asarray(architecture(temperature=t)) for t in (1.0, 0.03))
    assert sharp.max(-1).mean() > 0.9 > soft.max(-1).mean()
    np.testing.assert_array_equal(soft.argmax(-1), sharp.argmax(-1))


def test_probabilities_are_after_the_communication(architecture):
    found = cells_of(architecture.probabilities())
    updated = cells_of(architecture.updated()).astype("float64")
    np.testing.assert_allclose(found, softmax64(updated), atol=1e-5)
    alone = softmax64(cells_of(architecture.alpha).astype("float64"))
    assert np.abs(found[1:] - alone[1:]).max() > 0.01
    np.testing.assert_allclose(found[0], alone[0], atol=1e-5)


def test_derives_the_argmax_of_every_edge(architecture):
    genotype = architecture.derive({"seed": 3})
    updated = np.asarray(architecture.updated())
    for cell, logits in zip(genotype.cells, PAPER.of_cells(updated), strict=True):
        for operation, row in zip(cell, logits, strict=True):
            assert operation == CELL_OPERATIONS[row.argmax()]
    assert len({op for cell in genotype.cells for op in cell}) > 4
    for edge, row in zip(DENSE.edges, updated[PAPER.cell_edges :], strict=True):
        operations = UP_OPERATIONS if edge.up else FUSION_OPERATIONS
        assert genotype.fusion[edge.name] == operations[row.argmax()]
    assert genotype.skeleton == PAPER
    assert genotype.provenance == {"seed": 3}


def test_argmax_is_of_the_updated_logits(architecture):
    alone = cells_of(architecture.alpha).argmax(-1)
    updated = cells_of(architecture.updated()).argmax(-1)
    changed = np.argwhere(alone != updated)
    assert len(changed)  # else this test could not tell the two apart
    cell, edge = changed[0]
    found = architecture.derive().cells[cell][edge]
    assert found == CELL_OPERATIONS[updated[cell, edge]]


def test_none_can_be_derived():
    layer = Architecture(PAPER, "none")
    logits = np.zeros(layer.alpha.shape)
    logits[3 * 5 + 2, CELL_OPERATIONS.index("none")] = 1.0
    layer.alpha.assign(logits)
    assert layer.derive().cells[3][2] == "none"


@pytest.mark.parametrize("fusion", ["none", "aspp", "ppm"])
def test_without_a_searched_fusion_cell(fusion):
    layer = Architecture(Skeleton(fusion=fusion))
    assert layer(temperature=1.0, training=True).shape == (70, 8)
    assert layer.derive().fusion == {}


def test_the_multi_scale_cell_has_logits_of_its_own():
    layer = Architecture(Skeleton(fusion="cas"))
    assert tuple(layer.alpha.shape) == (70 + 3 + 2, 10)
    assert layer(temperature=1.0, training=True).shape == (75, 10)
    assert set(layer.derive().fusion) == {edge.name for edge in CAS.edges}
    logits = np.zeros((75, 10))
    logits[70 + [edge.name for edge in CAS.edges].index("P8->Q8"), 4] = 1.0
    layer.alpha.assign(logits)
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
    assert tuple(shared.alpha.shape) == (2 * 5 + 13, 10)
    z = cells_of(shared(temperature=1.0, training=True))
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
    assert tuple(architecture.alpha.shape) == (83, 10)
    assert architecture.updated().shape == (83, 10)
    assert len(set(architecture.derive().cells)) > 1
