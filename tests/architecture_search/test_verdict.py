"""One line on whether a search has decided."""

import types

import pytest

from lgcnet_tf.architecture_search.settings import DECIDING
from lgcnet_tf.architecture_search.verdict import verdict

EDGES, EPOCHS = 40, 4


def options(**changes):
    paper = {
        "alpha_lr": 1e-3,
        "alpha_schedule": "constant",
        "temperature_final": 0.03,
        "sampling": "soft",
    }
    return types.SimpleNamespace(epochs=EPOCHS, **paper | changes)


def results(median, changed=None, epoch=EPOCHS):
    least = {"edge": "cell 1 s0->n1", "first": "none", "second": "conv_3x3"}
    found = {"margin": {"median": median, "least_sure": [{**least, "margin": 0.002}]}}
    if changed is not None:
        found["last_change"] = {"epoch": epoch, "edges": [None] * changed}
    return found


@pytest.mark.parametrize(
    "found, decided",
    [
        (results(0.4, 3), True),
        (results(0.4, 30, epoch=EPOCHS - 1), True),  # not since
        (results(0.4), True),  # changes are not known
        (results(0.4, 5), False),
        (results(0.01, 0), False),
    ],
)
def test_a_large_margin_and_few_changes_are_a_decision(found, decided):
    line = verdict(found, EDGES, options())
    assert line.startswith("decided: " if decided else "undecided: ")
    assert ("--alpha_lr" in line) is not decided
    assert "\n" not in line


def test_it_names_its_grounds():
    assert verdict(results(0.01, 32), EDGES, options()) == (
        "undecided: median margin 0.01, 32 of 40 edges changed in the last epoch, least "
        "sure cell 1 s0->n1, none over conv_3x3 by 0.002; more --epochs, "
        "--alpha_lr=0, --alpha_schedule=cosine, --temperature_final=0.5, "
        "--sampling=per_image decide"
    )


def test_it_advises_nothing_that_is_so_already():
    line = verdict(results(0.01), EDGES, options(**DECIDING))
    assert line.endswith("; more --epochs decide")
    line = verdict(results(0.01), EDGES, options(**DECIDING | {"alpha_lr": 0.2}))
    assert line.endswith("; more --epochs, --alpha_lr=0 decide")
