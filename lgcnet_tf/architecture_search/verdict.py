"""Whether a search has decided: one line at its end."""

from collections.abc import Mapping
from typing import Any

DECIDED_MARGIN = 0.1
"""Median margin p(first) - p(second) from which a choice counts as made."""

DRIFT_WARNING = 0.1
"""Share of the edges with another choice than an epoch before that is restless."""


def changed_edges(results: Mapping[str, Any], epochs: int) -> int | None:
    """How many edges the last epoch has changed; None where it is not known.

    Args:
        results: `last_change`, as `lgcnet_tf.space.choices.last_change` gives it.
        epochs: of the whole search.
    """
    if "last_change" not in results:
        return None
    change = results["last_change"]
    return len(change["edges"]) if change and change["epoch"] == epochs else 0


def verdict(results: Mapping[str, Any], edges: int, epochs: int) -> str:
    """Says whether the choice is made, on what grounds, and else what helps.

    Args:
        results: `margin` and perhaps `last_change` of `lgcnet_tf.space.choices`.
        edges: how many edges are searched.
        epochs: of the whole search.
    """
    margin, changed = results["margin"], changed_edges(results, epochs)
    decided = margin["median"] >= DECIDED_MARGIN
    if epochs > 1 and changed is not None:
        decided &= changed <= DRIFT_WARNING * edges
    grounds = [f"median margin {margin['median']:.2g}"]
    if epochs > 1 and changed is not None:
        grounds.append(f"{changed} of {edges} edges changed in the last epoch")
    least = margin["least_sure"][0]
    grounds.append(
        f"least sure {least['edge']}, {least['first']} over {least['second']} "
        f"by {least['margin']:.2g}"
    )
    line = f"{'decided' if decided else 'undecided'}: {', '.join(grounds)}"
    if decided:
        return line
    return (
        f"{line}; more --epochs, a larger --alpha_lr or --alpha_schedule=cosine decide"
    )
