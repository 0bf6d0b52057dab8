"""Runs that are told to stop, or die, at some moment and are started again."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.interruption import INTERRUPTION, Interrupted
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.training.average import WeightAverage
from lgcnet_tf.training.fit import compile_for_segmentation, fit
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.optimizers import SGD

CLASSES = 8
EPOCHS = 2
STEPS = 3  # in an epoch: 6 pictures in batches of 2


class Steered(keras.layers.Layer):
    """Has a number that is set from outside, as λ is."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="scale"
        )

    def call(self, inputs):
        return inputs * self.scale


@pytest.fixture(scope="module")
def run(small_samples, tmp_path_factory):
    """Trains a new model in a folder; a second call goes on there.

    What it calls changes a variable, so that one call too many would show.
    """
    root = tmp_path_factory.mktemp("resume")

    def run(name, **hooks):
        # A test before may have asked for it in this process, but not in those below.
        tf.config.experimental.enable_op_determinism()
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((16, 16, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Dropout(0.2, seed=1),
                keras.layers.Conv2D(CLASSES, 3, padding="same", name="conv"),
                keras.layers.BatchNormalization(name="norm"),
                layer := Steered(name="steered"),
            ]
        )
        scale = layer.scale
        optimizer = SGD(0.1, momentum=0.9, l2=1e-3)
        compile_for_segmentation(model, optimizer, CrossEntropy(), CLASSES)
        average = WeightAverage(model, 0.9)
        options = FinetuneOptions(
            output_dir=str(root / name),
            epochs=EPOCHS,
            batch_size=2,
            crop_size=(16, 16),
        )

        def act(name, factor):
            scale.assign(scale * factor)
            hooks.get(name, lambda: None)()

        class Acting(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                act("on_epoch_begin", 1.5)

            def on_train_batch_end(self, batch, logs=None):
                act("on_step_end", 1.25)

        def measure(epoch):
            act("on_epoch_end", 0.75)
            return {"figure": 1.0}

        history = fit(
            model,
            small_samples,
            RunFolder(options, "finetune"),
            options,
            callbacks=[average, Acting()],
            measures=[measure],
        )
        variables = [*model.variables, *model.optimizer.variables, *average.averages]
        metrics = {id(v) for v in model.metrics_variables}
        arrays = [np.array(v) for v in variables if id(v) not in metrics]
        return [{k: v for k, v in e.items() if k != "seconds"} for e in history], arrays

    run.root = root
    return run


@pytest.fixture(scope="module")
def whole(run):
    """History and variables of a run that nothing disturbed."""
    history, arrays = run("whole")
    assert all(0 < entry["miou"] < 1 for entry in history)
    return history, arrays


def assert_same(found, expected):
    assert found[0] == expected[0]
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_array_equal(one, other)


def names(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


class AtCall:
    """Sends a signal to this process when it is called for the nth time."""

    def __init__(self, number):
        self.left = number
        self.went_on = False

    def __call__(self, *args):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            self.went_on = True


@pytest.fixture
def interrupted(run, monkeypatch):
    """A run that gets SIGTERM in the nth call of a hook."""

    def interrupted(name, hook, number):
        monkeypatch.setattr(INTERRUPTION, "signal", None)
        call = AtCall(number)
        try:
            with INTERRUPTION.installed(), pytest.raises(Interrupted) as caught:
                run(name, **{hook: call})
        finally:
            INTERRUPTION.signal = None
            INTERRUPTION.allow()
        return call, str(caught.value)

    return interrupted


@pytest.mark.parametrize("number", [1, 2, 5])
def test_told_to_stop_after_a_step(run, whole, interrupted, number):
    """It goes on with the next step, and the epoch's figures are the same."""
    name = f"step_{number}"
    call, message = interrupted(name, "on_step_end", number)
    assert call.went_on  # the step's own work was done
    epoch, step = divmod(number, STEPS)
    where = f"step {step}/{STEPS} of epoch {epoch + 1} of {EPOCHS}"
    assert message == f"stopped after {where}; the same command goes on from there."
    assert names(run.root / name)[-1] == f"epoch_{epoch + 1:04d}_step_{step:04d}.npz"
    assert message in (run.root / name / "log.txt").read_text()
    assert_same(run(name), whole)
    assert f"resumes after {where}" in (run.root / name / "log.txt").read_text()


def test_told_to_stop_in_validation(run, whole, interrupted):
    """It leaves at once; the epoch's end is done again, its steps are not."""
    call, message = interrupted("validation", "on_epoch_end", 1)
    assert not call.went_on
    assert f"step {STEPS}/{STEPS} of epoch 1" in message
    assert names(run.root / "validation") == ["epoch_0001_step_0003.npz"]
    steps = []
    assert_same(run("validation", on_step_end=lambda: steps.append(0)), whole)
    assert len(steps) == STEPS * (EPOCHS - 1)


def test_told_to_stop_after_the_last_step(run, whole, interrupted):
    """Nothing has begun of the epoch's end, and nothing of it is done."""
    interrupted("last", "on_step_end", STEPS)
    assert names(run.root / "last") == ["epoch_0001_step_0003.npz"]
    assert not (run.root / "last/history.json").exists()
    assert_same(run("last"), whole)


def test_told_to_stop_before_anything_is_new(run, whole, interrupted):
    """At an epoch's begin: the last epoch's end holds everything."""
    call, message = interrupted("begin", "on_epoch_begin", 2)
    assert not call.went_on
    assert "nothing new to save" in message
    assert names(run.root / "begin") == ["epoch_0001.npz"]
    assert_same(run("begin"), whole)


def test_told_to_stop_again_and_again(run, whole, interrupted):
    for _ in range(4):  # beyond the first epoch's end
        interrupted("again", "on_step_end", 1)
    assert_same(run("again"), whole)


def test_leftovers_of_the_killed_are_removed(run, whole):
    folder = run.root / "killed"
    (folder / "checkpoints").mkdir(parents=True)
    left = [
        folder / "checkpoints/.epoch_0003-ab12cd_3.npz",
        folder / ".history-abcdefgh.json",
        folder / ".model-abcdefgh.weights.h5",
    ]
    kept = [folder / ".gitignore", folder / "notes-abcdefgh.txt"]
    for path in [*left, *kept]:
        path.write_text("")
    assert_same(run("killed"), whole)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_of_another_network(run, interrupted):
    interrupted("other", "on_step_end", 1)
    path = run.root / "other/checkpoints/epoch_0001_step_0001.npz"
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files}
    arrays["sequential/conv/kernel"] = np.zeros((1, 1, 3, CLASSES), np.float32)
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"sequential/conv/kernel is \(1, 1, 3, 8\)"):
        run("other")


SCRIPT = """
import os, resource, signal, sys
from lgcnet_tf.bin import common
with common.quiet_start(), common.without_needless_imports():
    import tensorflow as tf
import conftest, test_resume

# Its numbers are compared with those of the tests' own process.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# Runs as the binaries do and is disturbed at `moment`.
moment, folder = sys.argv[1:]

def main(options):
    samples = conftest.small_samples.__wrapped__()
    class Folder:
        def mktemp(self, name): return __import__("pathlib").Path(folder)
    run = test_resume.run.__wrapped__(samples, Folder())
    hooks = {}
    if moment == "sigterm":
        hooks["on_step_end"] = test_resume.AtCall(2)
    if moment == "sigkill":  # in the midst of writing the checkpoint
        real = os.fsync
        def die(handle):
            if b"epoch_0001" in os.readlink(f"/proc/self/fd/{handle}").encode():
                os.kill(os.getpid(), signal.SIGKILL)
            real(handle)
        os.fsync = die
    if moment == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
    run("run", **hooks)

sys.argv = [sys.argv[0]]
with common.resumable():
    common.run(common.Options, main)
"""


def start(moment, folder):
    here = pathlib.Path(__file__).parent
    paths = [str(here), str(here.parents[1])]
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, moment, str(folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_process_that_is_killed_stopped_and_has_no_room(run, whole):
    """The same command goes on every time, and comes to the same end."""
    folder = run.root / "run"
    died = start("sigkill", run.root)
    assert died.returncode == -signal.SIGKILL
    assert [name[0] for name in names(folder)] == ["."]  # half a checkpoint

    full = start("full", run.root)
    assert full.returncode == 1
    line = full.stderr.strip().splitlines()[-1]
    assert "epoch_0001.npz: not written: File too large. Make room and" in line
    assert "Traceback" not in full.stderr
    assert names(folder) == []

    stopped = start("sigterm", run.root)
    assert stopped.returncode == 0, stopped.stderr
    assert "stopped after step 2/3 of epoch 1 of 2" in stopped.stderr.splitlines()[-1]
    assert names(folder) == ["epoch_0001_step_0002.npz"]

    assert_same(run("run"), whole)
    history = json.loads((folder / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2]
