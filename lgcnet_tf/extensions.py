"""What is added from outside the package: named things, and modules that bring them.

An extension is any module that registers something when it is imported. A command
imports it by `--extension`; one of an installed package is found by itself, if the
package names it among its entry points of the group `lgcnet_tf.extensions`.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import fingerprint

ENTRY_POINTS = "lgcnet_tf.extensions"
"""Group of the entry points by which an installed package names its extensions."""

Thing = TypeVar("Thing")


class Registry(Mapping[str, Thing]):
    """Things of one kind by name: the package's own, then those that were added.

    Args:
        kind: what they are, for errors: `operation`.
        own: those of the package, which cannot be replaced.
    """

    def __init__(self, kind: str, own: Mapping[str, Thing]):
        self.kind = kind
        self._own = dict(own)
        self._added: dict[str, Thing] = {}
        self._origins: dict[str, str] = {}

    def register(self, name: str, thing: Thing) -> None:
        """Adds `thing`; a later one of the same name takes the earlier one's place.

        To be called by a function that is itself called by who adds it: that
        module's name is kept as the thing's origin.

        Raises:
            InputError: the name is one of the package's own, or no name.
        """
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*", name):
            raise InputError(
                f"{self.kind}: a name is a letter, then letters, digits and _. "
                f"Received: {name!r}"
            )
        if name in self._own:
            raise InputError(
                f"{self.kind}: {name!r} is the package's own; take another name."
            )
        self._added[name] = thing
        self._origins[name] = sys._getframe(2).f_globals.get("__name__", "__main__")

    def origin(self, name: str) -> str | None:
        """The module that registered `name`; None for the package's own."""
        return self._origins.get(name)

    def names(self) -> tuple[str, ...]:
        """All names, the package's own first."""
        return (*self._own, *self._added)

    def __getitem__(self, name: str) -> Thing:
        if not isinstance(name, str):
            raise KeyError(name)
        for found in (self._own, self._added):
            if name in found:
                return found[name]
        load_installed()
        return self._added[name]

    def __contains__(self, name: object) -> bool:
        try:
            self[name]  # type: ignore[index]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def find(self, name: str, extensions: Iterable[str] = ()) -> Thing:
        """The thing of that name.

        Args:
            extensions: the modules that a file says its parts are from.

        Raises:
            InputError: there is none; names those there are, and how to add it.
        """
        if name in self:
            return self[name]
        raise InputError(
            f"{self.kind} must be one of {', '.join(self.names())}{hint(extensions)}. "
            f"Received: {name!r}"
        )


def hint(extensions: Iterable[str] = ()) -> str:
    """What an error says of a thing that is not here but may be elsewhere."""
    if names := ", ".join(extensions):
        return f", or of the extension {names}: name it with --extension={names}"
    return ", or one that a module named with --extension registers"


@functools.cache
def load_installed() -> None:
    """Imports the extensions of installed packages, once.

    Raises:
        InputError: one cannot be imported.
    """
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        _imported(f"entry point {entry.name}", entry.load)


def load_extensions(names: Iterable[str]) -> None:
    """Imports modules that register something.

    Args:
        names: of modules that Python finds, also in the working directory, or paths
            of `.py` files, whose module's name is then the file's.

    Raises:
        InputError: one is absent, or fails; says where.
    """
    for name in names:
        _imported(f"--extension={name}", functools.partial(_module, name))


def extension_inputs(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Fingerprints of the source files of extensions, for a run folder."""
    found = {}
    for name in names:
        module = _module(name)
        folders = list(getattr(module, "__path__", ()))
        for root in map(pathlib.Path, folders):
            for path in sorted(root.rglob("*.py")):
                found[f"{module.__name__}/{path.relative_to(root)}"] = fingerprint(path)
        if not folders and getattr(module, "__file__", None):
            found[module.__name__] = fingerprint(str(module.__file__))
    return {"--extension": found} if found else {}


def _module(name):
    """Imports the module, or the file."""
    if not name.endswith(".py"):
        if os.getcwd() not in sys.path:  # as where Python runs a script of that folder
            sys.path.append(os.getcwd())
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
        raise InputError(
            f"--extension={name}: neither a module that Python finds nor {name}.py here."
        )
    path, stem = pathlib.Path(name).resolve(), pathlib.Path(name).stem
    if not path.is_file():
        raise InputError(f"--extension={name}: no such file.")
    if (loaded := sys.modules.get(stem)) is not None:
        if getattr(loaded, "__file__", None) == str(path):
            return loaded
        raise InputError(f"--extension={name}: there is another module {stem!r}.")
    spec = importlib.util.spec_from_file_location(stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"--extension={name}: not a module.")
    sys.modules[stem] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[stem]
        raise
    return module


def _imported(where: str, load: Callable[[], object]) -> None:
    try:
        load()
    except InputError as error:
        text = str(error)
        raise InputError(
            text if text.startswith(where) else f"{where}: {text}"
        ) from None
    except Exception as error:  # whatever somebody's module does
        at = traceback.extract_tb(error.__traceback__)[-1]
        words = " ".join(str(error).split()) or "no message"
        raise InputError(
            f"{where}: {type(error).__name__}: {words} ({at.filename}, line {at.lineno})."
        ) from error
