"""A search run's folder, written by the code that writes real ones."""

import numpy as np
import pytest

from lgcnet_tf.files import write_json

SIZE = (64, 96)


@pytest.fixture(scope="session")
def table(genotype, make_table):
    return make_table(genotype.skeleton, SIZE)


@pytest.fixture
def results():
    return {
        "miou": 0.6125,
        "pixel_accuracy": 0.9,
        "num_images": 101,
        "per_class_iou": {"road": 0.725, "sky": 0.5, "<cat>": None},
        "params": 2_090_000,
        "macs": 5_250_000_000,
        "latency_ms": {"median": 25.0, "spread": 1.0},
        "last_change": {
            "epoch": 3,
            "edges": [{"edge": "cell 4 s0->n1", "from": "none", "to": "conv_3x3"}],
        },
        "margin": {"minimum": 0.015, "median": 0.42, "least_sure": []},
        "verdict": "decided: median margin 0.42",
    }


@pytest.fixture
def run_dir(tmp_path, genotype, table, history, results):
    folder = tmp_path / "search_toy"
    folder.mkdir()
    genotype.save(folder / "genotype.json")
    table.save(folder / "table_of_mine.json")
    write_json(folder / "history.json", history)
    write_json(folder / "results.json", results)
    mask = genotype.skeleton.candidate_mask
    alphas = np.random.default_rng(0).uniform(size=mask.shape) * mask
    alphas /= alphas.sum(-1, keepdims=True)
    np.savez(folder / "alphas.npz", probabilities=alphas)
    generator = np.random.default_rng(1)
    np.savez(
        folder / "alphas_history.npz",
        cells=generator.dirichlet(np.ones(8), (3, 14, 5)),
        keep=generator.dirichlet(np.ones(10), (3, 5)),
        up=generator.dirichlet(np.ones(2), (3, 8)),
    )
    (folder / "flags.txt").write_text("# lgcnet-search\n--dataset=toy_streets\n")
    return folder
