"""Flip, resize and crop of a whole batch on PyTorch's device.

A resize is a product with one matrix a direction, whose rows hold the triangle
filter of Pillow's `BILINEAR`, so that crops of a batch at as many scales come out of
two batched products. Images differ from `apply_augmentation`'s by at most one grey
level, since Pillow rounds between the two directions; labels only where a place
falls on the border of two pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch

from lgcnet_tf.data import Samples
from lgcnet_tf.data.augment import (
    MEAN_COLOR,
    draw_augmentation,
    epoch_order,
    sample_generator,
)
from lgcnet_tf.data.info import VOID
from lgcnet_tf.errors import InputError

PARAMETERS = 6
"""Of a crop: index of the image, flip, height, width, top, left."""


class DeviceData:
    """Images and labels of one size, decoded once and kept on a device.

    Args:
        samples: what to train on, in order.
        device: PyTorch's name of it.

    Attributes:
        images: uint8 (count, height, width, 3).
        labels: uint8 (count, height, width).

    Raises:
        InputError: there are none, or they differ in size.
    """

    def __init__(self, samples: Sequence, device: str):
        pairs = [(sample.image, sample.label) for sample in samples]
        if not pairs:
            raise InputError("there are no samples to train on.")
        sizes = sorted({label.shape for _, label in pairs})
        if len(sizes) > 1:
            raise InputError(
                "images on a device must have one size. Received: "
                + ", ".join("x".join(map(str, size)) for size in sizes)
            )
        self.size = sizes[0]
        images, labels = zip(*pairs)
        self.images = torch.as_tensor(np.stack(images)).to(device)
        self.labels = torch.as_tensor(np.stack(labels)).to(device)

    def crops(self, parameters: torch.Tensor, crop_size: tuple[int, int]):
        """Augments a batch.

        Args:
            parameters: (batch, 6) int64 on the device, see `PARAMETERS`.
            crop_size: (height, width) of the crops.

        Returns:
            Images, uint8 (batch, height, width, 3), and labels, int32 (batch,
            height, width), as `training_batches` gives them.
        """
        index, flip, height, width, top, left = parameters.unbind(1)
        rows = top[:, None] + _places(crop_size[0], parameters)
        columns = _places(crop_size[1], parameters)
        mirrored = torch.where(flip[:, None] > 0, crop_size[1] - 1 - columns, columns)
        columns = left[:, None] + mirrored
        inside = ((rows >= 0) & (rows < height[:, None]))[:, :, None] & (
            (columns >= 0) & (columns < width[:, None])
        )[:, None, :]
        across = _filter(columns, width, self.size[1])
        down = _filter(rows, height, self.size[0])
        images = self.images.index_select(0, index).float()
        images = torch.einsum("bxw,bhwc->bhxc", across, images)
        images = torch.einsum("byh,bhxc->byxc", down, images)
        images = torch.floor(images + 0.5).clamp_(0, 255)
        color = torch.as_tensor(MEAN_COLOR, dtype=images.dtype, device=images.device)
        images = torch.where(inside[..., None], images, color)
        y, x = (
            _nearest(rows, height, self.size[0]),
            _nearest(columns, width, self.size[1]),
        )
        labels = self.labels[index[:, None, None], y[:, :, None], x[:, None, :]]
        labels = torch.where(inside, labels.int(), VOID)
        return images.to(torch.uint8), labels


def _places(count, like):
    return torch.arange(count, device=like.device, dtype=like.dtype)[None]


def _filter(places, resized, source):
    """Rows of Pillow's bilinear filter: (batch, out), (batch,) → (batch, out, source)."""
    scale = (source / resized.double())[:, None]
    centre = (places.double() + 0.5) * scale
    pixels = torch.arange(source, device=places.device, dtype=torch.float64) + 0.5
    distance = (pixels - centre[..., None]) / scale.clamp(min=1.0)[..., None]
    weights = (1.0 - distance.abs()).clamp_(min=0.0)
    total = weights.sum(-1, keepdim=True)
    return (weights / total.clamp(min=1e-12)).float()


def _nearest(places, resized, source):
    scale = (source / resized.double())[:, None]
    return ((places.double() + 0.5) * scale).floor().long().clamp(0, source - 1)


class Parameters:
    """The crops' parameters, batch after batch, drawn as `training_batches` does.

    Args:
        samples: how many there are, or the samples.
        image_size, crop_size: (height, width).
        batch_size: of each batch; what is left of an epoch is dropped.
        seed, scale_range: as for `training_batches`.
    """

    def __init__(
        self,
        samples: Samples | int,
        image_size,
        crop_size,
        batch_size,
        seed,
        scale_range=(0.5, 2.0),
    ):
        self.count = samples if isinstance(samples, int) else len(samples)
        self.steps = max(1, self.count // batch_size)
        self.batch_size, self.seed = batch_size, seed
        self.sizes = image_size, crop_size, scale_range

    def __getitem__(self, step: int) -> torch.Tensor:
        """Those of a step, counted through all epochs from 0: (batch, 6) int64."""
        epoch, place = divmod(step, self.steps)
        order = np.resize(
            epoch_order(self.count, self.seed, epoch), self.steps * self.batch_size
        )
        rows = []
        for index in order[place * self.batch_size :][: self.batch_size]:
            generator = sample_generator(self.seed, epoch, int(index))
            drawn = draw_augmentation(generator, *self.sizes)
            rows.append([int(index), int(drawn.flip), *drawn.size, *drawn.offset])
        return torch.as_tensor(np.array(rows, np.int64))
