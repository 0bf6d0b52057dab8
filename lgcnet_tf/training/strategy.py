"""Which devices a run trains on."""

import contextlib
from typing import Any

import keras


class OneDevice:
    """Stands where no strategy is needed, or the backend has none."""

    def scope(self):
        return contextlib.nullcontext()


def make_strategy(devices: list[str] | None = None) -> Any:
    """`MirroredStrategy` over `devices`, by default all GPUs, if more than one.

    Args:
        devices: TensorFlow's names, e.g. `["GPU:0", "GPU:1"]`.
    """
    if keras.backend.backend() != "tensorflow":
        return OneDevice()
    import tensorflow as tf

    if devices is None:
        gpus = tf.config.list_logical_devices("GPU")
        devices = [device.name for device in gpus]
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else OneDevice()
