"""What a search shows: figures, pictures, the course of α."""

import io
import random

import numpy as np
import pytest
from keras.src.random.seed_generator import global_seed_generator
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.architecture_search.observer import (
    ALPHAS_HISTORY,
    AlphasHistory,
    Observer,
    entropies,
)
from lgcnet_tf.data import load_samples
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.space import Skeleton

SKELETON = Skeleton(num_cells=2, reduction_cells=(1,), fusion="none")


def probabilities(value):
    return np.full(SKELETON.candidate_mask.shape, value)


def stored(path):
    with np.load(path) as data:
        assert data.files == ["probabilities"]
        return data["probabilities"][:, 0, 0].tolist()


def test_an_epoch_done_again_takes_its_old_place(tmp_path):
    path = tmp_path / "alphas.npz"
    history = AlphasHistory(path, SKELETON)
    for epoch in range(4):
        history.put(epoch, probabilities(0.1 * epoch))
    AlphasHistory(path, SKELETON).put(2, probabilities(0.9))
    assert stored(path) == [0.0, 0.1, 0.9]
    assert [p.name for p in tmp_path.iterdir()] == ["alphas.npz"]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off", b"no archive"])
def test_epochs_lost_with_the_file_are_not_known(tmp_path, content):
    path = tmp_path / "alphas.npz"
    if content is not None:
        path.write_bytes(content)
    AlphasHistory(path, SKELETON).put(2, probabilities(0.5))
    np.testing.assert_array_equal(stored(path), [np.nan, np.nan, 0.5])


def test_entropies():
    p = np.array([[0.25] * 4, [1.0, 0, 0, 0], [0.5, 0.5, 0, 0]])
    np.testing.assert_allclose(entropies(p), [np.log(4), 0, np.log(2)], atol=1e-9)


def state(model):
    """All that a step may change, random generators too."""
    variables = [*model.variables, *model.optimizer.variables]
    arrays = {v.path: np.array(v) for v in variables}
    arrays["keras"] = np.array(global_seed_generator().state)
    arrays["numpy"] = np.random.get_state()[1].copy()
    arrays["python"] = np.array(random.getstate()[1])
    return arrays


@pytest.fixture(scope="module")
def watched(make_options, make_table, tmp_path_factory):
    """A model that has not been trained, what it had been, its folder, figures."""
    folder = tmp_path_factory.mktemp("watched")
    options = make_options(
        with_fusion=True, epochs=5, pictures_every=2, output_dir=str(folder / "run")
    )
    skeleton = options.skeleton(8)
    table = make_table(skeleton, options.input_size)
    model = build_search_model(
        options, skeleton, CostModel(table, skeleton, options.input_size), steps=10
    )
    folder = RunFolder(options, "search")
    observer = Observer(model, folder, options, load_samples("toy_streets", "val"))
    before = state(model)
    figures = [observer(epoch) for epoch in (0, 1)]
    return model, before, folder, figures


def test_watching_changes_nothing(watched):
    model, before, _, _ = watched
    after = state(model)
    assert after.keys() == before.keys() and len(before) > 100
    for name, value in after.items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_figures(watched):
    model, _, folder, (figures, _) = watched
    p = model.architecture.probabilities()
    entropy = -np.sum(p * np.log(p, where=p > 0, out=np.zeros_like(p)), -1).mean()
    predicted = model.cost_model.predicted_latency(model.architecture.derive())
    assert figures == pytest.approx(
        {
            "temperature": 1.0,
            "latency_weight": 0.005,
            "derived_latency_ms": predicted / 1000,
            "alpha_entropy": entropy,
            "alpha_lr": 1e-3,
            "guidance_lr": figures["guidance_lr"],
        }
    )
    with np.load(folder / ALPHAS_HISTORY) as data:
        np.testing.assert_array_equal(data["probabilities"], [p] * 2)


def test_pictures_every_second_epoch(watched):
    model, _, folder, _ = watched
    events = EventAccumulator(str(folder / "events"), {"images": 0}).Reload()
    tags = {"alpha", "genotype/cells", "genotype/fusion_cell", "predictions"}
    assert set(events.Tags()["images"]) == tags
    for tag in tags:
        (event,) = events.Images(tag)
        picture = Image.open(io.BytesIO(event.encoded_image_string))
        assert event.step == 2 and picture.size == (event.width, event.height)
        assert min(picture.size) > 100
    parts = {f"alpha_entropy/cell_0{i}" for i in range(3)}
    parts |= {"alpha_entropy/fusion"}
    assert set(events.Tags()["scalars"]) == parts
    skeleton = model.architecture.skeleton
    cell = skeleton.of_cells(model.architecture.probabilities())[2]
    entropy = -(cell * np.log(cell)).sum(-1).mean()
    found = [(e.step, e.value) for e in events.Scalars("alpha_entropy/cell_02")]
    assert found == [(1, pytest.approx(entropy)), (2, pytest.approx(entropy))]
