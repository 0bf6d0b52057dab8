"""Threads and graph optimisations are set before TensorFlow starts, and only then."""

import ctypes
import json
import subprocess
import sys

import pytest
import tensorflow as tf

from lgcnet_tf.runtimes.base import available_cpus
from lgcnet_tf.training.graphs import forget_kernels, prepare_graphs

SCRIPT = """
import ctypes, json, os, sys, tempfile, threading
from lgcnet_tf.bin import common
with common.quiet_start(), common.without_needless_imports():
    import tensorflow as tf
from lgcnet_tf.training.graphs import prepare_graphs

def settings():
    threads = tf.config.threading
    for wide, cpus in ((True, 2), (True, 64), (False, 2)):
        os.sched_getaffinity = lambda pid: range(cpus)
        threads.set_intra_op_parallelism_threads(0)
        threads.set_inter_op_parallelism_threads(0)
        tf.config.optimizer.set_experimental_options({"remapping": True})
        prepare_graphs(wide)
        yield [
            threads.get_intra_op_parallelism_threads(),
            threads.get_inter_op_parallelism_threads(),
            tf.config.optimizer.get_experimental_options(),
        ]

def heaps():
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    with tempfile.NamedTemporaryFile() as file:
        stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
        libc.malloc_info(0, stream)
        libc.fclose(stream)
        return file.read().count(b"<heap nr")

def heaps_before_and_after(wide):
    prepare_graphs(wide)
    before = heaps()
    count = 4 * os.cpu_count() + 8
    barrier = threading.Barrier(count)
    def use():
        barrier.wait()
        kept.append(bytes(100_000))
        barrier.wait()
    kept = []
    threads = [threading.Thread(target=use) for _ in range(count)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return [before, heaps()]

def apart(function, *arguments):
    "In a process that is as this one, in which TensorFlow has not started."
    sys.stdout.flush()
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
        return
    print(json.dumps(function(*arguments)))
    sys.stdout.flush()
    os._exit(0)

apart(lambda: list(settings()))
if hasattr(ctypes.CDLL(None), "malloc_info"):
    apart(heaps_before_and_after, True)
    apart(heaps_before_and_after, False)
"""


@pytest.fixture(scope="module")
def found():
    """What fresh processes found, a value a line of `SCRIPT`."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return list(map(json.loads, done.stdout.splitlines()))


def test_a_supernet_runs_its_operations_side_by_side(found):
    assert [each[:2] for each in found[0]] == [[1, 2], [4, 64], [0, 0]]
    for _, _, optimizations in found[0]:
        assert optimizations["remapping"] is False
        assert "constant_folding" not in optimizations


def test_too_late_changes_no_threads():
    tf.zeros(1) + 1  # it has started
    before = tf.config.threading.get_intra_op_parallelism_threads()
    prepare_graphs(wide=True)
    assert tf.config.threading.get_intra_op_parallelism_threads() == before


class Mallinfo(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keep"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="old glibc")
def test_kernels_of_made_variables_are_forgotten():
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Mallinfo
    variables = [tf.Variable(float(i), name=f"some/path/{i}") for i in range(200)]
    before = mallinfo().uordblks
    forget_kernels()
    assert before - mallinfo().uordblks > 200 * 10_000
    assert [float(variable + 1.0) for variable in variables[:2]] == [1.0, 2.0]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="no glibc")
def test_threads_of_a_search_share_heaps(found):
    before, after = found[1]
    assert after <= max(before, available_cpus())
    before, after = found[2]
    assert after > before + 3
