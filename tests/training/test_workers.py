"""What TF_CONFIG says; the training itself is in tests/architecture_search/test_workers.py."""

import json

import pytest
import tensorflow as tf

from lgcnet_tf.errors import InputError, WorkerLost
from lgcnet_tf.training.workers import Worker, this_worker, translate_worker_loss


@pytest.fixture
def tf_config(monkeypatch):
    """Sets TF_CONFIG."""

    def put(cluster=None, task=None, text=None):
        value = (
            text if text is not None else json.dumps({"cluster": cluster, "task": task})
        )
        monkeypatch.setenv("TF_CONFIG", value)

    return put


def test_without_it_there_is_one(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert this_worker() == Worker(0, ())
    assert (this_worker().count, this_worker().chief) == (1, True)


def test_one_worker_is_a_single_machine(tf_config):
    tf_config({"worker": ["a:1"]}, {"type": "worker", "index": 0})
    assert this_worker().count == 1


def test_workers_are_counted(tf_config):
    tf_config({"worker": ["a:1", "b:2", "c:3"]}, {"type": "worker", "index": 2})
    assert this_worker() == Worker(2, ("a:1", "b:2", "c:3"))
    assert not this_worker().chief


def test_a_chief_comes_before_the_workers(tf_config):
    tf_config({"chief": ["a:1"], "worker": ["b:2"]}, {"type": "worker", "index": 0})
    assert this_worker() == Worker(1, ("a:1", "b:2"))


@pytest.mark.parametrize(
    "config, message",
    [
        ({"text": "{"}, "TF_CONFIG cannot be read: it takes"),
        ({"text": "[1, 2]"}, "TF_CONFIG cannot be read: it takes"),
        (
            {
                "cluster": {"worker": ["a:1", "b:2"]},
                "task": {"type": "worker", "index": 2},
            },
            "its task worker 2 is not one of its cluster's",
        ),
        (
            {"cluster": {"worker": ["a:1"], "ps": ["b:2"]}, "task": {"type": "ps"}},
            "TF_CONFIG names tasks ps",
        ),
    ],
)
def test_refuses_others(tf_config, config, message):
    tf_config(**config)
    with pytest.raises(InputError, match=message):
        this_worker()


def test_a_lost_worker_is_told_from_other_errors(tf_config):
    tf_config({"worker": ["a:1", "b:2"]}, {"type": "worker", "index": 0})
    message = "{{function_node f}} Collective ops is aborted by: Socket closed\nmore"
    with (
        pytest.raises(
            WorkerLost, match=r"^another worker was lost \(Socket closed\)\.$"
        ),
        translate_worker_loss(),
    ):
        raise tf.errors.UnavailableError(None, None, message)
    with pytest.raises(tf.errors.InvalidArgumentError), translate_worker_loss():
        raise tf.errors.InvalidArgumentError(None, None, "labels out of range")
