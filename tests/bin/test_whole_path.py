"""The whole path through the real commands, at toy size."""

import importlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.bin.table import command
from lgcnet_tf.commands.evaluate import EvaluateOptions, evaluate_model
from lgcnet_tf.commands.export import ExportOptions, export
from lgcnet_tf.commands.finetune import FinetuneOptions, finetune
from lgcnet_tf.commands.measure_latency import MeasureOptions, measure_latency
from lgcnet_tf.commands.plot import PlotOptions, plot
from lgcnet_tf.commands.predict import PredictOptions, predict
from lgcnet_tf.commands.search import SearchOptions, search
from lgcnet_tf.commands.serve import ServeOptions, serve
from lgcnet_tf.data import dataset_info, load_samples
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.models import load_model
from lgcnet_tf.serving.client import Client
from lgcnet_tf.space import Genotype

BIN = pathlib.Path(sys.executable).parent
SIZE = (32, 64)
SPACE = dict(
    input_size=SIZE,
    num_cells=2,
    reduction_cells=(1,),
    fusion="cas",
    fusion_taps=(0, 1),
    initial_channels=2,
    fusion_channels=4,
    # Without `none`, whatever the times: no network is without a path.
    cell_operations=("skip_connect", "conv_3x3"),
    fusion_operations=("conv_1x1", "global_pool_2x2"),
)


def run(name, **values):
    """Runs a command in this process; as a process of its own: tests/test_stranger.py."""
    found = command(name)
    module = importlib.import_module(found.module)
    values = {
        k: str(v) if isinstance(v, pathlib.Path) else v for k, v in values.items()
    }
    return getattr(module, found.function)(getattr(module, found.options)(**values))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """measure_latency → search → finetune → evaluate → export, once."""
    root = tmp_path_factory.mktemp("path")
    run(
        "measure_latency",
        **SPACE,
        repeats=3,
        calibration_networks=0,
        output_dir=root / "latency",
    )
    run(
        "search",
        **SPACE,
        crop_size=SIZE,
        epochs=1,
        batch_size=32,
        latency_table=root / "latency/latency_table.json",
        output_dir=root / "search",
    )
    run(
        "finetune",
        input_size=SIZE,
        crop_size=SIZE,
        epochs=1,
        batch_size=32,
        model=root / "search/genotype.json",
        output_dir=root / "finetune",
    )
    run(
        "evaluate",
        model=root / "finetune/model.keras",
        repeats=3,
        latency_table=root / "latency/latency_table.json",
        output_dir=root / "evaluate",
    )
    run("export", model=root / "finetune/model.keras", output_dir=root / "export")
    return root


@pytest.fixture(scope="module")
def server(path):
    """The embedded server as its own process; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            BIN / "lgcnet-serve",
            f"--model={path}/export/saved_model",
            f"--port={port}",
        ]
    )
    try:
        yield f"127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()


def test_every_run_leaves_its_files(path):
    for name in ("latency", "search", "finetune", "evaluate", "export"):
        folder = path / name
        assert (folder / "flags.txt").read_text().startswith("# lgcnet-")
        assert json.loads((folder / "results.json").read_text())
        assert list((folder / "events").glob("events.out.*"))
        assert "done" in (folder / "log.txt").read_text()


def test_results(path):
    genotype = Genotype.load(path / "search" / "genotype.json")
    results = json.loads((path / "evaluate" / "results.json").read_text())
    assert 0.0 < results["miou"] < 1.0
    assert set(results["per_class_iou"]) == set(dataset_info("toy_streets").class_names)
    assert results["params"] > 0 and results["macs"] > 0
    assert results["latency_ms"] > 0.0
    predicted = genotype.provenance["predicted_latency_ms"]
    assert results["predicted_latency_ms"] == pytest.approx(predicted, rel=1e-6)


def test_prediction_over_grpc_equals_the_one_in_process(path, server):
    sample = load_samples("toy_streets", "val")[0]
    model = load_model(f"{path}/finetune/model.keras")
    image = Image.fromarray(sample.image).resize((64, 32), Image.Resampling.BILINEAR)
    image = np.asarray(image)[None]
    with Client(server, "lgcnet") as client:
        client.wait_until_ready(120)
        np.testing.assert_array_equal(client.predict(image), model.predict_mask(image))


def test_saved_model_is_evaluated_like_the_network(path, tmp_path):
    model = path / "export/saved_model"
    run("evaluate", model=model, repeats=3, output_dir=tmp_path / "evaluate")
    keys = ("miou", "per_class_iou", "params", "macs")
    served, own = (
        json.loads((root / "evaluate" / "results.json").read_text())
        for root in (tmp_path, path)
    )
    assert {k: served[k] for k in keys} == {k: own[k] for k in keys}


def test_client_writes_mask_and_overlay_next_to_the_image(path, server, tmp_path):
    sample = load_samples("toy_streets", "val")[1]
    Image.fromarray(sample.image).save(tmp_path / "street.png")
    run("predict", server=server, wait_s=120, images=(f"{tmp_path}/street.png",))
    for kind in ("mask", "overlay"):
        with Image.open(tmp_path / f"street_{kind}.png") as picture:
            assert picture.size == sample.image.shape[1::-1]


def test_plot_draws_every_run(path):
    for name in ("latency", "search", "finetune", "evaluate"):
        run("plot", output_dir=path / name)
        assert (path / name / "report.html").stat().st_size > 1000
    for name in (
        "search/cells.png",
        "search/fusion_cell.png",
        "evaluate/predictions.png",
    ):
        Image.open(path / name).verify()


def test_benchmark_times_models_side_by_side(path, tmp_path):
    models = f"{path}/finetune/model.keras,{path}/export/saved_model"
    run("benchmark", model=models, repeats=3, memory=False, output_dir=tmp_path / "b")
    first, second = json.loads((tmp_path / "b" / "results.json").read_text())["models"]
    assert first["ratio"] == 1.0 and second["ratio"] > 0.0


def test_flagfile_of_a_run_repeats_it(path, tmp_path):
    flags = path / "export" / "flags.txt"
    again = [f"--flagfile={flags}", f"--output_dir={tmp_path}/again"]
    done = subprocess.run(
        [BIN / "lgcnet-export", *again], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = (tmp_path / "again" / "flags.txt").read_text().splitlines()
    differing = set(lines) ^ set(flags.read_text().splitlines())
    assert {line.split("=")[0] for line in differing} == {"--output_dir"}


@pytest.mark.parametrize(
    "function, options, values, expected",
    [
        (search, SearchOptions, {"latency_table": "{path}/none.json"}, "no such file"),
        (
            search,
            SearchOptions,
            {
                "latency_table": "{path}/latency/latency_table.json",
                "input_size": (96, 160),
            },
            "32x64",
        ),
        (search, SearchOptions, {}, "--latency_table is missing"),
        (
            measure_latency,
            MeasureOptions,
            {"reduction_cells": (1, 99)},
            "reduction_cells",
        ),
        (evaluate_model, EvaluateOptions, {"split": "nosuch"}, "nosuch"),
        (search, SearchOptions, {"epochs": 0}, "--epochs must be at least 1"),
        (finetune, FinetuneOptions, {"model": "lgcnet_nowhere"}, "no such model"),
        (finetune, FinetuneOptions, {"hardest": 2.0}, "--hardest"),
        (
            evaluate_model,
            EvaluateOptions,
            {"dataset": "camvid", "data_dir": "{path}/nowhere"},
            "nowhere",
        ),
        (evaluate_model, EvaluateOptions, {"model": "{path}/log.txt"}, "no such model"),
        (export, ExportOptions, {"output_dir": "{path}/export"}, "finished run"),
        (export, ExportOptions, {"dataset": "camvid"}, "11 classes"),
        (export, ExportOptions, {"model": "{path}/search/genotype.json"}, "no weights"),
        (serve, ServeOptions, {"model": "{path}/latency", "port": 0}, "{path}/latency"),
        (
            predict,
            PredictOptions,
            {"images": ("{path}/none.png",), "server": "127.0.0.1:1"},
            "none.png",
        ),
        (plot, PlotOptions, {"output_dir": "{path}/nowhere"}, "no such run folder"),
    ],
)
def test_bad_input_names_what_is_wrong(
    path, tmp_path, function, options, values, expected
):
    def fill(value):
        if isinstance(value, tuple):
            return tuple(fill(part) for part in value)
        return value.format(path=path) if isinstance(value, str) else value

    given = {} if options is ServeOptions else {"output_dir": f"{tmp_path}/out"}
    if function in (evaluate_model, export):
        given["model"] = f"{path}/finetune/model.keras"
    given |= {name: fill(value) for name, value in values.items()}
    with pytest.raises(InputError, match=re.escape(expected.format(path=path))):
        function(options(**given))
    assert not (tmp_path / "out").exists()


def test_port_in_use(path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=str(port)):
            run("serve", model=path / "export/saved_model", port=port)
