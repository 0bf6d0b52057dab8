"""Annotations of a labelling tool as a data folder for `--dataset=folder`."""

import dataclasses
import pathlib
import sys
from typing import Any

from lgcnet_tf.config import Options, option
from lgcnet_tf.data.importers import READERS, write_data_folder
from lgcnet_tf.errors import InputError
from lgcnet_tf.terminal import Bar

_SHOWN = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportOptions(Options):
    """Options of an import."""

    format: str = option("coco", "Form of the annotations.", tuple(READERS))
    annotations: str = option(
        "",
        "COCO's or Label Studio's JSON file, CVAT's annotations.xml, or the folder of "
        "LabelMe's files, of VOC or of a Supervisely project.",
    )
    images: str = option(
        "", "Folder of the images, where they do not lie as the format has them."
    )
    output_dir: str = option("", "The data folder; made if absent.")
    split: str = option(
        "train",
        "Split that the images become; of VOC also the list that is read. A folder "
        "gets another split by another import.",
    )
    classes: tuple[str, ...] = option(
        (),
        "Labels that are classes, in their order; by default the background and all "
        "labels. Regions of others are left out.",
    )
    background: str = option(
        "background", "Class of the pixels that are not annotated; empty for void."
    )


def import_data(options: ImportOptions) -> dict[str, Any]:
    """Writes images, masks and class file; prints what was made.

    Returns:
        `classes`, `images`, `left_out` (regions by label), `problems`.

    Raises:
        InputError: bad options or annotations; or images that had to be left out,
            after all others were written.
    """
    options.check()
    needed = {
        "annotations": "give the file or folder of annotations.",
        "output_dir": "name a folder for the data.",
    }
    for name, what in needed.items():
        if not getattr(options, name):
            raise InputError(f"--{name} is missing: {what}")
    if not options.split.isidentifier():
        raise InputError(
            f"--split must be a name, such as train. Received: {options.split!r}"
        )
    path = pathlib.Path(options.annotations)
    if not path.exists():
        raise InputError(
            f"--annotations: {path}: no such file or folder; give what --format="
            f"{options.format} has: see --help."
        )
    images = pathlib.Path(options.images) if options.images else None
    if images is not None and not images.is_dir():
        raise InputError(
            f"--images: {images}: no such folder; name that of the images."
        )
    found = READERS[options.format](path, images, options.split)
    folder = pathlib.Path(options.output_dir)
    bar = Bar("writing", len(found.images), "image")
    try:
        written = write_data_folder(
            found,
            folder,
            options.split,
            options.classes,
            options.background,
            lambda done, total: bar.update(done),
        )
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there: {error.strerror}. Name another --output_dir."
        ) from None
    for line in written.problems[:_SHOWN]:
        print(line, file=sys.stderr)
    names = written.info.class_names
    print(
        f"{folder}: {written.images} images as {options.split}; {len(names)} classes: "
        f"{', '.join(names)}"
    )
    for label, count in sorted(written.left_out.items()):
        print(f"left out: {count} regions {label!r}")
    if written.problems:
        raise InputError(
            f"{len(written.problems)} of {len(found.images)} images left out; the "
            f"first: {written.problems[0]} Mend them and import anew into another folder."
        )
    print(f"Look at it with lgcnet-inspect-data --data_dir={folder} --output_dir=...")
    return {
        "classes": list(names),
        "images": written.images,
        "left_out": written.left_out,
        "problems": list(written.problems),
    }
