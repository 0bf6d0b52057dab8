"""A few pictures of an evaluation, as files that people and programs read."""

import pathlib

import numpy as np
from PIL import Image

from lgcnet_tf.data import DatasetInfo, Sample, Samples
from lgcnet_tf.data.geometry import DEFAULT_FIT
from lgcnet_tf.data.images import decode_image, decode_label, read_bytes
from lgcnet_tf.evaluation.evaluate import PredictMask, predict_samples
from lgcnet_tf.files import atomic_write

KINDS = ("image", "label", "prediction")


def write_examples(
    predict_mask: PredictMask,
    samples: Samples,
    count: int,
    folder: pathlib.Path,
    input_size: tuple[int, int] | None = None,
    fit: str = DEFAULT_FIT,
) -> None:
    """Writes `NAME_image.png`, `NAME_label.png` and `NAME_prediction.png`.

    The samples are spread evenly over the split. Masks are palette images:
    their values are the classes, their colours the data set's. `input_size` and
    `fit` are those of `evaluate`.
    """
    chosen = np.linspace(0, len(samples) - 1, min(count, len(samples))).astype(int)
    picked = [samples[int(index)] for index in chosen]
    for sample, mask in predict_samples(predict_mask, picked, 1, input_size, fit):
        write_example(sample, mask, samples.info, folder)


def write_example(
    sample: Sample, mask: np.ndarray, info: DatasetInfo, folder: pathlib.Path
) -> None:
    """Writes the three files of one sample, as `write_examples`."""
    images = (
        Image.fromarray(sample.image),
        _palette_image(sample.label, info),
        _palette_image(mask, info),
    )
    for kind, image in zip(KINDS, images):
        path = folder / f"{example_name(sample.name)}_{kind}.png"
        with atomic_write(path) as temporary:
            image.save(temporary)


def example_name(name: str) -> str:
    """What the files of a sample are called, without their kind."""
    return name.replace("/", "-")


def example_names(folder: pathlib.Path) -> list[str]:
    """Names of the samples of `write_examples`, in order."""
    paths = sorted(folder.glob("*_image.png"))
    return [path.name.removesuffix("_image.png") for path in paths]


def read_examples(folder: pathlib.Path) -> tuple[list[np.ndarray], ...]:
    """Images, labels and predictions of `write_examples`, in order of name.

    Raises:
        InputError: one of the files is absent or damaged.
    """
    names = example_names(folder)

    def read(decode, kind):
        paths = [folder / f"{name}_{kind}.png" for name in names]
        return [decode(read_bytes(path), str(path)) for path in paths]

    decoders = (decode_image, decode_label, decode_label)
    return tuple(read(decode, kind) for decode, kind in zip(decoders, KINDS))


def _palette_image(mask: np.ndarray, info: DatasetInfo) -> Image.Image:
    image = Image.fromarray(mask.astype(np.uint8), mode="P")
    palette = np.zeros((256, 3), np.uint8)
    palette[: info.num_classes] = info.palette
    image.putpalette(palette.tobytes())
    return image
