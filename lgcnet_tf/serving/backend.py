"""What segments pictures for whoever reads, names and draws them: a server or not."""

import contextlib
import io
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.data.fit import mask_of
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.classes import ServedClasses

_SIDE = 64


class BadPicture(InputError):
    """One picture is at fault, and no other."""


class Backend(Protocol):
    """A model that can be asked, as `client.Client` is one.

    Attributes:
        target: where it is, for messages.
        model_name: what it is called there.
    """

    target: str
    model_name: str

    def predict_encoded(self, encoded: Sequence[bytes]) -> list[np.ndarray]:
        """Segments PNG or JPEG files of any size.

        Returns:
            uint8 classes (height, width) of each.

        Raises:
            BadPicture: one of them cannot be segmented.
            InputError: nothing can be.
        """

    def gives_own_sizes(self) -> bool:
        """Whether masks have the pictures' own sizes, else the network's."""

    def classes(self) -> ServedClasses | None:
        """What the model says of itself; None of one that does not."""


def served_info(backend: Backend, dataset: DatasetInfo | None = None) -> DatasetInfo:
    """Names and colours of the model's classes.

    Args:
        backend: whom to ask.
        dataset: for a model that does not say them; an older export's.

    Raises:
        InputError: the model says other names than `dataset`, or none and there
            is no `dataset`.
    """
    served = backend.classes()
    if served is None:
        if dataset is None:
            raise InputError(
                f"{backend.target}: {backend.model_name} was exported by an older "
                "version and does not say its classes; name its data set with "
                "--dataset, or export it again."
            )
        return dataset
    names = served.info.class_names
    if dataset is not None and dataset.class_names != names:
        raise InputError(
            f"{backend.target}: {backend.model_name} has the {len(names)} classes of "
            f"{served.info.name}, not those of {dataset.name}; leave out --dataset."
        )
    return served.info


def warm_up(backend: Backend) -> None:
    """Has a small black picture segmented, so that no other's time has what is done once.

    That is to trace a model, to connect to a server, to ask for its signatures.

    Raises:
        InputError: nothing can be segmented.
    """
    buffer = io.BytesIO()
    Image.new("RGB", (_SIDE, _SIDE)).save(buffer, "PNG")
    with contextlib.suppress(BadPicture):
        backend.predict_encoded([buffer.getvalue()])


def segment(
    backend: Backend, info: DatasetInfo, encoded: bytes, size: tuple[int, int], name
) -> np.ndarray:
    """The mask of one picture, of the picture's own size.

    Args:
        backend: whom to ask.
        info: see `served_info`.
        encoded: a PNG or JPEG file.
        size: its height and width.
        name: what to call it in errors.

    Returns:
        uint8 classes (height, width).

    Raises:
        BadPicture: it cannot be segmented.
        InputError: nothing can be, or the classes are not those of `info`.
    """
    try:
        mask = backend.predict_encoded([encoded])[0]
    except BadPicture as error:
        raise BadPicture(f"{name}: {error}") from None
    if mask.max() >= info.num_classes:
        raise InputError(
            f"{backend.target}: the model gives class {mask.max()}, "
            f"{info.name} has only {info.num_classes} classes."
        )
    if mask.shape == tuple(size):
        return mask
    if backend.gives_own_sizes():
        raise InputError(
            f"{backend.target}: saw {name} as {mask.shape[1]}x{mask.shape[0]} "
            f"pixels, here it has {size[1]}x{size[0]}; export the model again."
        )
    return mask_of(mask[None], "stretch", tuple(size), mask.shape)
