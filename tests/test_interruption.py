"""What real signals do to this very process."""

import os
import signal
import subprocess
import sys
import time

import pytest

from lgcnet_tf.interruption import Interrupted, Interruption


@pytest.fixture
def interruption():
    found = Interruption()
    before = signal.getsignal(signal.SIGTERM)
    with found.installed():
        yield found
    assert signal.getsignal(signal.SIGTERM) is before


def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)
    time.sleep(0.01)  # the handler runs before this ends


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_ends_at_once_at_first(interruption, number, status):
    assert not interruption.requested
    with pytest.raises(Interrupted, match="nothing new to save; the same command"):
        send(number)
    assert interruption.requested
    assert interruption.status == status


def test_a_signal_while_garbage_is_collected_is_heard(interruption, capfd):
    class Dropped:
        def __del__(self):
            send()

    with pytest.raises(Interrupted):
        Dropped()
        for _ in range(6000):  # until it is raised again
            time.sleep(0.01)
    assert "Exception ignored" not in capfd.readouterr().err


def test_waits_where_it_is_deferred(interruption):
    interruption.defer()
    send()
    assert interruption.requested
    send()  # impatient ones send it again
    with pytest.raises(Interrupted, match="all is saved"):
        interruption.leave("all is saved")


def test_ends_as_soon_as_it_is_allowed(interruption):
    interruption.allow()
    interruption.defer()
    send()
    with pytest.raises(Interrupted):
        interruption.allow()


def test_a_block_that_a_signal_leaves(interruption):
    interruption.defer()
    with interruption.raising():
        pass
    done = False
    with pytest.raises(Interrupted), interruption.raising():
        send()
        done = True
    assert not done
    send()  # saving goes on undisturbed
    with pytest.raises(Interrupted), interruption.raising():
        done = True
    assert not done


def test_no_handler_no_interruption():
    interruption = Interruption()
    interruption.defer()
    interruption.allow()
    with interruption.raising():
        pass
    assert not interruption.requested


SCRIPT = """
import hashlib, sys
from lgcnet_tf.interruption import Interruption
interruption = Interruption()
with interruption.installed():
    if sys.argv[1] == "deferred":
        interruption.defer()
    print("ready", flush=True)
    # C code that lets other threads run, but none of Python's handlers.
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", int(sys.argv[2]))
    print("finished", flush=True)
"""


@pytest.mark.parametrize("kind, work", [("at_once", 500e6), ("deferred", 2e6)])
def test_a_main_thread_in_native_code(kind, work):
    """It is ended all the same, unless there is something to save first."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, kind, str(int(work))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)  # now it is in C
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    if kind == "deferred":
        assert (out, err) == ("finished\n", "")
    else:
        assert out == ""
        assert "nothing new to save; the same command goes on" in err
        assert len(err.splitlines()) == 1
