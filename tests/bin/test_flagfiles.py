"""Every recipe of the package is one of its command, and says what it is."""

import pytest
from absl import flags

from lgcnet_tf.bin import flags as command_flags
from lgcnet_tf.errors import InputError
from lgcnet_tf.flagfiles import RECIPES, find_flagfile, flag_lines_of

FILES = sorted(RECIPES.glob("*.txt"))


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
def parse(monkeypatch, tmp_path):
    """Reads flags as a command started anywhere does."""
    monkeypatch.chdir(tmp_path)
    own = set()

    def forget():
        for name in own & set(flags.FLAGS):
            delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()

    def read(options, *arguments):
        forget()
        before = set(flags.FLAGS)
        command_flags.define_flags(options)
        own.update(set(flags.FLAGS) - before)
        assert command_flags.parse(options, ["test", *arguments]) == (["test"], [])
        return command_flags.options_from_flags(options)

    yield read
    forget()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parses_for_its_command(path, parse):
    assert path.read_text().startswith("# ")
    options = parse(options_of(path), f"--flagfile={path}")
    options.check()
    if hasattr(options, "skeleton"):
        options.skeleton(num_classes=19)


@pytest.mark.parametrize(
    "name, field, rows",
    [
        ("sweep_ggm_width", "ggm_width", [16, 32, 64, 128, 256]),
        (
            "sweep_fusion",
            "taps",
            [("none", (13,)), ("aspp", (13,)), ("ppm", (13,)), ("cas", (7, 13)),
             ("dense", (0, 7, 13))],
        ),
        (
            "sweep_fusion_taps",
            "taps",
            [("dense", (0, middle, last)) for middle, last in
             [(5, 13), (6, 13), (7, 13), (7, 10), (7, 11), (7, 12)]],
        ),
        (
            "sweep_communication",
            "communication",
            ["shared", "none", "fc", "ggm_operation", "ggm"],
        ),
    ],
)  # fmt: skip
def test_rows_of_the_papers_tables(name, field, rows, parse):
    from lgcnet_tf.commands.search import SearchOptions
    from lgcnet_tf.commands.sweep import STAGE_OPTIONS, SweepOptions
    from lgcnet_tf.sweep.vary import parse_vary, settings

    sweep = parse(SweepOptions, f"--flagfile={name}")
    found = []
    for setting in settings(parse_vary(sweep.vary, STAGE_OPTIONS)):
        varied = [f"--{axis}={value}" for axis, value in setting.items()]
        options = parse(SearchOptions, f"--flagfile={sweep.search_flags}", *varied)
        assert options.dataset == "cityscapes"
        skeleton = options.skeleton(num_classes=19)
        taps = skeleton.fusion, skeleton.taps
        found.append(taps if field == "taps" else getattr(options, field))
    assert found == rows


def test_a_flag_has_its_other_name(parse):
    from lgcnet_tf.commands.measure_latency import MeasureOptions

    assert parse(MeasureOptions, "--batch=3").batch_size == 3


def test_found_from_anywhere_and_the_users_own_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = str(RECIPES / "search_camvid.txt")
    names = ("search_camvid", "search_camvid.txt", "flags/search_camvid.txt")
    assert [find_flagfile(name) for name in names] == [recipe] * 3
    (tmp_path / "search_camvid.txt").write_text("--epochs=2\n")
    assert find_flagfile("search_camvid.txt") == "search_camvid.txt"
    with pytest.raises(InputError, match="absent: no such file"):
        find_flagfile("absent")
    with pytest.raises(InputError, match="no such file"):
        find_flagfile("/absent/search_camvid.txt")


def test_includes_lie_beside_and_later_flags_follow(tmp_path):
    (tmp_path / "inner.txt").write_text("# words\n\n--epochs=2\n// more\n--seed=3\n")
    outer = tmp_path / "outer.txt"
    outer.write_text("--epochs=1\n--flagfile=inner.txt\n  --noremat \n")
    lines = [line for _, line in flag_lines_of(outer)]
    assert lines == ["--epochs=1", "--epochs=2", "--seed=3", "--noremat"]
    outer.write_text("--flagfile=outer.txt\n")
    with pytest.raises(InputError, match="outer.txt: a flagfile that names itself"):
        list(flag_lines_of(outer))
    outer.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        list(flag_lines_of(outer))
