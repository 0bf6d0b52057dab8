"""A look at a data set before a training: counts, classes, pictures, warnings."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lgcnet_tf.commands.finish import finish
from lgcnet_tf.config import DivisionOptions, format_size, option
from lgcnet_tf.data.contact_sheet import contact_sheet
from lgcnet_tf.data.division import TRAIN
from lgcnet_tf.data.folder import FOLDER
from lgcnet_tf.data.folder.layouts import KNOWN_SPLITS, SPLITS
from lgcnet_tf.data.inspection import (
    NEAR_EQUAL,
    SplitContent,
    look_into,
    near_equal,
    typical_samples,
)
from lgcnet_tf.data.load import open_divided
from lgcnet_tf.data.samples import Samples
from lgcnet_tf.errors import InputError, did_you_mean
from lgcnet_tf.files import atomic_write, write_json
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.terminal import Bar, show_table

SHEET = "contact_sheet_{}.png"
PROBLEMS = "problems.json"
MUCH_VOID = 0.5
_SHOWN = 20
_SIZES = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class InspectOptions(DivisionOptions):
    """Options of a look at data."""

    dataset: str = option(
        FOLDER, "Data set: folder for your own, that of --data_dir; or another's name."
    )
    splits: tuple[str, ...] = option((), "Splits to look at; none for all.")
    pictures: int = option(24, "Images on each contact sheet; 0 for none.", minimum=0)
    near_equal: float = option(
        NEAR_EQUAL,
        "Correlation of small gray copies from which on an image counts as near-equal "
        "to one of the training split.",
        above=0,
    )


def inspect_data(options: InspectOptions) -> dict[str, Any]:
    """Reads all samples; prints what there is and draws a contact sheet for each split.

    `report.html` has all of it.

    Returns:
        What `results.json` holds; with problems `problems.json`, as then the look is
        not finished.

    Raises:
        InputError: bad options or data; or samples that cannot be read, after all
            others were looked at and the results are written.
    """
    options.check()
    opened = open_divided(options.dataset, options.data_dir or None, **options.division)
    if wrong := [name for name in options.splits if name not in opened.splits]:
        raise InputError(
            f"--splits={','.join(options.splits)}: {opened.info.name} has no split "
            f"'{wrong[0]}'. Available: {', '.join(opened.splits)}."
        )
    folder = RunFolder(options, "inspect_data")
    contents: dict[str, SplitContent] = {}
    sheets: dict[str, str] = {}
    for split in options.splits or opened.splits:
        samples = opened.load(split)
        contents[split] = look_into(
            samples, Bar(f"looking at {split}", len(samples), "image").update
        )
        if options.pictures and contents[split].names:
            sheets[split] = SHEET.format(split)
            _draw(samples, contents[split], options.pictures, folder / sheets[split])
    near = _near_equal(contents, options.near_equal)
    warnings = [*_warnings(contents), *_near_warnings(near, contents)]
    if options.dataset == FOLDER:
        warnings += _misspelt(contents)
    problems = [line for found in contents.values() for line in found.problems]
    print("\n".join(report_lines(contents)), flush=True)
    show_table(*class_cells(contents))
    for line in problems[:_SHOWN]:
        folder.log.error("%s", line)
    for line in warnings:
        folder.log.warning("%s", line)
    results = {
        "dataset": opened.info.name,
        "classes": opened.info.to_dict(),
        "splits": {split: _figures(found) for split, found in contents.items()},
        "near_equal": {
            split: {
                "to": TRAIN,
                "threshold": options.near_equal,
                "count": len(pairs),
                "examples": [list(pair) for pair in pairs[:_SHOWN]],
            }
            for split, pairs in near.items()
        },
        "warnings": warnings,
        "problems": problems,
        "contact_sheets": sheets,
    }
    if problems:  # not finished: the same command looks again
        write_json(folder / PROBLEMS, results)
        total = sum(len(found.names) for found in contents.values()) + len(problems)
        raise InputError(
            f"{len(problems)} of {total} samples cannot be read; the first: "
            f"{problems[0]} Mend them (or the class file) or remove them, and give "
            f"the same command again; all are in {folder / PROBLEMS}."
        )
    (folder / PROBLEMS).unlink(missing_ok=True)  # of a look before
    return finish(folder, results)


def report_lines(contents: Mapping[str, SplitContent]) -> list[str]:
    """How many classes and images there are, and how large the images."""
    info = next(iter(contents.values())).info
    lines = [f"{info.name}: {info.num_classes} classes"]
    for split, found in contents.items():
        sizes = [f"{format_size(size)} ({n})" for size, n in found.sizes.items()]
        more = len(sizes) - _SIZES
        listed = ", ".join(sizes[:_SIZES]) + (f", {more} more sizes" * (more > 0))
        lines.append(f"  {split}: {len(found.names)} images; HxW {listed or 'none'}")
    return lines


def class_cells(
    contents: Mapping[str, SplitContent],
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table: each class' share of the pixels, and images with it."""
    info = next(iter(contents.values())).info
    head, rows = ["class", "index"], []
    for split in contents:
        head += [f"{split} %", "images"]
    for index, name in enumerate(info.class_names):
        row = [name, str(index)]
        for found in contents.values():
            row += [f"{100 * found.shares[index]:.2f}", str(found.images_with[index])]
        rows.append(row)
    void = ["void", ""]
    for found in contents.values():
        void += [f"{100 * found.void_share:.2f}", ""]
    return head, [*rows, void]


def _figures(found: SplitContent) -> dict[str, Any]:
    names = found.info.class_names
    return {
        "images": len(found.names),
        "unreadable": len(found.problems),
        "sizes": {format_size(size): count for size, count in found.sizes.items()},
        "class_shares": dict(zip(names, found.shares.tolist())),
        "class_images": dict(zip(names, found.images_with.tolist())),
        "void_share": found.void_share,
        "absent_classes": list(found.absent),
    }


MOST_NAMED = 12
"""Classes that a warning names."""


def _warnings(contents) -> list[str]:
    found = []
    for split, content in contents.items():
        if content.names and content.absent:
            more = len(content.absent) - MOST_NAMED
            names = ", ".join(content.absent[:MOST_NAMED])
            rest = f" and {more} more classes" if more > 0 else ""
            found.append(f"{split}: no pixel of {names}{rest}.")
        if content.void_share > MUCH_VOID:
            found.append(
                f"{split}: {100 * content.void_share:.0f} % of the pixels are void: is "
                "the encoding of the masks right?"
            )
        if content.names and (content.images_with > 0).sum() == 1:
            found.append(
                f"{split}: all labelled pixels are of one class: is the encoding of the "
                "masks right?"
            )
    return found


def _near_equal(contents, threshold) -> dict[str, list[tuple[str, str, float]]]:
    if TRAIN not in contents:
        return {}
    return {
        split: near_equal(contents[TRAIN], found, threshold)
        for split, found in contents.items()
        if split != TRAIN
    }


def _misspelt(splits) -> list[str]:
    hints = {s: did_you_mean(s, KNOWN_SPLITS) for s in splits if s not in SPLITS}
    return [f"{s} is a split of its own.{hint}" for s, hint in hints.items() if hint]


def _near_warnings(near, contents) -> list[str]:
    return [
        f"{split}: {len(pairs)} of {len(contents[split].names)} images are near-equal "
        f"to one of {TRAIN}, such as {pairs[0][0]} to {pairs[0][1]}: a figure measured "
        "on them flatters; --val_share with --group_by keeps videos on one side."
        for split, pairs in near.items()
        if pairs
    ]


def _draw(samples: Samples, content: SplitContent, count: int, path) -> None:
    place = {name: index for index, name in enumerate(samples.names)}
    shown = [
        samples.read(place[content.names[index]])
        for index in typical_samples(content, count)
    ]
    notes = [f"{100 * share:.1f} %" for share in (*content.shares, content.void_share)]
    title = f"{content.info.name}, {content.split}: {len(content.names)} images"
    with atomic_write(path) as temporary:
        contact_sheet(shown, content.info, notes, title).save(temporary)
