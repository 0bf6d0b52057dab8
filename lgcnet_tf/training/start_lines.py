"""What a run says before its first epoch: data, network, schedule, device, folder."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from lgcnet_tf.config import Size, format_size
from lgcnet_tf.cpu import has_avx512
from lgcnet_tf.data import Samples
from lgcnet_tf.data.labelled_images import LabelledImages
from lgcnet_tf.runtimes.base import cpu_description
from lgcnet_tf.training.workers import Worker

SHOWN_CLASSES = 8


def data_line(
    images: Samples | LabelledImages,
    measured_on: Mapping[str, Samples | LabelledImages],
) -> str:
    """Says what a run trains on and what it measures on.

    Args:
        images: to train on.
        measured_on: other images, by the name of the figure.
    """
    if isinstance(images, LabelledImages):
        name, classes = images.name, images.class_names
    else:
        name, classes = images.info.name, images.info.class_names
    more = len(classes) - SHOWN_CLASSES
    names = ", ".join(classes[:SHOWN_CLASSES]) + (
        f" and {more} more" if more > 0 else ""
    )
    line = f"data: {name}, split {images.split}: {_count(images)}"
    for figure, others in measured_on.items():
        line += f"; {figure} on split {others.split}: {_count(others)}"
    return f"{line}; {len(classes)} classes: {names}"


def _count(images):
    return f"{len(images):,} image{'s' * (len(images) != 1)}"


def network_line(
    network: keras.Model,
    epochs: int,
    steps: int,
    batch_size: int,
    sizes: Sequence[Size],
) -> str:
    """Says how large a network is and how long it is trained.

    Args:
        sizes: of the crops.
    """
    crops = ", then ".join(format_size(size) for size in sizes)
    return (
        f"network: {network.count_params():,} parameters; {epochs} epochs of {steps} "
        f"steps, each of {batch_size} crops of {crops}"
    )


def device_line(
    devices: Sequence[str], strategy: Any, worker: Worker, mixed: bool = False
) -> str:
    """Says on what the steps are computed, and by which library.

    Args:
        devices: those that were asked for; else all accelerators are used.
        strategy: of `make_strategy`.
        mixed: they are computed in bfloat16.
    """
    asked = devices or _accelerators()
    names = ", ".join(asked) or cpu_description()
    backend = keras.backend.backend()
    version = importlib.import_module(backend).__version__
    line = f"device: {names}; Keras on {backend} {version}"
    if strategy.num_replicas_in_sync > 1:
        line += f"; {strategy.num_replicas_in_sync} replicas"
    if worker.count > 1:
        line += f"; worker {worker.index} of {worker.count}"
    on_cpu = all(name.upper().startswith("CPU") for name in asked)
    if mixed and on_cpu and has_avx512() is False:
        line += "; without AVX-512 it computes in bfloat16 several times as long as in float32"
    return line


def _accelerators() -> list[str]:
    if keras.backend.backend() == "torch":  # has none of `keras.distribution`
        import torch

        count = torch.cuda.device_count()
        return [torch.cuda.get_device_name(index) for index in range(count)]
    names = keras.distribution.list_devices()
    return [name.upper() for name in names if not name.startswith("cpu")]
