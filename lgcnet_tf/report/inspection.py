"""What a report says of data that were looked at: images, sizes, classes, warnings."""

from collections.abc import Mapping
from typing import Any

from lgcnet_tf.report.html import bar_table, cards, section, text

_SIZES = 8
"""Sizes of images that are listed, the most frequent ones."""


def inspection_sections(results: Mapping[str, Any]) -> list[str]:
    """Warnings, then a section for each split; nothing of other results.

    Args:
        results: what `lgcnet-inspect-data` leaves: "splits" and "warnings".
    """
    splits = results.get("splits")
    if not isinstance(splits, Mapping):
        return []
    found = []
    if warnings := results.get("warnings"):
        lines = "".join(f'<p class="line">{text(line)}</p>' for line in warnings)
        found.append(section("Warnings", lines))
    return found + [_split(name, figures) for name, figures in splits.items()]


def _split(name: str, figures: Mapping[str, Any]) -> str:
    sizes = sorted(figures["sizes"].items(), key=lambda item: -item[1])
    listed = ", ".join(f"{size} ({count})" for size, count in sizes[:_SIZES])
    more = len(sizes) - _SIZES
    rows = [
        (class_name, f"{share:.2%}", str(figures["class_images"][class_name]), share)
        for class_name, share in figures["class_shares"].items()
    ]
    note = (
        "Shares are of the labelled pixels, which a bar of the full width stands for. "
    )
    note += f"Sizes, HxW: {listed or 'none'}{f', {more} more' if more > 0 else ''}."
    asked = (
        ("images", f"{figures['images']:,}"),
        ("classes", str(len(rows))),
        ("void pixels", f"{figures['void_share']:.2%}"),
    )
    table = bar_table(("class", "share", "images with it"), rows)
    return section(f"Split {name}", cards(asked), table, note=note)
