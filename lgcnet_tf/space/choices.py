"""What a search chooses on its edges: when that last changed, and how surely."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lgcnet_tf.space.skeleton import Skeleton

LEAST_SURE = 5


def searched_edges(
    skeleton: Skeleton,
) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """Name and candidates of every searched edge, for each array of α.

    `cells` lists the edges of cell 0, of cell 1 and so on up to the last cell
    that anything reads; `keep` and `up` those of the fusion cell, if there is
    one.
    """
    groups: dict[str, list[tuple[str, tuple[str, ...]]]] = {"cells": []}
    table = skeleton.fusion_cell
    for name in ("keep", "up") if table else ():
        if any(edge.up == (name == "up") for edge in table.edges):
            groups[name] = []
    for edge in skeleton.edges:
        if edge.cell is None:
            group = "up" if table.edges[edge.place].up else "keep"
        elif edge.cell <= skeleton.last_cell:
            group = "cells"
        else:
            continue
        groups[group].append((edge.name, edge.candidates))
    return groups


def _every_edge(arrays, skeleton, function):
    """`function` of each edge's candidates, (..., edges) in `searched_edges`' order."""
    parts = []
    for group, edges in searched_edges(skeleton).items():
        found = function(np.asarray(arrays[group]))
        if group == "cells":
            found = found.reshape(*found.shape[:-2], -1)
        parts.append(found[..., : len(edges)])
    return np.concatenate(parts, axis=-1)


def _margin(p):
    two = np.sort(p, axis=-1)[..., -2:]
    return two[..., 1] - two[..., 0]


def margins(probabilities: Mapping[str, np.ndarray], skeleton: Skeleton) -> np.ndarray:
    """p(first) - p(second) of every edge, in the order of `searched_edges`.

    Args:
        probabilities: softmax(α'), `cells` (..., K, 5, 8), `keep` (..., edges,
            10) and `up` (..., edges, 2).

    Returns:
        (..., edges).
    """
    return _every_edge(probabilities, skeleton, _margin)


def changes(epochs: Mapping[str, np.ndarray], skeleton: Skeleton) -> np.ndarray:
    """How many edges have another argmax than an epoch before.

    Args:
        epochs: see `last_change`.

    Returns:
        (epochs,) float; NaN for the first and for what is not known.
    """
    best = _every_edge(epochs, skeleton, _argmax)
    counts = np.full(len(best), np.nan)
    counts[1:] = (best[1:] != best[:-1]).sum(-1)
    unknown = (best < 0).any(-1)
    counts[unknown] = np.nan
    counts[1:][unknown[:-1]] = np.nan
    return counts


def _argmax(p):
    return np.where(np.isnan(p).any(-1), -1, p.argmax(-1))


def last_change(
    epochs: Mapping[str, np.ndarray], skeleton: Skeleton
) -> dict[str, Any] | None:
    """The last epoch that changed the argmax of an edge.

    Args:
        epochs: softmax(α') at the ends of the epochs, `cells` (epochs, K, 5, 8),
            `keep` (epochs, edges, 10) and `up` (epochs, edges, 2). An epoch of
            NaN is not known.
        skeleton: of the search.

    Returns:
        `epoch`, from 1, and `edges`, for each its name, `from` and `to`; None
        when no argmax has changed since the first epoch.
    """
    best = _every_edge(epochs, skeleton, _argmax)
    known = np.flatnonzero((best >= 0).all(-1))
    changed = best[known[1:]] != best[known[:-1]]
    when = np.flatnonzero(changed.any(-1))
    if not when.size:
        return None
    before, after = best[known[when[-1]]], best[known[when[-1] + 1]]
    return {
        "epoch": int(known[when[-1] + 1]) + 1,
        "edges": [
            {"edge": name, "from": candidates[old], "to": candidates[new]}
            for (name, candidates), old, new in zip(_edges(skeleton), before, after)
            if old != new
        ],
    }


def sureness(
    probabilities: Mapping[str, np.ndarray], skeleton: Skeleton
) -> dict[str, Any]:
    """How sure the choice is: `minimum` and `median` of the margins.

    Args:
        probabilities: see `margins`, without leading dimensions.

    Returns:
        Also `least_sure`, the edges of the smallest margins: for each its
        name, its `margin`, and its `first` and `second` operation.
    """
    every = margins(probabilities, skeleton)
    first = _every_edge(probabilities, skeleton, _argmax)
    second = _every_edge(probabilities, skeleton, lambda p: np.argsort(p)[..., -2])
    edges = _edges(skeleton)
    least = []
    for index in np.argsort(every, kind="stable")[:LEAST_SURE]:
        name, candidates = edges[index]
        least.append(
            {
                "edge": name,
                "margin": float(every[index]),
                "first": candidates[first[index]],
                "second": candidates[second[index]],
            }
        )
    return {
        "minimum": float(every.min()),
        "median": float(np.median(every)),
        "least_sure": least,
    }


def _edges(skeleton):
    return [edge for edges in searched_edges(skeleton).values() for edge in edges]


def choice_lines(results: Mapping[str, Any]) -> list[str]:
    """`last_change` and `margin` of a search's results, in words."""
    lines = []
    if "last_change" in results:
        change = results["last_change"]
        if change:
            edge, *others = change["edges"]
            more = f", and {len(others)} more" if others else ""
            lines.append(
                f"last change: epoch {change['epoch']}, {edge['edge']} from "
                f"{edge['from']} to {edge['to']}{more}"
            )
        else:
            lines.append("last change: none since the first epoch")
    if margin := results.get("margin"):
        lines.append(
            "margin of the choice: minimum "
            f"{margin['minimum']:.2g}, median {margin['median']:.2g}"
        )
        lines += [
            f"least sure: {edge['edge']}, {edge['first']} over {edge['second']} "
            f"by {edge['margin']:.2g}"
            for edge in margin["least_sure"]
        ]
    return lines
