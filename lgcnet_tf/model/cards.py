"""The card of a network of the zoo: what it is, how it came about, how good it is.

`card.json` is read by code and `README.md` is made of it, so that the two never
say different things. Accuracies are fractions of 1.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write, read_json, write_json

FORMAT_VERSION = 1
LICENCES = {
    "camvid": "CamVid (Brostow et al. 2008/2009), for research use.",
    "cityscapes": "Cityscapes (Cordts et al. 2016), for non-commercial use.",
    "toy_streets": "Drawn by this package; no restriction.",
}
"""What the data allow that a network was trained on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """One training, all its runs together.

    Attributes:
        split: splits of the data set.
        left_out: groups of them that were not trained on.
        frames: images trained on.
        passes: whole images seen, crops counted by their share of the input's
            pixels.
    """

    split: str
    left_out: tuple[str, ...]
    frames: int
    passes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Accuracy on images that the network it belongs to was not trained on.

    Attributes:
        split: splits of the data set.
        groups: those of their groups that were measured on; empty for all.
        frames: images.
        miou: mean over the classes that occur.
        per_class_iou: by class; None for one that does not occur.
        training: of the network measured: the same schedule without these images,
            or the entry's own.
    """

    split: str
    groups: tuple[str, ...]
    frames: int
    miou: float
    per_class_iou: dict[str, float | None]
    training: Training


@dataclasses.dataclass(frozen=True, kw_only=True)
class Latency:
    """How long an image takes, as a ratio to a reference timed in turns with it.

    Attributes:
        ratio: below 1 is faster than the reference.
        reference, runtime, device: of what, by what and where.
        threads: of the CPU.
    """

    ratio: float
    reference: str
    runtime: str
    threads: int
    device: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a network of the zoo.

    Attributes:
        name: of the entry.
        dataset: name of the data set.
        licence: what the data allow.
        input_size: (height, width).
        params: parameters, as trained.
        macs: multiply-accumulates of an image, as deployed.
        training: of the weights that come with the entry.
        left_out: accuracy on groups left out, None where it was not measured.
        val: accuracy on the validation split, None where that was trained on.
        latency: None where it was not measured.
        commands: how it was made.
        limits: what it cannot do, one sentence each.
    """

    name: str
    dataset: str
    licence: str
    input_size: tuple[int, int]
    params: int
    macs: int
    training: Training
    left_out: Accuracy | None
    val: Accuracy | None
    latency: Latency | None
    commands: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike) -> None:
        """Writes the card as JSON."""
        write_json(path, {"format_version": FORMAT_VERSION, **dataclasses.asdict(self)})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Card":
        """Reads a card.

        Raises:
            InputError: no such file, no JSON, or an entry that is missing,
                unknown or of the wrong kind; names the file and the entry.
        """
        config = read_json(path)
        version = config.get("format_version") if isinstance(config, dict) else None
        if version != FORMAT_VERSION:
            raise InputError(
                f"{path}: card of format version {version!r}; this release reads "
                f"version {FORMAT_VERSION}."
            )
        del config["format_version"]
        return _read(cls, config, str(path), "card")

    def write_readme(self, path: str | os.PathLike) -> None:
        """Writes `readme_text` to a file, with the curves that lie beside it."""
        curves = sorted(p.name for p in pathlib.Path(path).parent.glob("*_curves.png"))
        with atomic_write(path) as temporary:
            temporary.write_text(readme_text(self, curves))


_PARTS = {
    "training": Training,
    "left_out": Accuracy,
    "val": Accuracy,
    "latency": Latency,
}
_OPTIONAL = ("left_out", "val", "latency")
_KINDS = {
    "input_size": list, "groups": list, "commands": list, "limits": list,
    "per_class_iou": dict, "miou": float, "ratio": float, "frames": int,
    "passes": int, "params": int, "macs": int, "threads": int,
}  # fmt: skip


def _read(kind, config, path, where):
    if not isinstance(config, dict):
        raise InputError(f"{path}: {where} must be an object. Received: {config!r}")
    names = [field.name for field in dataclasses.fields(kind)]
    if wrong := sorted(set(names) ^ set(config)):
        problem = "lacks" if wrong[0] in names else "has an unknown entry"
        raise InputError(f"{path}: {where} {problem} {wrong[0]!r}.")
    values = {}
    for name in names:
        value, below = config[name], f"{where}.{name}"
        if name in _PARTS and not (name == "left_out" and kind is Training):
            if value is not None or name not in _OPTIONAL:
                value = _read(_PARTS[name], value, path, below)
            values[name] = value
            continue
        wanted = list if name == "left_out" else _KINDS.get(name, str)
        accepted = (int, float) if wanted is float else wanted
        if not isinstance(value, accepted) or isinstance(value, bool):
            raise InputError(
                f"{path}: {below} must be of kind {wanted.__name__}. Received: {value!r}"
            )
        values[name] = tuple(value) if wanted is list else value
    return kind(**values)


def readme_text(card: Card, pictures: Sequence[str] = ()) -> str:
    """The card for people to read, in Markdown, with pictures by their paths."""
    training = card.training
    rows = [
        ("data", f"{card.dataset}; {card.licence}"),
        ("trained on", _training_text(training)),
        *(("mIoU, " + _where(a), f"**{_percent(a.miou)}**") for a in _accuracies(card)),
        ("parameters", f"{card.params / 1e6:.2f} M"),
        ("multiply-accumulates, deployed", f"{card.macs / 1e9:.2f} G"),
    ]
    if card.latency:
        timed = card.latency
        rows.append(
            (
                f"latency as a ratio to {timed.reference}",
                f"{timed.ratio:.2f} ({timed.runtime}, {timed.threads} threads, "
                f"{timed.device})",
            )
        )
    lines = [f"# {card.name}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    accuracies = _accuracies(card)
    for found in accuracies:
        if found.training != training:
            lines += ["", f"The figure for {_where(found)} is of a training of this "
                      f"architecture on {_training_text(found.training)}."]  # fmt: skip
    if accuracies:
        lines += [
            "",
            f"| class | {' | '.join(map(_where, accuracies))} |",
            "|---|" + "---|" * len(accuracies),
        ]
        for name in accuracies[0].per_class_iou:
            values = [_percent(found.per_class_iou.get(name)) for found in accuracies]
            lines.append(f"| {name} | {' | '.join(values)} |")
    if card.commands:
        lines += ["", "## How it was made", "", "```", *card.commands, "```"]
    if card.limits:
        lines += ["", "## Limits", "", *(f"- {limit}" for limit in card.limits)]
    for picture in pictures:
        title = picture.removesuffix(".png").replace("_", " ").capitalize()
        lines += ["", f"![{title}]({picture})"]
    return "\n".join(lines) + "\n"


def _accuracies(card):
    return [found for found in (card.left_out, card.val) if found]


def _where(accuracy):
    groups = ", ".join(accuracy.groups)
    return f"{groups} left out" if groups else accuracy.split


def _training_text(training):
    without = f" without {', '.join(training.left_out)}" if training.left_out else ""
    return (
        f"{training.split}{without}, {training.frames} images, {training.passes:,} "
        "whole-image passes"
    )


def _percent(value):
    return "-" if value is None else f"{100 * value:.1f} %"
