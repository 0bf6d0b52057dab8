"""Which devices, and on how many machines, a run trains."""

import contextlib
import re
from collections.abc import Sequence
from typing import Any

import keras

from lgcnet_tf.errors import InputError
from lgcnet_tf.training.workers import join_cluster, this_worker


class OneDevice:
    """Stands where no strategy is needed."""

    num_replicas_in_sync = 1

    def scope(self):
        return contextlib.nullcontext()


class JaxDevices:
    """Keras' data parallelism on JAX, which splits every batch over `devices`.

    One program computes the whole batch, so that statistics, gradients and
    their clipping are the same as on one device without further means.
    """

    def __init__(self, devices: Sequence[str]):
        self.num_replicas_in_sync = len(devices)
        self.distribution = keras.distribution.DataParallel(
            devices=[name.lower() for name in devices]
        )

    def scope(self):
        return self.distribution.scope()


def make_strategy(devices: Sequence[str] = (), batch_size: int | None = None) -> Any:
    """What to build and train a model under; call it before TensorFlow starts.

    TF_CONFIG with several workers makes a `MultiWorkerMirroredStrategy` over
    all their GPUs, or CPUs where they have none; otherwise it is a
    `MirroredStrategy` over `devices`, if that is more than one. Several
    devices of a CPU, such as `CPU:0,CPU:1`, are made here, which is possible
    only before TensorFlow's first operation.

    Args:
        devices: names such as `GPU:0`; empty for all GPUs, else the CPU.
        batch_size: global batch size, which the replicas must divide.

    Returns:
        An object with `scope()` and `num_replicas_in_sync`.

    Raises:
        InputError: a device or TF_CONFIG is not right, or the batch cannot be
            shared out evenly.
    """
    backend = keras.backend.backend()
    worker = this_worker()
    if worker.count > 1:
        if backend != "tensorflow":
            raise InputError(
                f"TF_CONFIG names {worker.count} workers, which needs "
                f"KERAS_BACKEND=tensorflow. Received: {backend}"
            )
        if devices:
            raise InputError(
                f"--devices={','.join(devices)} is for one machine; each of the "
                f"{worker.count} workers of TF_CONFIG takes all of its GPUs."
            )
        strategy = join_cluster(worker)
        _check_batch(batch_size, strategy, f"{worker.count} workers' devices")
        return strategy
    names = _normalise(devices)
    if backend == "tensorflow":
        strategy = _tensorflow(names)
    elif backend == "jax":
        strategy = _jax(names)
    else:
        if names:
            raise InputError(
                f"--devices={','.join(names)}: the {backend} backend of Keras has no "
                "choice of devices here; use tensorflow or jax."
            )
        strategy = OneDevice()
    _check_batch(
        batch_size, strategy, f"devices {', '.join(names) or 'of this machine'}"
    )
    return strategy


def _normalise(devices):
    names = [name.strip().upper().strip("/") for name in devices]
    for given, name in zip(devices, names):
        if not re.fullmatch(r"(CPU|GPU):\d+", name):
            raise InputError(
                f"--devices: {given!r} is no device; it takes names such as GPU:0,GPU:1."
            )
        if names.count(name) > 1:
            raise InputError(f"--devices names {name} more than once.")
    return names


def _check_batch(batch_size, strategy, what):
    replicas = strategy.num_replicas_in_sync
    if batch_size is not None and batch_size % replicas:
        fitting = batch_size // replicas * replicas
        near = [str(n) for n in (fitting, fitting + replicas) if n]
        raise InputError(
            f"--batch_size={batch_size} cannot be split over the {replicas} {what}; "
            f"take {' or '.join(near)}."
        )


def _refuse_absent(names, present, why=""):
    absent = [name for name in names if name not in present]
    if absent:
        raise InputError(
            f"--devices: there is no {', '.join(absent)} here{why}; there is: "
            f"{', '.join(present)}."
        )


def _tensorflow(names):
    import tensorflow as tf

    why = ""
    cpus = 1 + max((int(n[4:]) for n in names if n.startswith("CPU")), default=0)
    if cpus > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        logical = tf.config.LogicalDeviceConfiguration()
        try:
            if not tf.config.get_logical_device_configuration(cpu):
                tf.config.set_logical_device_configuration(cpu, [logical] * cpus)
        except RuntimeError:
            why = " (TensorFlow has started and can split the CPU no more)"
    present = {
        f"{device.device_type}:{device.name.rsplit(':', 1)[1]}": device.name
        for device in tf.config.list_logical_devices()
    }
    _refuse_absent(names, present, why)
    gpus = [name for name in present if name.startswith("GPU")]
    names = names or gpus
    if len(names) > 1 or (names and names[0] != (gpus or ["CPU:0"])[0]):
        return tf.distribute.MirroredStrategy([present[name] for name in names])
    return OneDevice()


def _jax(names):
    cpus = 1 + max((int(n[4:]) for n in names if n.startswith("CPU")), default=0)
    if cpus > 1:
        import jax

        with contextlib.suppress(RuntimeError):  # JAX has started
            jax.config.update("jax_num_cpu_devices", cpus)
    found = [name.upper() for name in keras.distribution.list_devices()]
    if any(name.startswith("CPU") for name in names):
        found += [n.upper() for n in keras.distribution.list_devices("cpu")]
    found = [name.replace("CUDA", "GPU") for name in dict.fromkeys(found)]
    _refuse_absent(names, found)
    names = names or [name for name in found if name.startswith("GPU")]
    return JaxDevices(names) if len(names) > 1 else OneDevice()
