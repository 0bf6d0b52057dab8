"""A search run's folder, written by the code that writes real ones."""

import dataclasses

import numpy as np
import pytest

from lgcnet_tf.files import write_json
from lgcnet_tf.space import Skeleton, random_genotype

SIZE = (64, 96)


@pytest.fixture(scope="session")
def genotype():
    skeleton = Skeleton(num_classes=8)
    found = random_genotype(skeleton, np.random.default_rng(4))
    provenance = {"dataset": "toy_streets", "predicted_latency_ms": 12.5}
    return dataclasses.replace(found, provenance=provenance)


@pytest.fixture(scope="session")
def table(genotype, make_table):
    return make_table(genotype.skeleton, SIZE)


@pytest.fixture
def history():
    return [
        {
            "epoch": epoch,
            "loss": 2.0 / epoch,
            "miou": 0.1 * epoch,
            "learning_rate": 0.025 / epoch,
            "expected_latency_ms": 30.0 - epoch,
            "temperature": 1.0 / epoch,
            "alpha_entropy": 2.0 - 0.1 * epoch,
        }
        for epoch in (1, 2, 3)
    ]


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
    }


@pytest.fixture
def run_dir(tmp_path, genotype, table, history, results):
    folder = tmp_path / "search_toy"
    folder.mkdir()
    genotype.save(folder / "genotype.json")
    table.save(folder / "table_of_mine.json")
    write_json(folder / "history.json", history)
    write_json(folder / "results.json", results)
    alphas = np.random.default_rng(0).dirichlet(np.ones(8), (14, 5))
    np.savez(folder / "alphas.npz", cells=alphas)
    (folder / "flags.txt").write_text("# lgcnet-search\n--dataset=toy_streets\n")
    return folder
