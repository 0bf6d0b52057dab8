"""Evaluation and commands on JAX alone, in a process of their own."""

import importlib.util
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed; `pip install lgcnet_tf[jax]` brings it.",
)

QUICKLY = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
}
"""Each operation runs a few times; compiling it well would take longer."""

PROGRAM = """
import pathlib
import sys

import keras
import numpy as np

from lgcnet_tf.data import load_samples
from lgcnet_tf.evaluation.evaluate import evaluate, mask_function
from lgcnet_tf.commands.evaluate import EvaluateOptions, evaluate_model
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.class_map import ClassMap
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.space import Skeleton, uniform

assert keras.backend.backend() == "jax"
folder = pathlib.Path(sys.argv[1])
skeleton = Skeleton(
    num_classes=8, initial_channels=2, num_cells=2, reduction_cells=(1,), fusion="none",
    fusion_taps=(0,),
)
network = Network(skeleton, (32, 64), uniform(skeleton, "conv_3x3"))
network.save(folder / "model.keras")
options = EvaluateOptions(
    model=str(folder / "model.keras"), output_dir=str(folder / "run"),
    repeats=2, examples=0,
)
results = evaluate_model(options)
deployed = deploy(load_network(folder / "model.keras"))
predict = mask_function(deployed)
expected = evaluate(predict, load_samples("toy_streets", "val"), progress=False)
assert abs(results["miou"] - expected.miou) < 1e-6, (results, expected)
assert results["measured_on"]["accuracy"]["runtime"] == "keras_backend"

# Keras' own functions give the arrays away that a compiled one was made with.
image = np.zeros((1, 32, 64, 3), np.uint8)
model = ClassMap(deployed)
compiled = get_runtime("keras_backend").compile(model, image.shape, "uint8")
before = compiled.predict(image)
model.predict_on_batch(image)
np.testing.assert_array_equal(compiled.predict(image), before)
compiled()
print("ran on", keras.backend.backend())
"""


def run(arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | QUICKLY | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_evaluates_and_times(tmp_path):
    result = run(["-c", PROGRAM, str(tmp_path)])
    assert result.returncode == 0, result.stderr
    assert "ran on jax" in result.stdout


@pytest.mark.parametrize(
    "command, flags",
    [
        ("export", ["--model=lgcnet_camvid", "--output_dir=no_such_folder"]),
        ("serve", ["--model=lgcnet_camvid", "--port=0"]),
        ("predict", ["--images=no_such_file.png"]),
    ],
)
def test_commands_without_tensorflow_say_what_they_need(command, flags):
    code = (
        "import sys; sys.modules['tensorflow'] = None; sys.argv[:2] = sys.argv[1:2];"
        f"from lgcnet_tf.bin.{command} import main; main()"
    )
    result = run(["-c", code, f"lgcnet-{command}", *flags])
    assert result.returncode == 1 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"lgcnet-{command}: needs the package tensorflow;")
