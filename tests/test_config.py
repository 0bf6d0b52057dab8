import dataclasses

import pytest

from lgcnet_tf.config import (
    DataOptions,
    RunOptions,
    Size,
    format_size,
    option,
    parse_size,
)
from lgcnet_tf.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(RunOptions):
    colour: str = option("red", "A colour.", ("red", "green"))
    count: int = option(3, "How many.")


@pytest.mark.parametrize(
    "text, size", [("360x480", (360, 480)), ("769X1537", (769, 1537)), ("1x1", (1, 1))]
)
def test_size(text, size):
    assert parse_size(text) == size
    assert format_size(size) == text.lower()


@pytest.mark.parametrize(
    "text",
    ["", "360", "360x", "x480", "360x480x3", "0x480", "-1x5", "axb", "1.5x2", "²x2"],
)
def test_no_size(text):
    with pytest.raises(InputError) as caught:
        parse_size(text)
    assert f"Received: {text!r}" in str(caught.value)


def test_default_and_meaning_stand_in_one_place():
    fields = {field.name: field for field in dataclasses.fields(Options)}
    assert list(fields) == ["output_dir", "extension", "colour", "count"]
    assert fields["colour"].default == "red" == Options().colour
    assert fields["colour"].metadata["help"] == "A colour."
    assert fields["colour"].metadata["choices"] == ("red", "green")
    assert fields["count"].metadata["choices"] == ()
    assert all(field.metadata["help"] for field in dataclasses.fields(DataOptions))


def test_options_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().count = 4


def test_check():
    Options(colour="green").check()
    with pytest.raises(InputError) as caught:
        Options(colour="blue").check()
    assert str(caught.value) == ("--colour must be one of red, green. Received: 'blue'")


def test_size_is_a_pair():
    assert Size == tuple[int, int]
    assert DataOptions().input_size == (96, 160)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limited(RunOptions):
    epochs: int = option(1, "At least one.", minimum=1)
    rate: float = option(0.1, "Positive.", above=0)


def test_limits():
    Limited(epochs=1, rate=1e-9).check()
    with pytest.raises(InputError, match="--epochs must be at least 1. Received: 0"):
        Limited(epochs=0).check()
    with pytest.raises(InputError, match="--rate must be above 0. Received: 0.0"):
        Limited(rate=0.0).check()
    with pytest.raises(InputError, match="--rate must be above 0. Received: nan"):
        Limited(rate=float("nan")).check()
