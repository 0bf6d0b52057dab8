"""What the line on the device says of bfloat16; no such processor is needed."""

import types

import pytest

from lgcnet_tf.training import start_lines
from lgcnet_tf.training.workers import Worker

STRATEGY = types.SimpleNamespace(num_replicas_in_sync=1)
SLOW = "several times as long"


@pytest.mark.parametrize(
    "avx512, mixed, devices, slow",
    [
        (False, True, (), True),
        (False, True, ("CPU:0", "cpu:1"), True),
        (False, True, ("GPU:0",), False),
        (False, False, (), False),
        (True, True, (), False),
        (None, True, (), False),  # not an x86 processor, or one that does not say
    ],
)
def test_bfloat16_on_an_old_processor(avx512, mixed, devices, slow, monkeypatch):
    monkeypatch.setattr(start_lines, "has_avx512", lambda: avx512)
    monkeypatch.setattr(start_lines, "_accelerators", list)
    line = start_lines.device_line(devices, STRATEGY, Worker(), mixed)
    assert line.startswith("device: ") and (SLOW in line) == slow
