"""The file that names a data folder's classes: `classes.json` or `classes.txt`.

`classes.json`::

    {
      "name": "warehouse",
      "classes": ["floor", {"name": "shelf", "color": [200, 30, 30], "value": 3}],
      "void_values": [255],
      "void_colors": ["#000000"]
    }

Only `classes` is needed. A class without `color` gets one that only pictures show;
one without `value` has its place in the list, from 0, as its value in index masks.

`classes.txt` has one class a line, `NAME`, `NAME #rrggbb` or `NAME RED GREEN BLUE`;
the number of the line, from 0, is its value. A line `void` is no class: its value
and its colour are void. Empty lines and those that begin with `#` do not count.

Void values are 255 and void colours black, each where no class has it and the file
does not say otherwise.
"""

import colorsys
import dataclasses
import pathlib
import re
from typing import Any

import numpy as np

from lgcnet_tf.data.images import read_bytes
from lgcnet_tf.data.info import MAX_CLASSES, VOID, DatasetInfo, is_color
from lgcnet_tf.errors import InputError, did_you_mean
from lgcnet_tf.files import read_json, write_json

JSON, TEXT = "classes.json", "classes.txt"
BLACK = (0, 0, 0)

Color = tuple[int, int, int]

_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_LINE = re.compile(
    r"(?P<name>.*?\S)(?:[\s,;:]+(?:(?P<hex>#[0-9a-fA-F]{6})"
    r"|(?P<red>\d{1,3})[\s,;]+(?P<green>\d{1,3})[\s,;]+(?P<blue>\d{1,3})))?\s*"
)


_NUMBERED = re.compile(r"\d+[\s:;,.)]+\S")
_TWO_NUMBERS = re.compile(r".*[^\d\s,;:][\s,;:]+\d{1,3}[\s,;]+\d{1,3}")


@dataclasses.dataclass(frozen=True, eq=False)
class MaskClasses:
    """What the values and colours of masks mean.

    Attributes:
        info: the classes.
        path: the file that says so.
        by_value: class index, or 255 for void, by value in index masks.
        by_color: the same by RGB colour in colour masks.
        colored: the file gives every class a colour.
        void_colors_given: it also says which colours are void.
    """

    info: DatasetInfo
    path: pathlib.Path
    by_value: dict[int, int]
    by_color: dict[Color, int]
    colored: bool
    void_colors_given: bool

    def values_text(self) -> str:
        """The values that masks may have, for an error."""
        return _listed(self, self.by_value)

    def colors_text(self) -> str:
        """The colours that masks may have, for an error."""
        return _listed(self, self.by_color)


def _listed(classes, table, most=12):
    names = [*classes.info.class_names]
    texts = [
        f"{key} {'void' if index == VOID else names[index]}"
        for key, index in table.items()
    ]
    more = [f"{len(texts) - most} more"] if len(texts) > most else []
    return ", ".join(texts[:most] + more)


@dataclasses.dataclass(frozen=True)
class _Class:
    name: str
    value: int
    color: Color | None


def read_classes(folder: pathlib.Path) -> MaskClasses:
    """Reads `classes.json`, or `classes.txt` where there is none.

    Raises:
        InputError: there is neither, or the file is not as the module says.
    """
    if (folder / JSON).exists():
        return parse_json(read_json(folder / JSON), folder / JSON)
    if (folder / TEXT).exists():
        try:
            text = read_bytes(folder / TEXT).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{folder / TEXT}: must be UTF-8 text: {error}.") from None
        return parse_text(text, folder / TEXT)
    inside = [
        path.parent.name
        for path in sorted((*folder.glob(f"*/{JSON}"), *folder.glob(f"*/{TEXT}")))
    ]
    raise InputError(
        f"{folder}: neither {JSON} nor {TEXT} is there; one of them has to name the "
        'classes, such as {"classes": ["road", "car"]}.'
        + (
            f" There is one in {folder / inside[0]}: name that folder."
            if inside
            else ""
        )
    )


def parse_json(config: Any, path: pathlib.Path) -> MaskClasses:
    """Reads the content of `classes.json`; errors name `path`."""
    if isinstance(config, list):
        config = {"classes": config}
    if not isinstance(config, dict) or not isinstance(config.get("classes"), list):
        raise InputError(
            f'{path}: must be {{"classes": [...]}}, a list of names or of objects with '
            "name, color and value."
        )
    known = {"name", "classes", "void_values", "void_colors"}
    if unknown := sorted(set(config) - known):
        raise InputError(
            f"{path}: unknown entry {unknown[0]!r}; known are {', '.join(sorted(known))}."
        )
    name = config.get("name", "")
    if not isinstance(name, str):
        raise InputError(f"{path}: name must be a string. Received: {name!r}")
    classes = [_json_class(c, i, path) for i, c in enumerate(config["classes"])]
    void_values, void_colors = config.get("void_values"), config.get("void_colors")
    if void_values is not None:
        if not isinstance(void_values, list) or not all(map(_is_value, void_values)):
            raise InputError(
                f"{path}: void_values must be a list of values of 0 to 255. "
                f"Received: {void_values!r}"
            )
    if void_colors is not None:
        if not isinstance(void_colors, list):
            raise InputError(f"{path}: void_colors must be a list of colours.")
        void_colors = [_color(color, "void_colors", path) for color in void_colors]
    return _make(name, classes, void_values, void_colors, path)


def parse_text(text: str, path: pathlib.Path) -> MaskClasses:
    """Reads the content of `classes.txt`; errors name `path`."""
    classes, void_values, void_colors = [], [], []
    stripped = [line.strip() for line in text.splitlines()]
    lines = [line for line in stripped if line and not line.startswith("#")]
    if len(lines) > 1 and all(map(_NUMBERED.match, lines)):
        raise InputError(
            f"{path}: every line begins with a number, as {lines[0]!r}; the number of "
            f"the line, from 0, is the value: leave it out, or give values in {JSON}."
        )
    for value, line in enumerate(lines):
        if _TWO_NUMBERS.fullmatch(line):
            raise InputError(
                f"{path}: {line!r} ends with two numbers; give a colour three, as in "
                "'floor 128 64 128'."
            )
        found = _LINE.fullmatch(line)
        color = None
        if found["hex"]:
            color = _color(found["hex"], line, path)
        elif found["red"]:
            color = _color(
                [int(found[c]) for c in ("red", "green", "blue")], line, path
            )
        if found["name"].lower() == "void":
            void_values.append(value)
            void_colors += [color] if color else []
        else:
            classes.append(_Class(found["name"], value, color))
    values = [*void_values, VOID] if void_values else None
    return _make("", classes, values, void_colors or None, path)


def write_classes(path: pathlib.Path, info: DatasetInfo) -> None:
    """Writes `classes.json` for index masks with 255 for void."""
    classes = [
        {"name": name, "color": [int(part) for part in color]}
        for name, color in zip(info.class_names, info.palette)
    ]
    write_json(path, {"name": info.name, "classes": classes})


def distinct_colors(count: int, taken: tuple[Color, ...] = ()) -> list[Color]:
    """Colours to draw classes in that have none: hues by the golden ratio."""
    found: list[Color] = []
    step = 0
    while len(found) < count:
        hue, ring = (step * 0.61803398875) % 1.0, step // 12 % 3
        rgb = colorsys.hsv_to_rgb(hue, (0.85, 0.55, 1.0)[ring], (0.95, 0.75, 0.6)[ring])
        color = tuple(round(255 * part) for part in rgb)
        step += 1
        if color not in (*taken, *found, BLACK):
            found.append(color)
    return found


def _json_class(config, index, path) -> _Class:
    if isinstance(config, str):
        config = {"name": config}
    if not isinstance(config, dict) or not isinstance(config.get("name"), str):
        raise InputError(
            f"{path}: class {index} must be a name or an object with a name. "
            f"Received: {config!r}"
        )
    name, value = config["name"].strip(), config.get("value", index)
    if unknown := sorted(set(config) - {"name", "color", "value"}):
        hint = did_you_mean(unknown[0], ("name", "color", "value"))
        raise InputError(
            f"{path}: class {name!r} has an unknown entry {unknown[0]!r}."
            f"{hint or ' Leave it out.'}"
        )
    if not _is_value(value):
        raise InputError(
            f"{path}: class {name!r}: value must be 0 to 255. Received: {value!r}"
        )
    color = config.get("color")
    return _Class(name, value, None if color is None else _color(color, name, path))


def _is_value(value):
    return type(value) is int and 0 <= value <= 255


def _color(value, where, path) -> Color:
    if isinstance(value, str) and (found := _HEX.fullmatch(value)):
        value = [int(part, 16) for part in found.groups()]
    if not is_color(value):
        raise InputError(
            f"{path}: {where!r}: a colour is [red, green, blue], each 0 to 255, or "
            f'"#rrggbb". Received: {value!r}'
        )
    return tuple(value)


def _make(name, classes, void_values, void_colors, path) -> MaskClasses:
    if not 1 <= len(classes) <= MAX_CLASSES:
        raise InputError(
            f"{path}: needs 1 to {MAX_CLASSES} classes. Received: {len(classes)}"
        )
    for what, given in (
        ("the name", [c.name for c in classes]),
        ("the value", [c.value for c in classes]),
        ("the colour", [c.color for c in classes if c.color]),
    ):
        if twice := [g for g in given if given.count(g) > 1]:
            raise InputError(
                f"{path}: two classes have {what} {twice[0]!r}; give each its own."
            )
    if not all(c.name for c in classes):
        raise InputError(f"{path}: a class has an empty name.")
    values = {c.value: index for index, c in enumerate(classes)}
    colors = {c.color: index for index, c in enumerate(classes) if c.color}
    if void_values is None:
        void_values = [] if VOID in values else [VOID]
    void_colors_given = void_colors is not None
    if void_colors is None:
        void_colors = [] if BLACK in colors else [BLACK]
    for what, void, table in (
        ("value", void_values, values),
        ("colour", void_colors, colors),
    ):
        for one in void:
            if table.get(one, VOID) != VOID:
                raise InputError(
                    f"{path}: the {what} {one} is void and that of "
                    f"{classes[table[one]].name!r}; take it from one of them."
                )
            table[one] = VOID
    drawn = iter(distinct_colors(len(classes), tuple(colors)))
    palette = np.array([c.color or next(drawn) for c in classes], np.uint8)
    palette.flags.writeable = False
    name = name.strip() or path.parent.resolve().name
    info = DatasetInfo(name, tuple(c.name for c in classes), palette)
    colored = all(c.color for c in classes)
    return MaskClasses(info, path, values, colors, colored, void_colors_given)
