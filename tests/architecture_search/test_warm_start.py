"""A derived network starts with the weights of the supernet that found it."""

import json
import shutil

import numpy as np
import pytest

from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel, one_hot_weights
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.sizes import at_size
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.space import Skeleton, uniform
from lgcnet_tf.training.checkpoint import save_checkpoint, snapshot
from lgcnet_tf.training.initial import REPORT, report_start, start_from


@pytest.fixture(scope="module")
def search(make_options, make_table, few_operations, randomise, tmp_path_factory):
    """The supernet of a search, and the search's folder with a checkpoint."""
    folder = tmp_path_factory.mktemp("search")
    options = make_options(with_fusion=True, output_dir=str(folder), **few_operations)
    skeleton = options.skeleton(8)
    size = options.input_size
    cost = CostModel(make_table(skeleton, size), skeleton, size)
    tiny = Skeleton(num_cells=1, reduction_cells=(), fusion="none")
    Network(tiny, (32, 32))  # Keras numbers the next one `network_1`
    model = build_search_model(options, skeleton, cost, steps=10)
    randomise(model.network, seed=3)
    RunFolder(options, "search")
    save_checkpoint(folder / "checkpoints", snapshot(model), {}, 1)
    return model.network, folder


@pytest.fixture
def derived(search):
    """A network of the same space, to be trained."""
    skeleton = search[0].skeleton
    return Network(skeleton, (48, 32), uniform(skeleton, "sep_conv_3x3"))


def test_takes_every_layer_from_the_newest_checkpoint(search, derived, images):
    supernet, folder = search
    report = start_from(derived, str(folder))
    assert report.complete
    same = at_size(derived, supernet.input_size)
    x = images(*supernet.input_size)
    z = one_hot_weights(derived.genotype)
    expected = np.asarray(supernet(x, weights=z))
    np.testing.assert_allclose(np.asarray(same(x)), expected, atol=1e-4)


def test_says_that_a_hard_search_has_no_statistics(
    search, derived, make_options, tmp_path
):
    hard = tmp_path / "hard"  # its checkpoints have the same variables
    shutil.copytree(search[1], hard)
    flags = (hard / "flags.txt").read_text()
    assert "--sampling=soft" in flags
    (hard / "flags.txt").write_text(flags.replace("--sampling=soft", "--sampling=hard"))
    report = start_from(derived, str(hard))
    assert report.complete and report.without_statistics
    run = RunFolder(make_options(output_dir=str(tmp_path / "run")), "finetune")
    report_start(report, str(hard), run)
    written = json.loads((run / REPORT).read_text())
    assert written["without_statistics"] == list(report.without_statistics)
    (line,) = [
        line for line in (run / "log.txt").read_text().splitlines() if "took" in line
    ]
    assert line.endswith(f"weights of {hard}: {report.summary()}")
    (run / REPORT).unlink()
    again = RunFolder(make_options(output_dir=str(tmp_path / "run")), "finetune")
    report_start(report, str(hard), again)  # its checkpoints went on
    assert not (run / REPORT).exists()


def test_folders_without_weights(search, derived, tmp_path):
    folder = tmp_path / "search"
    shutil.copytree(search[1], folder)
    (checkpoint,) = (folder / "checkpoints").iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(
        InputError, match="checkpoints: no checkpoint in it can be read"
    ):
        start_from(derived, str(folder))
    checkpoint.unlink()
    with pytest.raises(InputError, match="has no checkpoint of a supernet"):
        start_from(derived, str(folder))
    with pytest.raises(InputError, match="holds neither model.keras nor a search"):
        start_from(derived, str(tmp_path))
    derived.genotype.save(tmp_path / "genotype.json")
    with pytest.raises(
        InputError, match="--initial_model: .*a genotype has no weights"
    ):
        start_from(derived, str(tmp_path / "genotype.json"))
    with pytest.raises(InputError, match="--initial_model: no/where: no such model"):
        start_from(derived, "no/where")
