"""About how long the stages of `lgcnet run` take on this machine's processors.

A training's work is counted in multiply-accumulates for each pixel of a crop, what makes
maps and gradients included, as it was measured (`benchmarks/README.md`); how many of
them the machine does in a second is measured by a product of matrices. That is right to
within a factor of three or so, which tells minutes from nights.
"""

import pathlib
import time

import numpy as np

from lgcnet_tf.config import Size
from lgcnet_tf.space.skeleton import Skeleton

SUPERNET_WORK = 840e3
NETWORK_WORK = 285e3
"""Multiply-accumulates that take as long as a pixel of a step takes, at the paper's F
and K; of the search's supernet, and of a network."""
BUILDING_S = {"search": 60.0, "finetune": 20.0}
MEASURING_S, NETWORK_S = 120.0, 6.0
"""Of the table's operations, and of each network that corrects it."""
CLOSING_S = 60.0
"""Evaluation and export."""
PROCESS_BYTES, PIXEL_BYTES = 1.36e9, 6.8e3
"""Of a search's process, and for each pixel of a step's crops, at the paper's F and K."""


def matrix_speed(size: int = 1024, times: int = 3) -> float:
    """Multiply-accumulates a second of a float32 matrix product, the best of a few."""
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(2, size, size)).astype("float32")
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        np.matmul(one, other)
        seconds.append(time.perf_counter() - begin)
    return size**3 / min(seconds)


def training_s(
    stage: str, images: int, crop_size: Size, skeleton: Skeleton, speed: float
) -> float:
    """Seconds of a training stage in which so many images are seen.

    Args:
        stage: `search` or `finetune`.
        images: of all epochs together.
        speed: of `matrix_speed`.
    """
    work = SUPERNET_WORK if stage == "search" else NETWORK_WORK
    pixels = images * crop_size[0] * crop_size[1]
    # Between maps, which grow with F, and arithmetic, which grows with its square.
    width = (skeleton.initial_channels / Skeleton.initial_channels) ** 1.5
    depth = skeleton.num_cells / Skeleton.num_cells
    return BUILDING_S[stage] + pixels * work * width * depth / speed


def measuring_s(calibration_networks: int) -> float:
    """Seconds of a latency table."""
    return MEASURING_S + NETWORK_S * calibration_networks


def search_memory(batch_size: int, crop_size: Size, skeleton: Skeleton) -> float:
    """Most bytes that the process of a search has, on a CPU, with soft sampling."""
    width = skeleton.initial_channels / Skeleton.initial_channels
    depth = skeleton.num_cells / Skeleton.num_cells
    pixels = batch_size * crop_size[0] * crop_size[1]
    return PROCESS_BYTES + pixels * PIXEL_BYTES * width * depth


def has_gpu() -> bool:
    """Whether an NVIDIA GPU shows itself; TensorFlow is not asked."""
    return pathlib.Path("/dev/nvidia0").exists()
