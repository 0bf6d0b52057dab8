"""Writes small data folders of every layout, as files."""

import json
import pathlib

import numpy as np
from PIL import Image

CLASSES = ("floor", "shelf", "robot")
COLORS = ((60, 60, 60), (200, 30, 30), (30, 30, 200))


def write_json_classes(root: pathlib.Path, **entries) -> None:
    """`classes.json` with names and colours; entries replace those."""
    classes = [
        {"name": name, "color": list(color)} for name, color in zip(CLASSES, COLORS)
    ]
    root.mkdir(parents=True, exist_ok=True)
    content = {"classes": classes} | entries
    (root / "classes.json").write_text(json.dumps(content))


def pixels(seed: int, size=(24, 32)) -> tuple[np.ndarray, np.ndarray]:
    """A picture and a mask of 0, 1, 2 and 255, which its colours show."""
    generator = np.random.default_rng(seed)
    height, width = size
    mask = np.zeros(size, np.uint8)
    for value in (1, 2, 255):
        y, x = generator.integers(0, height // 2), generator.integers(0, width // 2)
        mask[y : y + height // 3, x : x + width // 3] = value
    table = np.zeros((256, 3), np.uint8)
    table[:3] = COLORS
    image = table[mask] // 2 + generator.integers(0, 60, (*size, 3), np.uint8)
    return image, mask


def save(path: pathlib.Path, array: np.ndarray, mode: str | None = None) -> None:
    """Writes an array as a picture, with the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(array)
    if mode == "P":
        palette = np.zeros((256, 3), np.uint8)
        palette[:3] = COLORS
        picture.putpalette(palette.tobytes())
    picture.save(path)


def write_folder(
    root: pathlib.Path,
    layout: str = "images",
    counts=(("train", 4), ("val", 2)),
    size=(24, 32),
) -> pathlib.Path:
    """A data folder of three classes in one of the layouts `images`, `splits`, `annot`, `lists`."""
    write_json_classes(root)
    seed = 0
    for split, count in counts:
        lines = []
        for index in range(count):
            image, mask = pixels(seed, size)
            seed += 1
            name = f"{'ab'[index % 2]}_{index:03d}"
            if layout == "images":
                paths = f"images/{split}/{name}.png", f"masks/{split}/{name}.png"
            elif layout == "splits":
                paths = f"{split}/images/{name}.png", f"{split}/masks/{name}.png"
            elif layout == "annot":
                paths = f"{split}/{name}.png", f"{split}annot/{name}.png"
            else:
                paths = f"frames/{split} {name}.png", f"marks/{split} {name}.png"
            save(root / paths[0], image)
            save(root / paths[1], mask)
            lines.append("\t".join(paths))
        if layout == "lists":
            (root / f"{split}.txt").write_text("\n".join(lines) + "\n")
    return root
