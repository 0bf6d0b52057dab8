"""The versions of one model: which are there, which are served, in what state."""

import contextlib
import dataclasses
import logging
import os
import pathlib
import threading
import weakref
from collections.abc import Callable, Mapping

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.memory import give_back_after
from lgcnet_tf.serving.servable import Servable
from lgcnet_tf.serving.status import Code, RequestError, invalid, one_line
from lgcnet_tf.serving.version_folders import version_folders

_LOG = logging.getLogger(__name__)
_MOST_ENDED = 16

START, LOADING, AVAILABLE, UNLOADING, END = (
    "START", "LOADING", "AVAILABLE", "UNLOADING", "END"
)  # fmt: skip


@dataclasses.dataclass
class VersionState:
    """One version's state; `error` says why it is none that can be served."""

    state: str
    error: str = ""
    servable: Servable | None = None
    stamp: object = None


@dataclasses.dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions that are there to serve.

    Attributes:
        latest: so many of the newest, where `specific` is empty; 0 for all.
        specific: these.
    """

    latest: int = 1
    specific: tuple[int, ...] = ()


class ModelVersions:
    """Keeps what is served in step with a folder of versions.

    Args:
        name: the name the model is served under.
        base_path: the folder with the version folders.
        limits: of the server.
        policy: which versions to serve.
        labels: versions by label.

    Attributes:
        name, base_path, policy, labels: as given.
    """

    def __init__(
        self,
        name: str,
        base_path: str | os.PathLike,
        limits: Limits,
        policy: VersionPolicy = VersionPolicy(),
        labels: Mapping[str, int] | None = None,
    ):
        self.name, self.base_path = name, pathlib.Path(base_path)
        self.policy, self.labels = policy, dict(labels or {})
        self._limits = limits
        self._states: dict[int, VersionState] = {}
        self._refreshing = threading.Lock()
        self._setting = threading.RLock()

    def refresh(self) -> None:
        """Loads what is new, then drops what is no longer wanted.

        A version that cannot be loaded is passed over and said by `states`; it is
        tried again once its files have changed. What is served goes on until what
        replaces it is warm. Blocks while it loads.
        """
        with self._refreshing:
            folders = version_folders(self.base_path)
            wanted = self._wanted(folders, lambda v: self._load(v, folders[v]))
            served = [v for v, one in self._states.items() if one.servable is not None]
            if wanted or not folders:
                for version in sorted(set(served) - set(wanted)):
                    if folders or self.policy.specific:
                        self._unload(version)
            self._forget()

    def _wanted(
        self, folders: Mapping[int, pathlib.Path], load: Callable[[int], bool]
    ) -> list[int]:
        """The versions to serve, loaded; an older one for each that is broken."""
        if self.policy.specific:
            return [v for v in self.policy.specific if v in folders and load(v)]
        wanted = []
        for version in sorted(folders, reverse=True):
            if self.policy.latest and len(wanted) == self.policy.latest:
                break
            if load(version):
                wanted.append(version)
        return wanted

    def _load(self, version: int, folder: pathlib.Path) -> bool:
        known = self._states.get(version)
        if known is not None and known.servable is not None:
            return True
        stamp = _stamp(folder)
        if known is not None and known.error and known.stamp == stamp:
            return False
        self._set(version, VersionState(LOADING))
        try:
            servable = Servable(self.name, version, folder, self._limits)
        except InputError as error:
            _LOG.warning("%s version %d: %s", self.name, version, error)
            self._set(version, VersionState(END, one_line(str(error)), stamp=stamp))
            return False
        self._set(version, VersionState(AVAILABLE, servable=servable))
        _LOG.info("%s version %d is served", self.name, version)
        return True

    def give_back(self) -> None:
        """Gives the memory of all versions back when their last requests have ended.

        For a model that is no longer served.
        """
        for state in self._states.values():
            if state.servable is not None:
                give_back_after(state.servable)

    def _unload(self, version: int) -> None:
        # Requests under way hold what they run on, and the last one ends it.
        unloading = VersionState(UNLOADING)
        servable = self._states[version].servable
        give_back_after(servable)
        weakref.finalize(servable, self._end, version, unloading).atexit = False
        del servable
        self._set(version, unloading)

    def _end(self, version: int, unloading: VersionState) -> None:
        with self._setting:
            if self._states.get(version) is unloading:  # else it was loaded again
                self._set(version, VersionState(END))
                _LOG.info("%s version %d is no longer served", self.name, version)

    def _forget(self) -> None:
        with self._setting:
            ended = [v for v, one in self._states.items() if one.state == END]
            old = ended[:-_MOST_ENDED]
            self._states = {v: one for v, one in self._states.items() if v not in old}

    def _set(self, version: int, state: VersionState) -> None:
        with self._setting:
            # A new dictionary each time: whoever reads has a whole one.
            self._states = dict(sorted({**self._states, version: state}.items()))

    def check_served(self) -> None:
        """Refuses a model of which no version can be served.

        Raises:
            InputError: no folder, no version in it, or what is wrong with the
                newest.
        """
        if self.versions:
            return
        if not self.base_path.is_dir():
            raise InputError(
                f"{self.base_path}: no such model folder; give the saved_model folder of "
                "an export."
            )
        if broken := [one.error for one in self._states.values() if one.error]:
            raise InputError(broken[-1])
        if (self.base_path / "saved_model.pb").exists():
            raise InputError(
                f"{self.base_path}: a SavedModel; give the folder that holds its "
                "integer version folder."
            )
        if self.policy.specific and version_folders(self.base_path):
            raise InputError(
                f"{self.base_path}: there is none of the versions "
                f"{list(self.policy.specific)}. Available: "
                f"{', '.join(map(str, version_folders(self.base_path)))}."
            )
        raise InputError(
            f"{self.base_path}: no version in this model folder; an export writes an "
            "integer folder such as 1/."
        )

    @property
    def versions(self) -> list[int]:
        """Numbers of the versions that are served, ascending."""
        return [v for v, one in self._states.items() if one.servable is not None]

    @property
    def states(self) -> dict[int, VersionState]:
        """The state of each version that was ever wanted, ascending."""
        return dict(self._states)

    def version_of_label(self, label: str) -> int:
        """Raises RequestError, INVALID_ARGUMENT, for an unknown label."""
        if label not in self.labels:
            raise invalid(f"Unrecognized servable version label: {one_line(label)}")
        return self.labels[label]

    def servable(self, version: int | None = None) -> Servable:
        """The version, or the newest where None.

        Raises:
            RequestError: NOT_FOUND.
        """
        states = self._states
        served = [one.servable for one in states.values() if one.servable is not None]
        if version is None and served:
            return served[-1]
        with contextlib.suppress(StopIteration):
            return next(one for one in served if one.version == version)
        named = "No version" if version is None else f"No version {version}"
        numbers = ", ".join(str(one.version) for one in served) or "none"
        raise RequestError(
            Code.NOT_FOUND, f"{named} of {self.name!r} is served; {numbers} is."
        )


def _stamp(folder: pathlib.Path) -> object:
    """Changes when a file of the version does."""
    try:
        files = [p for p in folder.rglob("*") if p.is_file()]
        return sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in files)
    except OSError:
        return None
