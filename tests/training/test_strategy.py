import contextlib
import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from lgcnet_tf.errors import InputError
from lgcnet_tf.training.strategy import OneDevice, make_strategy


def test_one_device_needs_no_strategy():
    strategy = make_strategy(
        ["CPU:0"] if not tf.config.list_logical_devices("GPU") else []
    )
    assert isinstance(strategy, OneDevice) or strategy.num_replicas_in_sync > 1
    with OneDevice().scope():
        assert tf.distribute.get_strategy().num_replicas_in_sync == 1
    assert isinstance(strategy.scope(), contextlib.AbstractContextManager)


def test_by_default_all_gpus():
    gpus = tf.config.list_logical_devices("GPU")
    strategy = make_strategy()
    if len(gpus) > 1:
        assert strategy.num_replicas_in_sync == len(gpus)
    else:
        assert isinstance(strategy, OneDevice)


@pytest.mark.parametrize(
    "devices, message",
    [
        (["TPU"], "'TPU' is no device; it takes names such as GPU:0,GPU:1"),
        (["GPU:98", "GPU:99"], r"there is no GPU:98, GPU:99 here; there is: CPU:0"),
        (["CPU:0", "cpu:0"], "names CPU:0 more than once"),
        (["CPU:98"], r"no CPU:98 here \(TensorFlow has started.*there is: CPU:0"),
    ],
)
def test_refuses_devices_that_are_not_there(devices, message):
    tf.config.list_logical_devices()
    with pytest.raises(InputError, match=message):
        make_strategy(devices)


SPLIT = """
from lgcnet_tf.bin import common
with common.quiet_start(), common.without_needless_imports():
    import keras
from lgcnet_tf.errors import InputError
from lgcnet_tf.training.strategy import make_strategy
try:
    make_strategy(("CPU:0", "CPU:1", "CPU:2"), batch_size=16)
except InputError as error:
    print(error)
strategy = make_strategy(("cpu:0", "/CPU:1"), batch_size=16)
print(strategy.num_replicas_in_sync)
with strategy.scope():
    variable = keras.Variable([1.0])
print(len(variable.value.values))
"""


def test_splits_the_cpu_and_refuses_a_batch_that_cannot_be_shared_out():
    done = subprocess.run(
        [sys.executable, "-c", SPLIT], capture_output=True, text=True, check=True
    )
    refusal, replicas, copies = done.stdout.splitlines()
    assert refusal == (
        "--batch_size=16 cannot be split over the 3 devices CPU:0, CPU:1, CPU:2; "
        "take 15 or 18."
    )
    assert replicas == copies == "2"


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_several_machines_need_tensorflow(monkeypatch, backend):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setenv(
        "TF_CONFIG",
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}',
    )
    with pytest.raises(InputError, match=f"names 2 workers.*Received: {backend}"):
        make_strategy()


def test_devices_are_of_one_machine(monkeypatch):
    monkeypatch.setenv(
        "TF_CONFIG",
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}',
    )
    with pytest.raises(InputError, match="--devices=GPU:0 is for one machine"):
        make_strategy(["GPU:0"])
