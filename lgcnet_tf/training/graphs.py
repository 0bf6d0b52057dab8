"""How TensorFlow prepares and runs the graph of a training step."""

import ctypes

import keras

from lgcnet_tf.runtimes.base import available_cpus

_WITHOUT = (
    "function_optimization",
    "implementation_selector",
    "layout_optimizer",
    "loop_optimization",
    "memory_optimization",
    "remapping",
)
"""Optimisations that look for what no training step of ours has."""

_WIDTH = 16

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h


def prepare_graphs(wide: bool) -> None:
    """Sets up TensorFlow for training; call it before its first operation.

    On a CPU it leaves out optimisations of the graph that take much of the
    time before the first step and gain nothing after it. A GPU's are left alone.

    Args:
        wide: the graph is a supernet's: dozens of small operations at a time
            that do not wait for each other. Each of them then runs on one
            thread, several side by side; sharing each out over all threads
            costs more than it brings. They share heaps (glibc). Too late once
            TensorFlow has started.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return
    tf.config.optimizer.set_experimental_options(dict.fromkeys(_WITHOUT, False))
    if not wide:
        return
    cpus = available_cpus()
    _share_heaps(cpus)
    try:
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cpus // _WIDTH))
        tf.config.threading.set_inter_op_parallelism_threads(cpus)
    except RuntimeError:
        pass  # it has started: it goes on as it is


def _share_heaps(count: int) -> None:
    """Has all threads allocate from `count` heaps, which keep what is freed.

    glibc gives each thread a heap of its own, and what one of them freed serves no
    other thread: a step's maps, allocated here and freed there, leave such memory
    behind everywhere. What is given back to the system costs page faults at the
    next step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # another C library
    mallopt(_M_ARENA_MAX, count)
    mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # as large as it may be
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def forget_kernels() -> None:
    """Frees what building a model has left in TensorFlow.

    It keeps each kernel that ran outside of a graph, and creating a variable is
    one of its own: 100 MiB for a supernet. What is needed again is made again, but
    for kernels with a state: call this before there are iterators over data.
    """
    if keras.backend.backend() != "tensorflow":
        return
    from tensorflow.python.eager import context  # nothing public does only this

    if hasattr(context.context(), "clear_kernel_cache"):
        context.context().clear_kernel_cache()
