"""What a command refuses, it refuses with what to do next."""

import ast
import pathlib
import re

import pytest

import lgcnet_tf.commands
from lgcnet_tf.commands.benchmark import BenchmarkOptions, benchmark
from lgcnet_tf.commands.export import ExportOptions
from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.commands.given import check_given
from lgcnet_tf.commands.import_data import ImportOptions, import_data
from lgcnet_tf.commands.predict import PredictOptions, predict
from lgcnet_tf.commands.search import SearchOptions
from lgcnet_tf.commands.serve import ServeOptions
from lgcnet_tf.errors import InputError

PACKAGE = pathlib.Path(lgcnet_tf.commands.__file__).parents[1]
MODULES = sorted(
    path
    for room in ("commands", "data", "serving", "latency")
    for path in (PACKAGE / room).rglob("*.py")
    if "runtimes" not in path.parts
)
NEXT = re.compile(
    r"\b(give|gives|name|names|take|takes|make|leave|leaves|lower|mend|unset|choose|bring|"
    r"needs?|must|put|serves|export|missing: the size|are for|is for|go with|say why|says why|"
    r"same command|Available|Received|smaller|expected|known|measure|remove|rename|set|"
    r"are read|is read|only|cannot be read|damaged|of no class|outside the classes|Download|"
    r"needed|evaluate|There are|Labels|Groups)\b",
    re.IGNORECASE,
)
"""Words of a sentence that says what would be right, or what to do."""


def words_of(node):
    """The fixed words of a text that a program puts together."""
    parts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return " ".join(str(part) for part in parts)


def messages(path):
    """Line and words of what a module raises as InputError or yields as a problem."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if ast.unparse(node.exc.func) in (
                "InputError",
                "NoSuchSplit",
                "BadPicture",
            ):
                yield node.lineno, words_of(node.exc.args[0])
        elif isinstance(node, ast.FunctionDef) and "problems" in node.name:
            for each in ast.walk(node):
                if isinstance(each, ast.Yield):
                    yield each.lineno, words_of(each.value)


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_every_message_says_what_would_be_right(path):
    found = [(line, text) for line, text in messages(path) if len(text.split()) > 4]
    assert not [each for each in found if not NEXT.search(each[1])]


def test_there_are_messages_to_look_at():
    assert sum(len(list(messages(path))) for path in MODULES) > 50


def refused(call, *arguments):
    with pytest.raises(InputError) as error:
        call(*arguments)
    return str(error.value)


def test_what_is_absent_is_looked_for_aloud(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = SearchOptions(data_dir="data", latency_table="table.json")
    first, second = refused(check_given, options).splitlines()
    assert first == f"--data_dir=data: no such folder (looked for {tmp_path}/data)."
    assert second == (
        f"--latency_table=table.json: no such file (looked for {tmp_path}/table.json); "
        "make one with lgcnet-measure-latency."
    )
    options = FinetuneOptions(initial_model="/no/such")
    assert refused(check_given, options) == (
        "--initial_model=/no/such: no such file; give a run's folder, a .keras file or a "
        "name of the model zoo."
    )


@pytest.mark.parametrize(
    "options",
    [
        BenchmarkOptions(model="lgcnet_camvit"),
        PredictOptions(model="lgcnet_camvit"),
        ServeOptions(model="lgcnet_camvit"),
        FinetuneOptions(initial_model="lgcnet_camvit"),
        FinetuneOptions(teacher=("lgcnet_camvit",)),
    ],
)
def test_a_misspelt_name_of_the_zoo_is_recognised(options):
    said = refused(check_given, options)
    assert "Did you mean 'lgcnet_camvid'? " in said and "\n" not in said


@pytest.mark.parametrize(
    "call, options, end",
    [
        (benchmark, BenchmarkOptions(model="a,a"), "Received: 'a,a'"),
        (import_data, ImportOptions(), "give the file or folder of annotations."),
        (predict, PredictOptions(images=("/no/a.png",)), "folders of them or patterns."),
        (ServeOptions.check, ServeOptions(), "or --demo alone."),
        (
            ServeOptions.check,
            ServeOptions(model="a", model_config_file="b"),
            "leave out one.",
        ),
        (ExportOptions.check, ExportOptions(batch_size=2), "give a --format such as onnx."),
    ],
)  # fmt: skip
def test_the_end_of_a_message(call, options, end):
    assert refused(call, options).endswith(end)
