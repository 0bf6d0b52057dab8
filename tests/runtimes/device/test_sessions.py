"""What a device makes of the files that its runtime's `convert` wrote."""

import os
import subprocess
import sys
import time

import keras
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.device_samples import Measured
from lgcnet_tf.latency.for_device import converter_for
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.runtimes.device.sessions import SESSIONS, fastest_cpus, on_cpu


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs Keras on TensorFlow"
)
@pytest.mark.parametrize("name", SESSIONS)
def test_a_file_is_ready_to_run(name, tmp_path):
    try:
        runtime = get_runtime(name)
    except InputError as error:
        pytest.skip(str(error))
    here = SESSIONS[name](threads=1)
    path = tmp_path / f"model{here.suffix}"
    path.write_bytes(runtime.convert(keras.layers.ReLU(), (1, 4, 6, 2), "float32"))
    here.ready(str(path))()
    assert here.version == runtime.version and here.suffix in runtime.suffixes
    assert (here.accelerator or runtime.device) == runtime.device
    with pytest.raises(Exception):  # noqa: B017 - runtimes have their own
        here.ready(str(tmp_path / f"absent{here.suffix}"))


def test_openvino_converts_for_processors_that_are_not_here():
    """bfloat16 and float16 are settings of the device, not in the file."""
    pytest.importorskip("openvino")
    for precision in ("float16", "bfloat16"):
        measured = Measured("openvino", precision, (32, 64), 1, "")
        assert converter_for(measured).name == "openvino"


SUBNORMAL = """
import sys

import numpy as np
import onnxruntime

from lgcnet_tf.runtimes.device.sessions import OnnxRuntimeSessions

sessions = OnnxRuntimeSessions(threads=1)
onnxruntime.InferenceSession(sys.argv[1])  # another library's
session = sessions.open(sys.argv[1])
x = np.array([1e-39, 1e-37], np.float32).reshape(session.get_inputs()[0].shape)
(y,) = session.run(None, {session.get_inputs()[0].name: x})
np.testing.assert_allclose(y.ravel(), [0.0, 2e-37], rtol=1e-6)
"""


def test_numbers_below_the_smallest_normal_one_are_zero(tmp_path):
    """They would make a network's time one of its weights.

    In a process of its own, for the first session decides.
    """
    pytest.importorskip("onnxruntime")
    runtime = get_runtime("onnxruntime", threads=1)
    path = tmp_path / "double.onnx"
    double = keras.layers.Rescaling(2.0)
    path.write_bytes(runtime.convert(double, (1, 1, 1, 2), "float32"))
    subprocess.run([sys.executable, "-c", SUBNORMAL, str(path)], check=True)


def a_convolution(name, threads):
    """A function that runs one which is worth more than one thread."""
    try:
        runtime = get_runtime(name, threads=threads)
    except InputError as error:
        pytest.skip(str(error))
    return runtime.compile(keras.layers.Conv2D(32, 3), (1, 128, 128, 32)).run


@pytest.mark.parametrize("name", SESSIONS)
def test_what_does_not_run_leaves_the_cpus_to_the_others(name):
    """Networks are timed in turns: a thread that spins slows all others down."""
    run = a_convolution(name, 2)
    spent_s = []
    for _ in range(5):
        run()
        before = time.process_time()
        time.sleep(0.1)
        spent_s.append(time.process_time() - before)
    assert min(spent_s) < 0.005  # ONNX Runtime's spin for 0.03 s


needs_affinity = pytest.mark.skipif(
    len(fastest_cpus()) < 2, reason="needs two CPUs that a thread can choose"
)


@pytest.fixture
def places_of_threads():
    """Where the threads may run that were begun since: a set of CPUs for each."""
    before = set(os.listdir("/proc/self/task"))

    def look():
        begun = set(os.listdir("/proc/self/task")) - before
        return [os.sched_getaffinity(int(task)) for task in begun]

    return look


@needs_affinity
def test_every_thread_of_onnxruntime_has_a_cpu_of_its_own(places_of_threads):
    """The system puts two on one of them at times, which then take twice as long."""
    run, (first, second) = a_convolution("onnxruntime", 2), fastest_cpus()[:2]
    for _ in range(10_000):  # a thread places itself when it first runs
        if {second} in places_of_threads():
            break
        time.sleep(0.01)
    assert {second} in places_of_threads()
    before = os.sched_getaffinity(0)
    run()
    assert os.sched_getaffinity(0) == before
    assert on_cpu(first, lambda: os.sched_getaffinity(0))() == {first}


@needs_affinity
def test_more_threads_than_cpus_are_not_placed(places_of_threads):
    everywhere = os.sched_getaffinity(0)
    run = a_convolution("onnxruntime", len(everywhere) + 1)
    run()
    places = places_of_threads()
    assert places and all(place == everywhere for place in places)
