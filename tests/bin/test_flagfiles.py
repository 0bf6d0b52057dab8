"""Every recipe in flags/ is one of its command, and says what it is."""

import pathlib

import pytest
from absl import flags

from lgcnet_tf.bin import flags as command_flags

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted((ROOT / "flags").glob("*.txt"))


def options_of(path):
    """The options of the command that a file's name begins with; else search's."""
    if path.name.startswith("finetune_"):
        from lgcnet_tf.commands.finetune import FinetuneOptions

        return FinetuneOptions
    if path.name.startswith("sweep_"):
        from lgcnet_tf.commands.sweep import SweepOptions

        return SweepOptions
    from lgcnet_tf.commands.search import SearchOptions

    return SearchOptions


@pytest.fixture
def parse(monkeypatch):
    """Reads flags as a command started in the repository's root does."""
    monkeypatch.chdir(ROOT)
    own = set()

    def read(options, *arguments):
        before = set(flags.FLAGS)
        command_flags.define_flags(options)
        own.update(set(flags.FLAGS) - before)
        flags.FLAGS(["test", *arguments])
        return command_flags.options_from_flags(options)

    yield read
    for name in own & set(flags.FLAGS):
        delattr(flags.FLAGS, name)
    flags.FLAGS.unparse_flags()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parses_for_its_command(path, parse):
    assert path.read_text().startswith("# ")
    options = parse(options_of(path), f"--flagfile={path}")
    options.check()
    if hasattr(options, "skeleton"):
        options.skeleton(num_classes=19)


@pytest.mark.parametrize(
    "name, fusion, taps",
    [
        ("fusion_none", "none", (13,)),
        ("fusion_aspp", "aspp", (13,)),
        ("fusion_ppm", "ppm", (13,)),
        ("fusion_cas", "cas", (7, 13)),
        ("fusion_dense", "dense", (0, 7, 13)),
        *(
            (f"fusion_taps_0_{middle}_{last}", "dense", (0, middle, last))
            for middle, last in [(5, 13), (6, 13), (7, 13), (7, 10), (7, 11), (7, 12)]
        ),
    ],
)
def test_rows_of_tables_x_and_xi(name, fusion, taps, parse):
    from lgcnet_tf.commands.search import SearchOptions

    options = parse(SearchOptions, f"--flagfile=flags/{name}.txt")
    skeleton = options.skeleton(num_classes=19)
    assert (skeleton.fusion, skeleton.taps) == (fusion, taps)
    assert options.dataset == "cityscapes"


def test_a_flag_has_its_other_name(parse):
    from lgcnet_tf.commands.measure_latency import MeasureOptions

    assert parse(MeasureOptions, "--batch=3").batch_size == 3
