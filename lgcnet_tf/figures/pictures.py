"""Input, label and prediction side by side."""

import os
import pathlib
from collections.abc import Sequence

import matplotlib.patches
import numpy as np

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.errors import InputError
from lgcnet_tf.figures import style

_WIDTH = 480  # pixels a picture is brought near to, by a whole factor
_GAP = 12
_TITLE = 34
_LEGEND_ROW = 26
_LEGEND_ENTRY = 136


def side_by_side(
    images: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    info: DatasetInfo,
    path: str | os.PathLike,
) -> pathlib.Path:
    """Draws a row of input | label | prediction for each image, and a legend.

    Every pixel of a mask has exactly its class's colour; void is black.

    Args:
        images: uint8 (height, width, 3), all of one size.
        labels: uint8 (height, width), classes or void.
        predictions: uint8 (height, width), classes.
        info: names and colours of the classes.
        path: PNG file to write.

    Raises:
        InputError: there are no images, or sizes or numbers differ.
    """
    if not len(images) == len(labels) == len(predictions) or not len(images):
        raise InputError(
            "side_by_side needs as many images as labels and predictions, one at "
            f"least. Received: {len(images)}, {len(labels)} and {len(predictions)}."
        )
    size = np.asarray(images[0]).shape[:2]
    for picture in [*images, *labels, *predictions]:
        if np.asarray(picture).shape[:2] != size:
            raise InputError(
                "side_by_side needs pictures of one size. Received: "
                f"{size} and {np.asarray(picture).shape[:2]}."
            )
    height, width = _scaled(size)
    void = any((np.asarray(label) == info.void_label).any() for label in labels)
    entries = list(zip(info.class_names, info.palette / 255.0))
    entries += [("void", (0.0, 0.0, 0.0))] if void else []
    total_width = 3 * width + 4 * _GAP
    rows = -(-len(entries) * _LEGEND_ENTRY // total_width)
    columns = -(-len(entries) // rows)
    legend = rows * _LEGEND_ROW + _GAP
    total_height = _TITLE + len(images) * (height + _GAP) + legend
    figure = style.new_figure(total_width / style.DPI, total_height / style.DPI)

    def place(row, column):
        x = _GAP + column * (width + _GAP)
        y = total_height - _TITLE - row * (height + _GAP) - height
        return (
            x / total_width,
            y / total_height,
            width / total_width,
            height / total_height,
        )

    for column, title in enumerate(("input", "label", "prediction")):
        left, bottom, wide, high = place(0, column)
        figure.text(
            left + wide / 2, bottom + high + 10 / total_height, title, ha="center",
            va="baseline", fontsize=11, weight="bold", color=style.INK,
        )  # fmt: skip
    for row, (image, label, prediction) in enumerate(zip(images, labels, predictions)):
        pictures = (image, info.colorize(label), info.colorize(prediction))
        for column, picture in enumerate(pictures):
            axes = figure.add_axes(place(row, column))
            axes.set_axis_off()
            axes.imshow(picture, interpolation="nearest", aspect="auto")
    patches = [
        matplotlib.patches.Patch(facecolor=color, edgecolor="#888888", label=name)
        for name, color in entries
    ]
    figure.legend(
        handles=patches, loc="lower center", ncols=columns, frameon=False, fontsize=9,
        bbox_to_anchor=(0.5, 0.2 * _GAP / total_height), handlelength=1.3,
        handleheight=1.1, columnspacing=1.4, labelcolor=style.INK,
    )  # fmt: skip
    return style.save_figure(figure, path)


def _scaled(size: tuple[int, int]) -> tuple[int, int]:
    """A panel's (height, width): a whole multiple or fraction of the picture's."""
    height, width = size
    if width >= _WIDTH:
        factor = round(width / _WIDTH)
        return height // factor, width // factor
    factor = max(1, round(_WIDTH / width))
    return height * factor, width * factor
