"""What a stranger does: installs the wheel and goes from a data folder to masks.

The wheel is installed in a fresh environment, outside the tree. What it depends on is
not installed once more: the environment reads it where this one has it.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from .data.folders import CLASSES, write_folder

ROOT = pathlib.Path(__file__).parents[1]
PACKED = ("lgcnet_tf", "pyproject.toml", "README.md", "LICENSE")
SIZE = (64, 64)
OPERATIONS = "--cell_operations=none,skip_connect,sep_conv_3x3"
SPACE = (
    "--input_size=64x64", "--num_cells=2", "--reduction_cells=1", "--initial_channels=2",
    "--fusion=none", f"{OPERATIONS},sep_conv_5x5", "--extension=my_extension",
)  # fmt: skip
EXTENSION = """
import lgcnet_tf as lt

lt.register_operation(lt.Operation("sep_conv_5x5", "sep_conv", kernel=5))
"""
PYTHON_PATH = """
import pathlib, sys

import lgcnet_tf as lt

table, data = sys.argv[1:]
operations = ("none", "skip_connect", "sep_conv_3x3")
result = lt.search(table, search_strategy="random", cell_operations=operations)
net = lt.finetune(result.genotype, data_dir=data, epochs=1, batch_size=6)
found = lt.evaluate(net, data_dir=data, repeats=2, examples=0)
assert 0.0 <= found.miou <= 1.0 and found.latency_ms > 0.0
saved_model = lt.export(net, output_dir="from_python").parent
picture = lt.load_dataset("folder", "val", data)[0].image
with lt.Server({"mine": saved_model}, port=0) as server:
    with lt.Client(server.target, "mine") as client:
        mask = client.predict(picture[None])
print(pathlib.Path(lt.__file__).parent, list(found.per_class_iou), mask.shape)
"""


def built_wheel(folder):
    """The wheel that LGCNET_WHEEL names, else one built of a copy of the tree."""
    if path := os.environ.get("LGCNET_WHEEL"):
        return path
    source = folder / "tree"
    for name in PACKED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-deps", "-w", folder, source)
    (wheel,) = folder.glob("lgcnet_tf-*.whl")
    return wheel


def pip(*arguments):
    """Runs pip; it must not take the tree for an installed package."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *map(str, arguments)], check=True, env=environment())


def environment():
    """Variables for processes that shall see nothing of the tree."""
    tree = ("PYTHONPATH", "PYTHONHOME", "KERAS_BACKEND")
    return {k: v for k, v in os.environ.items() if k not in tree}


class Stranger:
    """A fresh environment with the wheel, and a folder to work in.

    Attributes:
        home: the working folder; the commands' paths are relative to it.
        bin: where the programs are.
    """

    def __init__(self, root):
        self.home, self.bin = root / "home", root / "venv" / "bin"
        self.home.mkdir()
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", root / "venv"], check=True
        )
        pip("--python", self.bin / "python", "install", "--no-deps", built_wheel(root))
        (packages,) = (root / "venv" / "lib").glob("*/site-packages")
        dependencies = pathlib.Path(keras.__file__).parents[1]
        (packages / "dependencies.pth").write_text(f"{dependencies}\n")

    def start(self, program, *arguments):
        """A program of the environment as a process."""
        return subprocess.Popen(
            [self.bin / program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            env=environment(),
        )

    def run(self, program, *arguments):
        """What a program that must succeed wrote on standard output."""
        process = self.start(program, *arguments)
        printed, said = process.communicate()
        assert process.returncode == 0, said[-3000:]
        assert "Traceback" not in said
        return printed

    def results(self, run):
        return json.loads((self.home / run / "results.json").read_text())


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A stranger with a data folder of three classes who went the whole path.

    It ends where `lgcnet-serve` would begin. Data, size and space are named once; the
    table is one with an operation of a module of the working folder, and the search
    does without it.
    """
    stranger = Stranger(tmp_path_factory.mktemp("stranger"))
    write_folder(stranger.home / "data", "images", (("train", 6), ("val", 2)), SIZE)
    (stranger.home / "my_extension.py").write_text(EXTENSION)
    table = "--latency_table=latency/latency_table.json"
    stranger.run(
        "lgcnet-inspect-data", "--data_dir=data", "--output_dir=inspect", "--pictures=2"
    )
    stranger.run(
        "lgcnet-measure-latency", "--data_dir=data", *SPACE, "--repeats=2", "--warmup=1",
        "--calibration_networks=0", "--output_dir=latency",
    )  # fmt: skip
    stranger.run(
        "lgcnet-search", table, OPERATIONS, "--epochs=1", "--batch_size=6",
        "--output_dir=search",
    )  # fmt: skip
    stranger.run(
        "lgcnet-finetune", "--model=search/genotype.json", "--epochs=1",
        "--batch_size=6", "--initial_model=search", "--output_dir=finetune",
    )  # fmt: skip
    stranger.run(
        "lgcnet-evaluate", "--model=finetune/model.keras", table, "--repeats=2",
        "--output_dir=evaluate",
    )  # fmt: skip
    stranger.run("lgcnet-export", "--model=finetune/model.keras", "--output_dir=export")
    return stranger


def test_the_package_is_the_wheels(stranger):
    program = (
        "import importlib.metadata, lgcnet_tf; print(lgcnet_tf.__file__); "
        "print(importlib.metadata.distribution('lgcnet_tf').locate_file(''))"
    )
    for place in stranger.run("python", "-c", program).splitlines():
        assert pathlib.Path(place).is_relative_to(stranger.bin.parent)
    assert stranger.run("lgcnet", "--version").split()[0] == "lgcnet"


def test_the_commands_know_the_own_classes(stranger):
    looked = stranger.results("inspect")
    assert looked["splits"]["train"]["images"] == 6 and not looked["problems"]
    assert (stranger.home / "inspect" / "contact_sheet_train.png").is_file()
    table = json.loads((stranger.home / "latency/latency_table.json").read_text())
    assert tuple(table["classes"]["names"]) == CLASSES
    evaluated = stranger.results("evaluate")
    assert tuple(evaluated["per_class_iou"]) == CLASSES
    assert evaluated["num_images"] == 2
    assert evaluated["predicted_latency_ms"] > 0.0


def test_a_server_segments_a_picture(stranger):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = stranger.start(
        "lgcnet-serve", "--model=export/saved_model", f"--port={port}"
    )
    try:
        printed = stranger.run(
            "lgcnet-predict", f"--server=127.0.0.1:{port}", "--wait_s=240",
            "--images=data/images/val", "--output_dir=predict",
        )  # fmt: skip
        assert any(name in printed for name in CLASSES)
        server.send_signal(signal.SIGTERM)
        server.communicate()
        assert server.returncode == 0
    finally:
        server.kill()
    masks = sorted((stranger.home / "predict").rglob("*_mask.png"))
    assert len(masks) == 2
    assert np.asarray(Image.open(masks[0])).shape[:2] == SIZE


def test_an_extension_beside_the_data(stranger):
    """A module of the working folder, in a command of the wheel."""
    table = json.loads((stranger.home / "latency/latency_table.json").read_text())
    assert table["skeleton"]["extensions"] == ["my_extension"]
    assert any(key.startswith("sep_conv_5x5 ") for key in table["entries"])


def test_the_path_in_python(stranger):
    table = "latency/latency_table.json"
    printed = stranger.run("python", "-c", PYTHON_PATH, table, "data")
    place, rest = printed.splitlines()[-1].split(" ", 1)
    assert pathlib.Path(place).is_relative_to(stranger.bin.parent)
    assert rest == f"{list(CLASSES)} {(1, *SIZE)}"
