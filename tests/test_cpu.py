"""oneDNN where TensorFlow would leave it off; no such processor is needed."""

import os
import pathlib
import subprocess
import sys

import pytest

import lgcnet_tf
from lgcnet_tf.cpu import ONEDNN, has_avx512, use_onednn

OLD = "processor\t: 0\nflags\t\t: fpu sse2 avx avx2 fma avx_vnni\n"
NEW = "processor\t: 0\nflags\t\t: fpu sse2 avx2 avx512f avx512dq\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd\n"


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """Writes what Linux says of a processor; TensorFlow is not imported yet."""
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)

    def write(text):
        (tmp_path / "cpuinfo").write_text(text)
        return tmp_path / "cpuinfo"

    return write


@pytest.mark.parametrize("text, known", [(OLD, False), (NEW, True), (ARM, None)])
def test_what_a_processor_has(processor, text, known):
    assert has_avx512(processor(text)) is known
    environment = {}
    use_onednn(environment, processor(text))
    assert environment == ({ONEDNN: "1"} if known is False else {})


def test_a_system_that_does_not_say(processor, tmp_path):
    assert has_avx512(tmp_path / "absent") is None
    use_onednn(environment := {}, tmp_path / "absent")
    assert environment == {}


@pytest.mark.parametrize("setting", ["0", "1", ""])
def test_never_against_the_users_own_setting(processor, setting):
    environment = {ONEDNN: setting}
    use_onednn(environment, processor(OLD))
    assert environment == {ONEDNN: setting}


def test_too_late_is_left_alone(processor, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    use_onednn(environment := {}, processor(OLD))
    assert environment == {}


SCRIPT = """
import os, pathlib, sys

real = pathlib.Path.read_text
pathlib.Path.read_text = lambda path, *args, **keywords: (
    sys.argv[1] if str(path) == "/proc/cpuinfo" else real(path, *args, **keywords)
)
from lgcnet_tf.bin import common

assert "tensorflow" not in sys.modules
print(os.environ.get("TF_ENABLE_ONEDNN_OPTS"))
"""


@pytest.mark.parametrize(
    "text, setting, expected",
    [(OLD, None, "1"), (OLD, "0", "0"), (NEW, None, "None")],
)
def test_every_command_begins_so(text, setting, expected):
    """Importing the package is enough, and comes before TensorFlow."""
    environment = {k: v for k, v in os.environ.items() if k != ONEDNN}
    environment["PYTHONPATH"] = str(pathlib.Path(lgcnet_tf.__file__).parents[1])
    if setting is not None:
        environment[ONEDNN] = setting
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, text],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected
