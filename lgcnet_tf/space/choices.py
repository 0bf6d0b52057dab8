"""What a search chooses on its edges: when that last changed, and how surely.

Probabilities are softmax(α'), (..., E, C) by `Skeleton.edges`, 0 for what an edge has
not; NaN stands for an epoch that is not known.
"""

import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.space.cells import Edge
from lgcnet_tf.space.skeleton import Skeleton

LEAST_SURE = 5

PROBABILITIES = "probabilities"
"""Name of the array in `alphas.npz` and `alphas_history.npz`."""


def searched_edges(skeleton: Skeleton) -> list[Edge]:
    """The edges that are built: not those of cells that nothing reads."""
    return [skeleton.edges[place] for place in _places(skeleton)]


def _places(skeleton):
    return [
        place
        for place, edge in enumerate(skeleton.edges)
        if edge.cell is None or edge.cell <= skeleton.last_cell
    ]


def read_probabilities(
    path: str | os.PathLike, skeleton: Skeleton, epochs: bool = False
) -> np.ndarray:
    """The probabilities of an archive: (E, C), or (epochs, E, C).

    Args:
        path: it has `probabilities`; or what earlier releases wrote, `cells`
            (..., K, 5, 8) and of the fusion cell the edges that keep their map's size,
            `keep`, and those that double it, `up`.
        skeleton: of the search.
        epochs: the archive has them for each epoch.

    Raises:
        InputError: it is damaged, or of another search space; names it.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if PROBABILITIES in arrays:
                found = arrays[PROBABILITIES]
            else:
                found = _of_groups(arrays, skeleton)
    except (
        OSError, ValueError, KeyError, EOFError, TypeError, IndexError,
        AttributeError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise InputError(f"{path}: no archive of alphas ({error}).") from None
    wanted = skeleton.candidate_mask.shape
    if (
        found.dtype.kind != "f"
        or found.shape[-2:] != wanted
        or (found.ndim != 2 + epochs)
    ):
        raise InputError(
            f"{path}: no archive of alphas of this search space: has {found.dtype.name} "
            f"{found.shape}, not (edges, operations) {wanted}"
            f"{' of each epoch' if epochs else ''}."
        )
    unknown = np.isnan(found).any((-2, -1), keepdims=True) if epochs else False
    if not ((found >= 0) & (found <= 1.001) | unknown).all():
        raise InputError(f"{path}: no archive of alphas: values are no probabilities.")
    return found


def _of_groups(arrays, skeleton):
    cells = np.asarray(arrays["cells"])
    groups = {"cells": cells.reshape(*cells.shape[:-3], -1, cells.shape[-1])}
    if skeleton.fusion_cell:
        groups |= {name: arrays[name] for name in ("keep", "up") if name in arrays}
    found = np.zeros((*cells.shape[:-3], *skeleton.candidate_mask.shape), cells.dtype)
    taken = dict.fromkeys(("cells", "keep", "up"), 0)
    for place, edge in enumerate(skeleton.edges):
        name = "cells"
        if edge.cell is None:
            name = "up" if skeleton.fusion_cell.edges[edge.place].up else "keep"
        values = groups[name][..., taken[name], :]
        found[..., place, : len(edge.candidates)] = values
        taken[name] += 1
    for name, group in groups.items():
        if group.shape[-2] != taken[name]:
            raise ValueError(f"{name} of {group.shape[-2]} edges, not {taken[name]}")
    return found


def margins(probabilities: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """p(first) - p(second) of every one of `searched_edges`: (..., edges)."""
    first, second = _ranked(probabilities[..., _places(skeleton), :])
    return first - second


def _ranked(p):
    """The largest and the second largest of the last axis."""
    two = np.sort(np.append(p, np.zeros_like(p[..., :1]), axis=-1), axis=-1)[..., -2:]
    return two[..., 1], two[..., 0]


def _best(probabilities, skeleton):
    """The argmax of the searched edges, -1 where it is not known."""
    p = probabilities[..., _places(skeleton), :]
    return np.where(np.isnan(p).any(-1), -1, p.argmax(-1))


def changes(epochs: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """How many edges have another argmax than an epoch before.

    Args:
        epochs: probabilities at the ends of the epochs, (epochs, E, C).
        skeleton: of the search.

    Returns:
        (epochs,) float; NaN for the first and for what is not known.
    """
    best = _best(epochs, skeleton)
    counts = np.full(len(best), np.nan)
    counts[1:] = (best[1:] != best[:-1]).sum(-1)
    unknown = (best < 0).any(-1)
    counts[unknown] = np.nan
    counts[1:][unknown[:-1]] = np.nan
    return counts


def last_change(epochs: np.ndarray, skeleton: Skeleton) -> dict[str, Any] | None:
    """The last epoch that changed the argmax of an edge.

    Args:
        epochs, skeleton: as for `changes`.

    Returns:
        `epoch`, from 1, and `edges`, for each its name, `from` and `to`; None
        when no argmax has changed since the first epoch.
    """
    best = _best(epochs, skeleton)
    known = np.flatnonzero((best >= 0).all(-1))
    changed = best[known[1:]] != best[known[:-1]]
    when = np.flatnonzero(changed.any(-1))
    if not when.size:
        return None
    before, after = best[known[when[-1]]], best[known[when[-1] + 1]]
    return {
        "epoch": int(known[when[-1] + 1]) + 1,
        "edges": [
            {"edge": e.name, "from": e.candidates[old], "to": e.candidates[new]}
            for e, old, new in zip(searched_edges(skeleton), before, after)
            if old != new
        ],
    }


def sureness(probabilities: np.ndarray, skeleton: Skeleton) -> dict[str, Any]:
    """How sure the choice is: `minimum` and `median` of the margins.

    Args:
        probabilities: (E, C).
        skeleton: of the search.

    Returns:
        Also `least_sure`, the edges of the smallest margins: for each its
        name, its `margin`, and its `first` and `second` operation.
    """
    every = margins(probabilities, skeleton)
    edges = searched_edges(skeleton)
    least = []
    for index in np.argsort(every, kind="stable")[:LEAST_SURE]:
        candidates = edges[index].candidates
        p = probabilities[_places(skeleton)[index], : len(candidates)]
        *_, second, first = (0, *np.argsort(p, kind="stable"))
        least.append(
            {
                "edge": edges[index].name,
                "margin": float(every[index]),
                "first": candidates[first],
                "second": candidates[second],
            }
        )
    return {
        "minimum": float(every.min()),
        "median": float(np.median(every)),
        "least_sure": least,
    }


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
