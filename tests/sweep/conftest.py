"""Trials whose stages are a quick program in place of the real commands."""

import pytest


@pytest.fixture
def make_trial(tmp_path, quick_stages):
    """A trial by its mode of communication and seed."""
    from lgcnet_tf.sweep.trial import Trial

    def make(mode="none", seed=0, **changes):
        fields = {
            "name": f"{mode}-{seed}",
            "setting": {"communication": mode, "finetune.lr": "0.5"},
            "seed": seed,
            "folder": f"trials/{mode}-{seed}",
            "flagfiles": {"search": "s.txt", "finetune": "f.txt"},
            "working_dir": str(tmp_path),
        }
        return Trial(**fields | changes)

    return make
