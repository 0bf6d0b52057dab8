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
    assert DataOptions(input_size=(96, 160)).input_size == (96, 160)


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Typed(RunOptions):
    number: int = option(3, "A number.", minimum=1)
    share: float = option(0.5, "A share.", above=0)
    size: Size | None = option(None, "A size.")
    cells: tuple[int, ...] | None = option(None, "Cells.")
    kind: str | None = option(None, "A kind.", ("a", "b"))


@pytest.mark.parametrize(
    "values, words",
    [
        ({"number": "many"}, "--number takes a whole number, such as 3. Received: 'many'"),
        ({"number": True}, "--number takes a whole number"),
        ({"share": "half"}, "--share takes a number, such as 0.5"),
        ({"size": (3, 4, 5)}, "--size takes a size, height and width. Received"),
        ({"cells": (1, "b")}, "--cells takes a list of whole numbers. Received"),
        ({"kind": "c"}, "--kind must be one of a, b. Received: 'c'"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_told(values, words):
    with pytest.raises(InputError, match=words):
        Typed(**values).check()


def test_what_fits_a_type_passes():
    Typed().check()
    Typed(number=4, share=1, size=(3, 4), cells=(), kind="a").check()
