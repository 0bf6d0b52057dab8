"""Keras on PyTorch, from end to end; run by `make test-torch`."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        keras.backend.backend() != "torch", reason="`make test-torch` runs it"
    ),
]
ROOT = pathlib.Path(__file__).parents[2]
BARE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorboard", "matplotlib"):
            raise ImportError(f"a bare machine has no {name}")

sys.meta_path.insert(0, Absent())
sys.path.insert(0, "benchmarks")
import gpu_camvid

gpu_camvid.main(sys.argv[1:])
"""


def run_script(*arguments):
    return subprocess.run(
        [sys.executable, "-c", BARE, *arguments],
        cwd=ROOT, env=os.environ | {"KERAS_BACKEND": "torch"},
        capture_output=True, text=True, timeout=1100,
    )  # fmt: skip


def test_gpu_script_searches_and_trains_on_a_bare_machine(tmp_path):
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.space import Genotype

    out = tmp_path / "out"
    result = run_script(
        "--quick",
        "--search_steps=2",
        "--minutes=20",  # its steps end it, on a busy machine too
        f"--output_dir={out}",
        "--max_steps=3",
    )
    assert result.returncode == 0, result.stderr
    files = {path.name for path in out.iterdir()}
    assert files == {
        "alphas.npz", "genotype.json", "history.json", "model.keras", "timings.json"
    }  # fmt: skip
    network = load_network(out / "model.keras")
    assert network.genotype.cells == Genotype.load(out / "genotype.json").cells
    history = json.loads((out / "history.json").read_text())
    assert history[-1]["step"] == 3 and 0 <= history[-1]["miou"] <= 1
    timings = json.loads((out / "timings.json").read_text())
    assert set(timings["latency_ms"]) == {
        f"32x64 {n}" for n in ("float32", "tf32", "bfloat16")
    }


def test_the_commands_from_a_table_to_an_accuracy(tmp_path):
    def run(command, *flags):
        folder = tmp_path / command
        program = [sys.executable, "-m", "lgcnet_tf", command, *flags]
        data = ["--dataset=toy_streets", f"--output_dir={folder}"]
        done = subprocess.run(
            program + data, env=os.environ | {"KERAS_BACKEND": "torch"},
            capture_output=True, text=True, timeout=1100,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads((folder / "results.json").read_text())

    size = ("--input_size=32x64",)
    space = ("--num_cells=2", "--reduction_cells=1", "--fusion=none",
             "--initial_channels=2")  # fmt: skip
    epoch = ("--crop_size=32x64", "--batch_size=32", "--epochs=1", "--pictures_every=0")
    run("measure-latency", *size, *space, "--repeats=2", "--calibration_networks=0")
    table = f"--latency_table={tmp_path}/measure-latency/latency_table.json"
    run("search", *size, *space, *epoch, table, "--validation_split=")
    search, genotype = tmp_path / "search", f"--model={tmp_path}/search/genotype.json"
    trained = run("finetune", *size, *epoch, genotype, f"--initial_model={search}")
    model = f"--model={tmp_path}/finetune/model.keras"
    found = run("evaluate", model, "--examples=0", "--repeats=2")
    assert found["miou"] == pytest.approx(trained["last_epoch"]["val_miou"], abs=0.01)
    assert found["measured_on"]["accuracy"]["runtime"] == "keras_backend"


def test_masks_and_times_of_a_network(small_skeleton, images):
    from lgcnet_tf.evaluation.evaluate import mask_function
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.runtimes import get_runtime
    from lgcnet_tf.space import random_genotype

    skeleton = small_skeleton()
    genotype = random_genotype(skeleton, np.random.default_rng(3))
    network = Network(skeleton, (32, 64), genotype)
    batch = images(32, 64)
    logits = keras.ops.convert_to_numpy(network(batch, training=False))
    np.testing.assert_array_equal(mask_function(network)(batch), logits.argmax(-1))
    runtime = get_runtime("keras_backend")
    compiled = runtime.compile(network, batch.shape, "uint8")
    np.testing.assert_allclose(compiled.predict(batch), logits, atol=1e-5)


def test_a_drive_that_is_not_there(tmp_path):
    result = run_script(
        "--dataset=toy_streets",
        "--splits=train",
        "--left_out=0006R0",
        f"--output_dir={tmp_path}",
    )
    assert result.returncode == 1
    assert result.stderr.strip().endswith("names begin so; some must, and some not."), (
        result.stderr
    )
