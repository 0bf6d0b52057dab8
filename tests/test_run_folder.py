import dataclasses
import json
import os
import subprocess
import sys

import pytest
from absl import flags
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lgcnet_tf.bin import flags as command_flags
from lgcnet_tf.config import DataOptions, RunOptions, Size, option
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import Lock, RunFolder, flag_lines


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(DataOptions):
    """One option of every kind there is."""

    crop_size: Size = option((96, 160), "A size.")
    other_size: Size | None = option(None, "A size or none.")
    cells: tuple[int, ...] = option((1, 8), "Numbers.")
    batch_size: int = option(16, "A number.")
    rate: float = option(0.1, "A number with a point.")
    title: str = option("", "Words.")
    kind: str = option("a", "A choice.", ("a", "b"))
    fast: bool = option(False, "Yes or no.")
    slow: bool = option(True, "Yes or no.")


@pytest.fixture
def options(tmp_path):
    return Options(
        output_dir=str(tmp_path / "run"),
        crop_size=(32, 64),
        cells=(2, 3, 5),
        rate=1e-7,
        title="two words, and = # 'signs'",
        kind="b",
        fast=True,
        slow=False,
    )


@pytest.fixture
def parse():
    """Reads a flagfile as the binaries do."""
    own = set()

    def parse(path):
        before = set(flags.FLAGS)
        command_flags.define_flags(Options)
        own.update(set(flags.FLAGS) - before)
        flags.FLAGS(["test", f"--flagfile={path}"])
        return command_flags.options_from_flags(Options)

    yield parse
    for name in own & set(flags.FLAGS):
        delattr(flags.FLAGS, name)
    flags.FLAGS.unparse_flags()


def test_flags_are_a_flagfile_of_the_run(options, parse):
    folder = RunFolder(options, "search")
    assert (folder / "flags.txt").read_text().startswith("# lgcnet-search\n")
    assert parse(folder / "flags.txt") == options


def test_every_flag_is_written_but_those_not_given(options):
    names = [line.split("=")[0] for line in flag_lines(options)]
    assert names == [
        "--output_dir", "--extension", "--dataset", "--data_dir", "--group_by", "--val_share",
        "--split_seed", "--split",
        "--crop_size", "--cells", "--batch_size", "--rate", "--title", "--kind",
        "--fast", "--noslow",
    ]  # fmt: skip
    assert "--crop_size=32x64" in flag_lines(options)
    assert "--cells=2,3,5" in flag_lines(options)


def test_results(options):
    folder = RunFolder(options, "evaluate")
    assert not folder.resumed
    results = {"miou": 0.5, "per_class_iou": {"road": 0.9, "pole": None}}
    assert folder.finish(results) == results
    assert json.loads((folder / "results.json").read_text()) == results
    names = {path.name for path in folder.path.iterdir()}
    assert names == {"flags.txt", "inputs.json", "log.txt", "events", "results.json"}


def test_events_of_tensorboard(options):
    folder = RunFolder(options, "search")
    folder.write_scalars(1, {"loss": 2.5, "name": "text", "done": True})
    folder.write_scalars(2, {"loss": 1.5, "epoch": 2})
    folder.finish({"miou": 0.25, "model": "model.keras"})
    events = EventAccumulator(str(folder / "events")).Reload()
    assert set(events.Tags()["scalars"]) == {"loss", "epoch", "results/miou"}
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 2.5), (2, 1.5)]
    assert [e.value for e in events.Scalars("results/miou")] == [0.25]


def test_log(options):
    folder = RunFolder(options, "search")
    folder.log.info("a figure of %d", 7)
    text = (folder / "log.txt").read_text()
    assert "lgcnet-search starts" in text
    assert "INFO a figure of 7" in text


def test_log_of_one_run_does_not_go_into_anothers(options, tmp_path):
    one = RunFolder(options, "search")
    two = RunFolder(
        dataclasses.replace(options, output_dir=str(tmp_path / "two")), "search"
    )
    two.log.info("for the second")
    assert "for the second" not in (one / "log.txt").read_text()
    assert (two / "log.txt").read_text().count("for the second") == 1


def test_a_broken_run_goes_on(options):
    RunFolder(options, "search")
    folder = RunFolder(options, "search")
    assert folder.resumed
    text = (folder / "log.txt").read_text()
    assert "starts" in text and "goes on" in text


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(options, command, match):
    with pytest.raises(InputError, match=match) as caught:
        RunFolder(options, command)
    assert "\n" not in str(caught.value)


def test_refuses_a_finished_run(options):
    folder = RunFolder(options, "search")
    folder.finish({})
    before = content(folder.path)
    refused(options, "search", "already holds a finished run")
    assert content(folder.path) == before


def test_refuses_other_flags(options):
    folder = RunFolder(options, "search")
    before = content(folder.path)
    other = dataclasses.replace(options, rate=0.5, fast=False)
    refused(other, "search", "another run.*--fast --nofast --rate=0.5 --rate=1e-07")
    assert content(folder.path) == before


def test_refuses_another_commands_run(options):
    RunFolder(options, "search")
    refused(options, "finetune", "another run.*# lgcnet-finetune # lgcnet-search")


def test_refuses_a_file_in_its_place(options, tmp_path):
    (tmp_path / "run").write_text("mine")
    refused(options, "search", "run: not a folder")
    assert (tmp_path / "run").read_text() == "mine"


def test_refuses_a_place_below_a_file(options, tmp_path):
    (tmp_path / "file").write_text("mine")
    options = dataclasses.replace(options, output_dir=str(tmp_path / "file" / "run"))
    refused(options, "search", "cannot write there")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs Unix")
def test_refuses_an_unwritable_folder(options, tmp_path):
    if os.geteuid() == 0:  # who may write everywhere, but not into the kernel's files
        place = "/proc/run"
    else:
        place = str(tmp_path / "locked" / "run")
        (tmp_path / "locked").mkdir(mode=0o500)
    refused(dataclasses.replace(options, output_dir=place), "search", "cannot write")


def test_needs_a_folder():
    refused(Options(), "search", "--output_dir is missing")


INPUTS = {
    "--split=train": {"train/a.png": "1", "train/b.png": "2"},
    "--latency_table": {"table.json": "3"},
}


def test_goes_on_with_the_same_inputs(options):
    RunFolder(options, "search", inputs=INPUTS)
    folder = RunFolder(options, "search", inputs=INPUTS)
    assert folder.resumed
    assert json.loads((folder / "inputs.json").read_text()) == INPUTS


@pytest.mark.parametrize(
    "change, said",
    [
        ({"--split=train": {"train/a.png": "1"}}, "--split=train: train/b.png removed"),
        (
            {"--split=train": {f"{n}.png": "1" for n in range(5)}},
            "0.png 1.png 2.png and 2 more added, train/a.png train/b.png removed",
        ),
        (
            {"--latency_table": {"table.json": "4"}},
            "--latency_table: table.json changed",
        ),
        ({"--model": {"genotype.json": "5"}}, "--model: genotype.json added"),
    ],
)
def test_refuses_other_inputs(options, change, said):
    folder = RunFolder(options, "search", inputs=INPUTS)
    before = content(folder.path)
    with pytest.raises(InputError, match="not what they were when it began") as caught:
        RunFolder(options, "search", inputs=INPUTS | change)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert content(folder.path) == before


def test_goes_on_with_a_run_from_before_inputs_were_recorded(options):
    folder = RunFolder(options, "search", inputs=INPUTS)
    (folder / "inputs.json").unlink()
    folder = RunFolder(options, "search", inputs=INPUTS)
    notes = (folder / "log.txt").read_text().count("begun before inputs were recorded")
    assert folder.resumed and notes == 1
    with pytest.raises(InputError, match="cannot go on"):
        RunFolder(options, "search", inputs={})


OTHER_PROCESS = """
import sys
from lgcnet_tf.config import RunOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import RunFolder

try:
    folder = RunFolder(RunOptions(output_dir=sys.argv[1]), "test", int(sys.argv[2]))
except InputError as error:
    print(error, flush=True)
else:
    print("has it", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start():
    """Starts another process that opens a run folder; what it says, and it."""
    started = []

    def start(folder, worker=0):
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER_PROCESS, str(folder), str(worker)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process.stdout.readline(), process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_one_process_at_a_time(start, tmp_path):
    said, first = start(tmp_path / "run")
    assert said == "has it\n"
    before = content(tmp_path / "run")
    said, _ = start(tmp_path / "run")
    assert said == (
        f"{tmp_path}/run: another process is at work in this folder; wait for it or "
        "name another one.\n"
    )
    assert content(tmp_path / "run") == before
    said, _ = start(tmp_path / "run", worker=1)  # of the same distributed run
    assert said == "has it\n"
    first.kill()
    first.wait()
    assert start(tmp_path / "run")[0] == "has it\n"


def test_lock_is_given_back(start, tmp_path):
    options = RunOptions(output_dir=str(tmp_path / "run"))
    folder = RunFolder(options, "test")
    assert "another process" in start(folder.path)[0]
    folder = RunFolder(options, "test")  # the same process may
    del folder
    assert start(tmp_path / "run")[0] == "has it\n"


def test_lock_of_a_folder(tmp_path):
    code = "import sys; from lgcnet_tf.run_folder import Lock; Lock(sys.argv[1])"
    lock = Lock(tmp_path)
    assert list(tmp_path.iterdir()) == []
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True
    )
    assert f"{tmp_path}: another process is at work" in done.stderr
    del lock
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
