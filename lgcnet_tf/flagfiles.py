"""Flagfiles: finding them, reading them and those that they include."""

import os
import pathlib
from collections.abc import Iterator

from lgcnet_tf.errors import InputError

RECIPES = pathlib.Path(__file__).parent / "flags"
"""The recipes that come with the package."""


def find_flagfile(name: str | os.PathLike, beside: pathlib.Path | None = None) -> str:
    """Where a flagfile lies.

    A relative name is looked for in the working folder, then beside the file that
    includes it, then among the package's recipes, where the folder before it does not
    matter and `.txt` may be left out: `flags/search_camvid.txt`, or `search_camvid`.

    Args:
        name: as the flag has it.
        beside: folder of the file that includes it, if one does.

    Raises:
        InputError: there is no such file.
    """
    path = pathlib.Path(name)
    places = [path]
    if not path.is_absolute():
        places += [beside / path] if beside else []
        places += [RECIPES / path.name, RECIPES / f"{path.name}.txt"]
    for place in places:
        if place.is_file():
            return str(place)
    recipes = ", ".join(sorted(one.stem for one in RECIPES.glob("*.txt")))
    raise InputError(
        f"{name}: no such file. Give a path, or one of the package's recipes: {recipes}."
    )


def flag_lines_of(
    name: str | os.PathLike, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """The flags of a flagfile and of those that it includes, in order.

    Args:
        name: as for `find_flagfile`.
        above: paths of the files that include it.

    Yields:
        The path of the file that a flag stands in, and the flag.

    Raises:
        InputError: a file is absent, cannot be read, or files include one another in
            a circle.
    """
    path = find_flagfile(name, pathlib.Path(above[-1]).parent if above else None)
    if path in above:
        raise InputError(f"{path}: a flagfile that names itself.")
    try:
        lines = pathlib.Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise InputError(f"{path}: cannot be read: {reason}.") from None
    for line in map(str.strip, lines):
        flag, _, value = line.partition("=")
        if flag.lstrip("-") == "flagfile" and flag.startswith("-"):
            yield from flag_lines_of(value, (*above, path))
        elif line and not line.startswith(("#", "//")):
            yield path, line
