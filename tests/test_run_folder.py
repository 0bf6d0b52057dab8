import dataclasses
import json
import os

import pytest
from absl import flags
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lgcnet_tf.bin import common
from lgcnet_tf.config import DataOptions, Size, option
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import RunFolder, flag_lines


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
        common.define_flags(Options)
        own.update(set(flags.FLAGS) - before)
        flags.FLAGS(["test", f"--flagfile={path}"])
        return common.options_from_flags(Options)

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
        "--output_dir", "--dataset", "--input_size", "--data_dir", "--split",
            "--group_by",
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
    assert names == {"flags.txt", "log.txt", "events", "results.json"}


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
