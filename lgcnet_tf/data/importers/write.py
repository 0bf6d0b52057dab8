"""Annotations written as a data folder of images, index masks and classes.json."""

import dataclasses
import io
import pathlib
import re
import shutil
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageOps

from lgcnet_tf.data import images
from lgcnet_tf.data.folder.classes import (
    JSON,
    Color,
    distinct_colors,
    read_classes,
    write_classes,
)
from lgcnet_tf.data.importers.annotation import AnnotatedImage, Annotations
from lgcnet_tf.data.info import MAX_CLASSES, VOID, DatasetInfo
from lgcnet_tf.data.orientation import (
    JPEG_SIGNATURE,
    PNG_SIGNATURE,
    orientation,
    upright,
)
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write

BACKGROUNDS = ("background", "_background_", "__background__")


@dataclasses.dataclass(frozen=True)
class Written:
    """What an import made.

    Attributes:
        info: the classes.
        images: how many images were written.
        left_out: how many regions of each label were left out, which is no class.
        problems: a line for each image that was left out.
    """

    info: DatasetInfo
    images: int
    left_out: dict[str, int]
    problems: tuple[str, ...]


def write_data_folder(
    annotations: Annotations,
    folder: pathlib.Path,
    split: str,
    classes: Sequence[str] = (),
    background: str = BACKGROUNDS[0],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Writes `images/SPLIT`, `masks/SPLIT` and `classes.json`.

    PNG and JPEG files are copied as they are; other pictures become PNG. Masks are
    upright gray PNG with class indices. A folder that has classes already keeps
    them, so that a second split has the same ones.

    Args:
        annotations: what to write.
        folder: made if absent.
        split: name of the split, which must not be there yet.
        classes: names in the order of their classes, background included; regions
            of other labels are left out. By default those of the folder, or the
            background and all labels.
        background: class of the pixels without a region; empty for void.
        progress: called with how many images are done, and of how many.

    Raises:
        InputError: the split is there, a class of the folder differs, or there are
            no images.
    """
    if not annotations.images:
        raise InputError(
            "the annotations have no images; name others with --annotations."
        )
    for kind in ("images", "masks"):
        if (folder / kind / split).exists():
            raise InputError(
                f"{folder / kind / split}: this split is already there; name "
                "another --split or --output_dir."
            )
    info = _classes(annotations, folder, tuple(classes), background)
    index = {name: number for number, name in enumerate(info.class_names)}
    named = [n for n in (background, *BACKGROUNDS) if background and n in index]
    under = index[named[0]] if named else VOID
    parts = [folder / kind / f".{split}.part" for kind in ("images", "masks")]
    for part in parts:
        shutil.rmtree(part, ignore_errors=True)  # of an import that was cut off
    left_out: dict[str, int] = {}
    problems: list[str] = []
    seen: set[str] = set()
    for done, image in enumerate(annotations.images, 1):
        try:
            _write_image(image, parts, index, under, left_out, seen)
        except InputError as error:
            problems.append(str(error))
        progress(done, len(annotations.images))
    if seen:
        write_classes(folder / JSON, info)
        for part in parts:
            part.rename(part.with_name(split))
    return Written(info, len(seen), left_out, tuple(problems))


def _classes(annotations, folder, classes, background) -> DatasetInfo:
    colors = dict(annotations.labels)
    has_background = any(name in colors for name in (*BACKGROUNDS, background))
    names = [*([] if has_background or not background else [background]), *colors]
    for known in BACKGROUNDS:  # first, whatever the annotations' order
        if known in names:
            names.remove(known)
            names.insert(0, known)
    if (folder / JSON).exists():
        info = read_classes(folder).info
        if classes and classes != info.class_names:
            raise InputError(
                f"{folder / JSON}: has the classes {', '.join(info.class_names)}, not "
                f"those of --classes={','.join(classes)}; leave that out."
            )
        if not classes and (new := [n for n in names if n not in info.class_names]):
            raise InputError(
                f"{folder / JSON}: has no class {new[0]!r}; give --classes="
                f"{','.join(info.class_names)} to leave out others, or import anew with "
                "all classes."
            )
        return info
    if classes:
        if unknown := [n for n in classes if n not in (*names, background)]:
            raise InputError(
                f"--classes: no annotation has the label {unknown[0]!r}. Labels: "
                f"{', '.join(colors)}."
            )
        names = list(classes)
    if not 1 <= len(names) <= MAX_CLASSES or len(set(names)) != len(names):
        raise InputError(
            f"1 to {MAX_CLASSES} different classes are needed. Received: {len(names)}"
        )
    return _colored(folder.resolve().name, names, colors)


def _colored(name, names, colors) -> DatasetInfo:
    taken: list[Color] = []
    for one in names:
        color = colors.get(one)
        if one in BACKGROUNDS and color is None:
            color = (0, 0, 0)
        taken.append(color if color and color not in taken else None)
    free = iter(distinct_colors(len(names), tuple(filter(None, taken))))
    return DatasetInfo.of(name, dict(zip(names, (c or next(free) for c in taken))))


def _write_image(image: AnnotatedImage, parts, index, under, left_out, seen):
    name = re.sub(r"[^\w./-]", "_", image.name).strip("/")
    if not name or ".." in name.split("/"):
        raise InputError(f"{image.where}: {image.name!r} is no name of an image.")
    if name in seen:
        raise InputError(
            f"{image.where}: another image is named {name} too; rename one."
        )
    if image.source is None:
        raise InputError(f"{image.where}: its image is not found; name its folder.")
    data = image.source
    where = image.where if isinstance(data, bytes) else str(data)
    if not isinstance(data, bytes):
        data = images.read_bytes(data)
    data = _as_png_or_jpeg(data, where)
    size = images.decode_image(data, where).shape[:2]
    mask, ignored = None, []
    for label, region in image.regions():
        if mask is None:
            mask = np.full(region.shape, under, np.uint8)
        if label is not None and label not in index:
            ignored.append(label)
            continue
        mask[region] = VOID if label is None else index[label]
    mask = np.full(size, under, np.uint8) if mask is None else mask
    mask = _at_size(mask, size, data, image.where)
    suffix = ".jpg" if data.startswith(JPEG_SIGNATURE) else ".png"
    with atomic_write(parts[0] / f"{name}{suffix}") as temporary:
        temporary.write_bytes(data)
    with atomic_write(parts[1] / f"{name}.png") as temporary:
        Image.fromarray(mask).save(temporary)
    seen.add(name)
    for label in ignored:
        left_out[label] = left_out.get(label, 0) + 1


def _at_size(mask, size, data, where):
    """The mask upright: some tools draw on the pixels as they are stored."""
    if mask.shape == size:
        return mask
    turned = upright(mask, orientation(data))
    if turned.shape != size:
        raise InputError(
            f"{where}: annotated at {mask.shape[1]}x{mask.shape[0]}, but its image is "
            f"{size[1]}x{size[0]}; bring the image that was annotated."
        )
    return turned


def _as_png_or_jpeg(data: bytes, where: str) -> bytes:
    if data.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
        return data
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture = ImageOps.exif_transpose(picture)
            if picture.mode not in ("L", "RGB", "I;16"):
                picture = picture.convert("RGB")
            buffer = io.BytesIO()
            picture.save(buffer, "PNG")
    except Exception as error:  # Pillow raises many kinds
        raise InputError(f"{where}: cannot be read as a picture: {error}.") from None
    return buffer.getvalue()
