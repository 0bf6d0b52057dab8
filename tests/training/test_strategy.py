import contextlib

import tensorflow as tf

from lgcnet_tf.training.strategy import OneDevice, make_strategy


def test_one_device_needs_no_strategy():
    strategy = make_strategy(["CPU:0"])
    assert isinstance(strategy, OneDevice)
    with strategy.scope():
        assert tf.distribute.get_strategy().num_replicas_in_sync == 1
    assert isinstance(strategy.scope(), contextlib.AbstractContextManager)


def test_by_default_all_gpus():
    gpus = tf.config.list_logical_devices("GPU")
    strategy = make_strategy()
    if len(gpus) > 1:
        assert strategy.num_replicas_in_sync == len(gpus)
    else:
        assert isinstance(strategy, OneDevice)
