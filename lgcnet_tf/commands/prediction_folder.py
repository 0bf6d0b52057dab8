"""The folder that `lgcnet-predict` writes to: several calls add to one."""

import dataclasses
import os
import pathlib
import statistics
from typing import Any

from lgcnet_tf.config import RunOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write, read_json, write_json
from lgcnet_tf.run_folder import (
    CHECKPOINTS,
    FLAGS,
    GENOTYPE,
    HISTORY,
    LOG,
    RESULTS,
    Lock,
    flag_lines,
)

_HEADING = "# lgcnet-predict"
_MODEL = ("model", "name", "dataset")
"""The options that say whose predictions they are."""


class PredictionFolder:
    """`output_dir` of the predictions of one model; made if absent.

    What a call before wrote of other images stays, in `results.json` too. Nothing is
    written before `finish`.

    Attributes:
        videos: by the name of each video of overlays there, what it was made of.

    Raises:
        InputError: the folder is another command's, or holds the predictions of
            another model.
    """

    def __init__(self, options: RunOptions):
        self.path = pathlib.Path(options.output_dir)
        self._options, self._lock = options, None
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: not a folder; name one with --output_dir.")
        self._read()

    def _read(self) -> None:
        """What stands there now."""
        self._refuse_others()
        self._before: dict[str, list] = {"files": [], "videos": []}
        if (self.path / RESULTS).exists():
            found = read_json(self.path / RESULTS)
            if not isinstance(found, dict):
                raise self._foreign(RESULTS)
            for kind in self._before:
                entries = found.get(kind)
                entries = entries if isinstance(entries, list) else []
                self._before[kind] = [one for one in entries if _is_whole(one)]
        self.videos = {
            os.path.basename(one["overlay"]): one["source"]
            for one in self._before["videos"]
            if "source" in one
        }

    def open(self) -> None:
        """Makes the folder and keeps other processes out until this one ends.

        Raises:
            InputError: one is at work there, or it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self.path)
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot write there: {error.strerror}; name another "
                "--output_dir."
            ) from None
        self._read()  # a call may have ended since

    def finish(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Writes `flags.txt` of this call and `results.json` of all of them.

        Args:
            summary: "files", "failed" and, of videos, "videos" of this call.

        Returns:
            The same of all calls; a picture that was done again counts once. Those of
            "failed" are this call's.
        """
        together = dict(summary)
        for kind in ("files", "videos"):
            new = summary.get(kind, [])
            done = {os.path.basename(one["overlay"]) for one in new}
            kept = [
                one
                for one in self._before[kind]
                if os.path.basename(one["overlay"]) not in done
            ]
            if kind == "files" or kept or new:
                together[kind] = kept + new
        if files := together["files"]:
            times = [one["latency_ms"] for one in files]
            together["latency_ms"] = {
                "median": statistics.median(times),
                "min": min(times),
                "max": max(times),
            }
            classes = files[-1]["class_percentages"]
            shares = [one["class_percentages"] for one in files]
            together["class_percentages"] = {
                name: statistics.fmean(s[name] for s in shares if name in s)
                for name in classes
            }
        lines = [_HEADING, *flag_lines(self._options)]
        with atomic_write(self.path / FLAGS) as temporary:
            temporary.write_text("\n".join(lines) + "\n")
        write_json(self.path / RESULTS, together)
        return together

    def _refuse_others(self) -> None:
        flags = self.path / FLAGS
        if not flags.exists():
            for name in (RESULTS, LOG, CHECKPOINTS, GENOTYPE, HISTORY):
                if (self.path / name).exists():
                    raise self._foreign(name)
            return
        before = flags.read_text(errors="replace").splitlines()
        if not before or before[0] != _HEADING:
            raise self._foreign(FLAGS)
        known = {line.partition("=")[0]: line for line in before}
        for field in dataclasses.fields(self._options):
            now, flag = getattr(self._options, field.name), f"--{field.name}"
            line = f"{flag}={now}"
            if field.name in _MODEL and known.get(flag, line) != line:
                raise InputError(
                    f"{self.path} holds the predictions of another model "
                    f"({known[flag]}, now {line}); choose another --output_dir."
                )

    def _foreign(self, name: str) -> InputError:
        return InputError(
            f"{self.path} is the folder of something else ({name} is not of "
            "lgcnet-predict); choose another --output_dir."
        )


def _is_whole(entry: Any) -> bool:
    kinds = {"overlay": str, "latency_ms": (int, float), "class_percentages": dict}
    return isinstance(entry, dict) and all(
        isinstance(entry.get(name), kind) for name, kind in kinds.items()
    )
