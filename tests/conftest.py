"""What every room's tests share: small networks with random weights.

Nothing heavy is imported here, so that collecting stays quick and the tests of
another Keras backend can set it first.
"""

import dataclasses
import fcntl
import gc
import importlib.util
import json
import os
import pathlib
import shutil
import sys

import numpy as np
import pytest

import lgcnet_tf  # noqa: F401 - oneDNN, before another conftest.py imports TensorFlow

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

LONGEST = (
    "test_stranger.py",
    "api/test_front_door.py",
    "examples/test_tutorials.py",
    "architecture_search/test_workers.py",
    "bin/test_whole_path.py",
    "commands/test_evaluate.py",
    "training/test_recipe.py",
    "runtimes/test_runtimes.py",
    "commands/test_pretrain.py",
    "architecture_search/test_replicas.py",
    "commands/test_sweep.py",
    "evaluation/test_peak_memory.py",
    "serving/test_export_files.py",
    "commands/test_run.py",
    "model/test_jax.py",
    "commands/test_finetune.py",
    "test_extending.py",
    "architecture_search/test_latency_target.py",
    "commands/test_search.py",
    "commands/test_own_data.py",
    "model/test_folded_fusion.py",
    "model/test_jax_training.py",
    "bin/test_measure_latency.py",
    "evaluation/test_model_files.py",
    "examples/test_quickstart.py",
    "evaluation/test_augmented.py",
    "commands/test_benchmark.py",
    "model/test_heads.py",
)
"""Files of few and long tests, to begin with: no process waits for another's at the end."""


gc.disable()  # until all is imported, for what is imported stays


def pytest_collection(session):
    """Imports TensorFlow as the commands do, which takes half the time."""
    from lgcnet_tf.bin import common
    from lgcnet_tf.runtimes.settings import keras_backend

    config = session.config
    collects = hasattr(config, "workerinput") or not config.getoption("numprocesses", 0)
    there = importlib.util.find_spec("tensorflow")
    if collects and there and keras_backend() == "tensorflow":
        with common.without_needless_imports():
            import keras  # noqa: F401


def pytest_collection_finish():
    """Collections look at what tests make alone: a twentieth of the suite's time."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


def pytest_collection_modifyitems(items):
    folder = pathlib.Path(__file__).parent
    places = {folder / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def small_skeleton():
    """Makes skeletons of 5 cells and F = 2 with the full fusion cell.

    Keyword arguments replace fields of `Skeleton`.
    """
    from lgcnet_tf.space import Skeleton

    def make(**changes):
        fields = {
            "num_classes": 3,
            "initial_channels": 2,
            "num_cells": 5,
            "reduction_cells": (1, 3),
            "fusion_taps": (0, 2, 4),
            "fusion_channels": 4,
        }
        return Skeleton(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def randomise():
    """Sets every variable of a layer to random values, moving statistics too.

    Kernels keep the size of the activations, so that logits stay near one and
    an absolute tolerance means something.
    """

    def apply(layer, seed=0):
        generator = np.random.default_rng(seed)
        for variable in layer.variables:
            if not str(variable.dtype).startswith("float"):
                continue
            shape = variable.shape
            if variable.name in ("moving_variance", "gamma", "scale"):
                value = generator.uniform(0.5, 1.5, shape)
            elif len(shape) > 1:
                fan_in = np.prod(shape[:-1])
                value = generator.normal(0.0, np.sqrt(2.0 / fan_in), shape)
            else:
                value = generator.normal(0.0, 0.3, shape)
            variable.assign(value.astype("float32"))
        return layer

    return apply


@pytest.fixture(scope="session")
def picture_files():
    """The module `benchmarks/pictures.py`: PNG and JPEG files of all kinds."""
    path = pathlib.Path(__file__).parents[1] / "benchmarks" / "pictures.py"
    spec = importlib.util.spec_from_file_location("benchmark_pictures", path)
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def images():
    """Makes uint8 pictures, (batch, height, width, 3)."""

    def make(height, width, batch=1, seed=0):
        generator = np.random.default_rng(seed)
        return generator.integers(0, 256, (batch, height, width, 3), np.uint8)

    return make


@pytest.fixture(scope="session", autouse=True)
def _graphs_are_optimised_alike():
    """A search in this process must not change how later tests' graphs compute.

    Runs that are compared bit by bit with those of other processes would differ. They
    run a few times: optimising them would take a tenth of all time. The commands that
    tests start as processes optimise theirs.
    """
    if importlib.util.find_spec("tensorflow") is None:
        yield
        return
    import tensorflow as tf

    tf.config.list_logical_devices()  # starts it: its threads stay what they are
    with pytest.MonkeyPatch.context() as patch:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        patch.setattr(tf.config.optimizer, "set_experimental_options", lambda _: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _a_busy_machine_ends_no_test():
    """A thread that is too slow to hear of a signal would end this very process."""
    from lgcnet_tf import interruption

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interruption, "PATIENCE_S", 3600.0)
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_a_module_registers_ends_with_it():
    from lgcnet_tf.data import registry
    from lgcnet_tf.guidance.settings import MODULES
    from lgcnet_tf.runtimes.settings import ALL_RUNTIMES
    from lgcnet_tf.space.fusion import FUSION_CELLS, FUSION_HEADS
    from lgcnet_tf.space.operations import KINDS, OPERATIONS

    registries = (
        MODULES,
        ALL_RUNTIMES,
        FUSION_CELLS,
        FUSION_HEADS,
        KINDS,
        OPERATIONS,
    )
    holders = [each._added for each in registries]
    holders += [each._origins for each in registries]
    holders.append(registry._registered)
    before = [dict(holder) for holder in holders]
    yield
    for holder, kept in zip(holders, before):
        holder.clear()
        holder.update(kept)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder of this run of pytest, the same for all its processes."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = folder / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def made_once(shared_folder):
    """Folders that the first process of pytest that needs them fills for all.

    Takes the folder's name and a function that fills the folder it is given.
    """

    def make(name, fill):
        folder, part = shared_folder / name, shared_folder / f"{name}.part"
        with open(shared_folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(part, ignore_errors=True)  # of one that failed
                part.mkdir()
                fill(part)
                part.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session", autouse=True)
def _prepared_data_in_temporary_folder(shared_folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(shared_folder / "tfds"))
        yield


@pytest.fixture(scope="session")
def derived_work():
    """The work of a derived network, part by part: the oracle of `Workloads.counts`.

    Takes a genotype and the workloads of its space; an entry for each time that a
    workload is done.
    """
    from lgcnet_tf.space.pruning import fusion_liveness, liveness

    def work_of(genotype, work):
        skeleton = genotype.skeleton
        cells = zip(
            liveness(skeleton, [[(name,) for name in cell] for cell in genotype.cells]),
            genotype.cells,
            work.cells,
            work.inputs,
        )
        found, filled = list(work.stem), []
        for live, names, edges, inputs in cells:
            filled.append(bool(live.nodes))
            if not live.needed:
                continue
            for source, parts in zip(("s0", "s1"), inputs):
                found += parts if live.reads(source) else ()
            for carries, name, candidates in zip(live.edges, names, edges):
                place = skeleton.cell_operations.index(name)
                found += [candidates[place]] if carries else ()
        if not skeleton.fusion_cell:
            return [*found, *work.head, work.argmax]
        taps = [filled[tap] for tap in skeleton.taps]
        for parts, there in zip(work.taps, taps):
            found += parts if there else ()
        live = fusion_liveness(skeleton, np.array(taps))
        live = dict(zip(skeleton.fusion_cell.edges, live))
        for group in skeleton.fusion_cell.groups:
            done = set()
            for edge in group:
                name = genotype.fusion[edge.name]
                if live[edge] and name not in done:
                    place = skeleton.fusion_candidates(edge.up).index(name)
                    found.append(work.fusion[edge.name][place])
                    done |= {name} - {n for n in done | {name} if "sep_conv" in n}
        return [*found, *work.head, work.argmax]

    return work_of


@pytest.fixture(scope="session")
def random_z():
    """Makes Z of a search space, (E, C) float32: on each edge a random mixture."""

    def make(skeleton, seed=0):
        z = np.random.default_rng(seed).exponential(size=skeleton.candidate_mask.shape)
        z *= skeleton.candidate_mask
        return (z / z.sum(-1, keepdims=True)).astype("float32")

    return make


@pytest.fixture(scope="session")
def make_table():
    """Makes a latency table of a search space with random times."""
    from lgcnet_tf.latency.table import LatencyEntry, LatencyTable, timed
    from lgcnet_tf.space.workloads import space_id

    def make(skeleton, input_size, seed=0):
        generator = np.random.default_rng(seed)
        entries = {
            work.key: LatencyEntry(float(generator.uniform(1, 5000)), 1.5, 10)
            for work in timed(skeleton, input_size)
        }
        return LatencyTable(
            entries=entries,
            device="a device",
            runtime="tensorflow_graph",
            runtime_version="2",
            precision="float32",
            threads=2,
            input_size=input_size,
            skeleton=skeleton,
            space_id=space_id(skeleton, input_size),
            date="2001-02-03T04:05:06+00:00",
            noise=0.1,
        )

    return make


@pytest.fixture(scope="session")
def genotype():
    """A searched network of the full size, random."""
    from lgcnet_tf.space import Skeleton, random_genotype

    skeleton = Skeleton(num_classes=8)
    found = random_genotype(skeleton, np.random.default_rng(4))
    provenance = {"dataset": "toy_streets", "predicted_latency_ms": 12.5}
    return dataclasses.replace(found, provenance=provenance)


@pytest.fixture
def history():
    """The figures of three epochs, as in `history.json`."""
    return [
        {
            "epoch": epoch,
            "loss": 2.0 / epoch,
            "miou": 0.1 * epoch,
            "learning_rate": 0.025 / epoch,
            "expected_latency_ms": 30.0 - epoch,
            "derived_latency_ms": 29.0 - epoch,
            "temperature": 1.0 / epoch,
            "alpha_entropy": 2.0 - 0.1 * epoch,
        }
        for epoch in (1, 2, 3)
    ]


@pytest.fixture(scope="session")
def trained(small_skeleton, randomise, made_once):
    """A small network with random weights in a `.keras` file."""
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.space.genotype import random_genotype

    skeleton = small_skeleton(
        num_classes=8,
        num_cells=2,
        reduction_cells=(1,),
        fusion="cas",
        fusion_taps=(0, 1),
    )
    genotype = random_genotype(skeleton, np.random.default_rng(1))

    def fill(folder):
        network = randomise(Network(skeleton, (32, 64), genotype))
        network.save(folder / "model.keras")

    return made_once("trained", fill) / "model.keras"


@pytest.fixture(scope="session")
def exported(trained, made_once):
    """The same network as `lgcnet-export` writes it, by format."""
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs Keras on TensorFlow")
    for package in ("onnxruntime", "openvino", "ai_edge_litert", "tf2onnx"):
        pytest.importorskip(package)
    from lgcnet_tf.data import dataset_info
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.serving.export import export_saved_model
    from lgcnet_tf.serving.export_files import export_file
    from lgcnet_tf.serving.settings import FORMATS

    def fill(root):
        network = load_network(trained)
        deployed, info = deploy(network), dataset_info("toy_streets")
        card = {
            "params": network.count_params(),
            "genotype": network.genotype.to_dict(),
        }
        paths = {
            name: export_file(deployed, root / name, info, name, metadata=card)
            for name in FORMATS
        }
        export_saved_model(
            deployed, root / "saved_model", info, input_size=(32, 64), num_classes=8
        )
        names = {name: str(path.relative_to(root)) for name, path in paths.items()}
        (root / "names.json").write_text(json.dumps(names))

    root = made_once("exported", fill)
    names = json.loads((root / "names.json").read_text())
    paths = {name: root / path for name, path in names.items()}
    return paths | {"saved_model": root / "saved_model"}


FEW_OPERATIONS = {
    "cell_operations": ("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3"),
    "fusion_operations": ("conv_1x1", "sep_conv_3x3", "global_pool_2x2"),
}
"""One of each kind: for searches that are of more than which operations there are."""


@pytest.fixture(scope="session")
def few_operations():
    """Options of a space of few candidates, which is traced in half the time."""
    return dict(FEW_OPERATIONS)


SIZE = (32, 64)
SPACE = {
    "initial_channels": 2,
    "num_cells": 2,
    "reduction_cells": (1,),
    "fusion": "none",
    "fusion_taps": (0, 1),
    "input_size": SIZE,
    "crop_size": SIZE,
    "ggm_width": 6,
    "batch_size": 4,
}
WITH_FUSION = {
    "num_cells": 3,
    "reduction_cells": (1, 2),
    "fusion": "dense",
    "fusion_taps": (0, 1, 2),
    "fusion_channels": 4,
}


@pytest.fixture(scope="session")
def make_options():
    """Options of a search in the tiny space, by what differs."""
    from lgcnet_tf.commands.search import SearchOptions

    def make(with_fusion=False, **changes):
        return SearchOptions(**SPACE | (WITH_FUSION if with_fusion else {}) | changes)

    return make


PROGRAM = """
import json, os, pathlib, signal, sys, time

stage = sys.argv[1]
flags = dict(a.removeprefix("--").partition("=")[::2] for a in sys.argv[2:])
folder = pathlib.Path(flags["output_dir"])
folder.mkdir(parents=True, exist_ok=True)
(folder / "flags.txt").write_text("--dataset=camvid\\n--data_dir=\\n")
with open(folder / "calls.jsonl", "a") as file:
    environment = {k: v for k, v in os.environ.items() if k.startswith(("TF_", "CUDA"))}
    print(json.dumps({"flags": sys.argv[2:], "environment": environment}), file=file)
mode = flags.get("communication")
if stage == "search" and mode in ("fail", "shared"):
    sys.exit("a first line\\nwhat went wrong")
if stage == "search" and mode in ("wait", "deaf"):
    def leave(*_):
        (folder / "saved").write_text("")
        sys.exit(0)
    signal.signal(signal.SIGTERM, leave if mode == "wait" else signal.SIG_IGN)
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(60)
results = {
    "miou": 0.375, "params": 1000, "macs": 2000,
    "predicted_latency_ms": 3.0, "latency_ms": 4.0, "latency_spread_ms": 0.5,
}
(folder / "results.json").write_text(json.dumps(results))
"""


@pytest.fixture
def quick_stages(tmp_path, monkeypatch):
    """Has stages run `PROGRAM`."""
    from lgcnet_tf.sweep import trial

    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    monkeypatch.setattr(
        trial,
        "stage_command",
        lambda stage: [sys.executable, "-S", str(program), stage],
    )


@pytest.fixture
def calls():
    """What a stage of a trial was called with, a dict for each call."""

    def read(trial, stage):
        path = pathlib.Path(trial / stage, "calls.jsonl")
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    return read
