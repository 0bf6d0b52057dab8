import csv
import io

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from lgcnet_tf.sweep.hparams import write_hparams
from lgcnet_tf.sweep.table import (
    summarize,
    summary_cells,
    to_csv,
    trial_cells,
    trial_row,
)
from lgcnet_tf.sweep.trial import run_trial
from lgcnet_tf.terminal import plain_table

AXES = {"communication": ("none", "ggm"), "latency_weight": ("0.001",)}


@pytest.fixture
def rows():
    return [
        {
            "trial": f"{mode}-{seed}",
            "communication": mode,
            "latency_weight": "0.001",
            "seed": seed,
            "miou": miou,
            "params": 1_000_000 + seed,
            "macs": None,
            "predicted_ms": 10.0 + seed,
            "measured_ms": 12.0,
            "spread_ms": 0.5,
        }
        for mode, seed, miou in (("none", 0, 0.5), ("none", 1, 0.6), ("ggm", 0, 0.7))
    ]


@pytest.fixture
def summary(rows):
    settings = [{"communication": mode} for mode in ("none", "ggm", "fc")]
    return summarize(rows, settings)


def test_a_row_of_a_trial(make_trial):
    trial = make_trial("ggm", 1)
    run_trial(trial)
    assert trial_row(trial, {"measured_ms": 7.0, "spread_ms": 0.1}) == {
        "trial": "ggm-1",
        "communication": "ggm",
        "finetune.lr": "0.5",
        "seed": 1,
        "miou": 0.375,
        "params": 1000,
        "macs": 2000,
        "predicted_ms": 3.0,
        "measured_ms": 7.0,
        "spread_ms": 0.1,
    }
    assert trial_row(trial)["measured_ms"] == 4.0


def test_mean_and_deviation_over_the_seeds(summary):
    none, ggm = summary  # nothing ran with fc
    assert none["trials"] == 2 and ggm["trials"] == 1
    assert none["miou"] == pytest.approx(0.55)
    assert none["miou_std"] == pytest.approx(np.std([0.5, 0.6], ddof=1))
    assert ggm["miou"] == 0.7 and ggm["miou_std"] is None
    assert none["macs"] is None


def test_csv(rows):
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [row["miou"] for row in read] == ["0.5", "0.6", "0.7"]
    assert read[0]["macs"] == "" and list(read[0]) == list(rows[0])


def test_text(rows, summary):
    lines = plain_table(*trial_cells(rows, ["communication"])).splitlines()
    assert len(lines) == 5 and len(set(map(len, lines))) == 1
    assert "communication=none" in lines[2] and "12.00 ms ±0.50" in lines[2]
    head, cells = summary_cells(summary, ["communication"])
    assert cells[0][head.index("mIoU %")] == "55.00 ±7.07"


def test_hparams_of_tensorboard(rows, tmp_path):
    write_hparams(tmp_path / "hparams", AXES, rows[:1])
    write_hparams(tmp_path / "hparams", AXES, rows)
    (file,) = (tmp_path / "hparams").glob("events.*")

    def content(path, tag):
        events = EventAccumulator(str(path)).Reload()
        return events.SummaryMetadata(tag).plugin_data.content

    experiment = metadata.parse_experiment_plugin_data(
        content(file, metadata.EXPERIMENT_TAG)
    )
    infos = {info.name: info for info in experiment.hparam_infos}
    assert set(infos) == {"communication", "latency_weight", "seed"}
    assert list(infos["communication"].domain_discrete) == ["none", "ggm"]
    assert list(infos["latency_weight"].domain_discrete) == [0.001]
    session = tmp_path / "hparams" / "ggm-0"
    start = metadata.parse_session_start_info_plugin_data(
        content(session, metadata.SESSION_START_INFO_TAG)
    )
    assert start.hparams["communication"].string_value == "ggm"
    assert start.hparams["latency_weight"].number_value == 0.001
    scalars = EventAccumulator(str(session)).Reload()
    assert scalars.Scalars("miou")[0].value == pytest.approx(0.7)
    assert scalars.Scalars("measured_ms")[0].value == 12.0
