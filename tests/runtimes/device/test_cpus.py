"""Which CPUs threads are put on, of what Linux says of them."""

import os

import pytest

from lgcnet_tf.runtimes.device.sessions import fastest_cpus

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="threads cannot choose their CPU"
)


def system(folder, cpus):
    """A folder as Linux has it: of each CPU its capacity and its core's threads."""
    for cpu, (capacity, siblings) in cpus.items():
        topology = folder / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "core_cpus_list").write_text(f"{siblings}\n")
        if capacity:
            (topology.parent / "cpu_capacity").write_text(f"{capacity}\n")
    return str(folder)


@needs_affinity
@pytest.mark.parametrize(
    ("cpus", "expected"),
    [
        ({0: (446, "0"), 1: (446, "1"), 2: (1024, "2")}, [2, 0, 1]),
        ({0: (0, "0-1"), 1: (0, "0-1"), 2: (0, "2-3"), 3: (0, "2-3")}, [0, 2, 1, 3]),
        ({0: (0, "0,2"), 1: (0, "1,3"), 2: (0, "0,2"), 3: (0, "1,3")}, [0, 1, 2, 3]),
        ({4: (0, "3-4"), 7: (0, "7")}, [4, 7]),
        ({}, [0, 1, 2, 3]),
    ],
)
def test_large_cores_come_first_and_second_threads_last(
    cpus, expected, tmp_path, monkeypatch
):
    allowed = set(cpus) or set(range(4))
    monkeypatch.setattr(os, "sched_getaffinity", lambda task: allowed)
    assert fastest_cpus(system(tmp_path, cpus)) == expected


def test_none_where_the_system_does_not_say(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert fastest_cpus() == []
