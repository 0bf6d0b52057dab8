"""A derived network starts with the weights of the supernet that found it."""

import json

import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel, one_hot_weights
from lgcnet_tf.model.network import Network
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.search.search import build_search_model
from lgcnet_tf.space import uniform
from lgcnet_tf.training.checkpoint import save_checkpoint, snapshot
from lgcnet_tf.training.initial import REPORT, report_start, start_from


@pytest.fixture
def search(make_options, make_table, randomise, tmp_path):
    """Makes a search's folder with a checkpoint; gives the supernet and options."""

    def make(**changes):
        options = make_options(
            with_fusion=True, output_dir=str(tmp_path / "search"), **changes
        )
        skeleton = options.skeleton(8)
        cost = CostModel(
            make_table(skeleton, options.input_size), skeleton, options.input_size
        )
        Network(skeleton, (32, 32))  # Keras numbers the next one `network_1`
        model = build_search_model(options, skeleton, cost, steps=10)
        randomise(model.network, seed=3)
        folder = RunFolder(options, "search")
        save_checkpoint(folder / "checkpoints", snapshot(model), {}, 1)
        return model.network, options

    return make


def test_takes_every_layer_from_the_newest_checkpoint(search, images):
    supernet, options = search()
    genotype = uniform(supernet.skeleton, "sep_conv_3x3")
    derived = Network(supernet.skeleton, (48, 32), genotype)
    report = start_from(derived, options.output_dir)
    assert report.complete
    same = Network(supernet.skeleton, options.crop_size, genotype)
    same.set_weights(derived.get_weights())
    x = images(*options.crop_size)
    expected = np.asarray(supernet(x, weights=one_hot_weights(genotype)))
    np.testing.assert_allclose(np.asarray(same(x)), expected, atol=1e-4)


def test_says_that_a_hard_search_has_no_statistics(search, make_options, tmp_path):
    supernet, options = search(sampling="hard", communication="none")
    genotype = uniform(supernet.skeleton, "conv_3x3")
    derived = Network(supernet.skeleton, (32, 32), genotype)
    report = start_from(derived, options.output_dir)
    assert report.complete and report.without_statistics
    run = RunFolder(make_options(output_dir=str(tmp_path / "run")), "finetune")
    report_start(report, options.output_dir, run)
    written = json.loads((run / REPORT).read_text())
    assert written["without_statistics"] == list(report.without_statistics)
    (line,) = [
        line for line in (run / "log.txt").read_text().splitlines() if "took" in line
    ]
    assert line.endswith(f"weights of {options.output_dir}: {report.summary()}")
    (run / REPORT).unlink()
    again = RunFolder(make_options(output_dir=str(tmp_path / "run")), "finetune")
    report_start(report, options.output_dir, again)  # its checkpoints went on
    assert not (run / REPORT).exists()


def test_folders_without_weights(search, tmp_path):
    supernet, options = search()
    genotype = uniform(supernet.skeleton, "conv_3x3")
    derived = Network(supernet.skeleton, (32, 32), genotype)
    (checkpoint,) = (tmp_path / "search" / "checkpoints").iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(InputError, match="checkpoints: no checkpoint in it can be read"):
        start_from(derived, options.output_dir)
    checkpoint.unlink()
    with pytest.raises(InputError, match="has no checkpoint of a supernet"):
        start_from(derived, options.output_dir)
    with pytest.raises(InputError, match="holds neither model.keras nor a search"):
        start_from(derived, str(tmp_path))
    genotype.save(tmp_path / "genotype.json")
    with pytest.raises(InputError, match="--initial_model: .*a genotype has no weights"):
        start_from(derived, str(tmp_path / "genotype.json"))
    with pytest.raises(InputError, match="--initial_model: no/where: no such model"):
        start_from(derived, "no/where")
