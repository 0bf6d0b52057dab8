"""Threads and graph optimisations are set before TensorFlow starts, and only then."""

import json
import subprocess
import sys

import pytest
import tensorflow as tf

from lgcnet_tf.training.graphs import prepare_graphs

SCRIPT = """
import json, os
os.sched_getaffinity = lambda pid: range({cpus})
import tensorflow as tf
from lgcnet_tf.training.graphs import prepare_graphs
prepare_graphs(wide={wide})
threads = tf.config.threading
print(json.dumps([
    threads.get_intra_op_parallelism_threads(),
    threads.get_inter_op_parallelism_threads(),
    tf.config.optimizer.get_experimental_options(),
]))
"""


@pytest.mark.parametrize(
    "wide, cpus, threads", [(True, 2, [1, 2]), (True, 64, [4, 64]), (False, 2, [0, 0])]
)
def test_a_supernet_runs_its_operations_side_by_side(wide, cpus, threads):
    script = SCRIPT.format(wide=wide, cpus=cpus)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    *found, optimizations = json.loads(done.stdout.splitlines()[-1])
    assert found == threads
    assert optimizations["remapping"] is False
    assert "constant_folding" not in optimizations


def test_too_late_changes_no_threads():
    tf.zeros(1) + 1  # it has started
    before = tf.config.threading.get_intra_op_parallelism_threads()
    prepare_graphs(wide=True)
    assert tf.config.threading.get_intra_op_parallelism_threads() == before
