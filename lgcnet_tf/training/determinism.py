"""The same bits from the same input, run after run."""

import os

import keras

_XLA_FLAG = "--xla_gpu_deterministic_ops=true"


def make_deterministic() -> None:
    """Has every operation give the same bits for the same input and device.

    Call it before anything runs. Seeds are the caller's.

    TensorFlow then takes kernels that add in a fixed order; every operation
    of the search space, its gradient, the losses and the metrics has one on
    GPUs too (max pooling's gradient only outside of XLA, which is where it
    runs here), and an operation that has none raises `UnimplementedError`.
    JAX is deterministic on CPUs; on GPUs XLA must be told before JAX starts.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        return
    flags = os.environ.get("XLA_FLAGS", "").split()
    if not any(flag.startswith("--xla_gpu_deterministic_ops") for flag in flags):
        os.environ["XLA_FLAGS"] = " ".join([*flags, _XLA_FLAG])
