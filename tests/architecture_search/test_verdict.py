"""One line on whether a search has decided."""

import pytest

from lgcnet_tf.architecture_search.verdict import verdict

EDGES, EPOCHS = 40, 4


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
    line = verdict(found, EDGES, EPOCHS)
    assert line.startswith("decided: " if decided else "undecided: ")
    assert ("--alpha_lr" in line) is not decided
    assert "\n" not in line


def test_it_names_its_grounds():
    assert verdict(results(0.01, 32), EDGES, EPOCHS) == (
        "undecided: median margin 0.01, 32 of 40 edges changed in the last epoch, least "
        "sure cell 1 s0->n1, none over conv_3x3 by 0.002; more --epochs, a larger "
        "--alpha_lr or --alpha_schedule=cosine decide"
    )
