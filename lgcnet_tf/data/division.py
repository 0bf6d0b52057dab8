"""A validation split made of a part of the training split."""

import collections
import hashlib
from collections.abc import Mapping, Sequence

from lgcnet_tf.data.dataset import Dataset
from lgcnet_tf.data.groups import groups_of
from lgcnet_tf.data.samples import Entry, Sample, Samples
from lgcnet_tf.errors import InputError

TRAIN, VAL = "train", "val"


class Divided(Dataset):
    """A data set whose split `train` is divided into `train` and `val`.

    Groups of samples, such as the frames of one video, stay together: they are
    brought into an order that depends on the seed and on their names alone, and
    the first ones, as many as come nearest to the share, are the split `val`. So
    new images seldom move others to the other side.

    Args:
        dataset: has no split `val`.
        val_share: fraction of the training samples, above 0 and below 1.
        split_seed: other seeds give other divisions.
        group_by: see `groups.groups_of`; where it is empty and the data set has
            no rule of its own, each sample is a group.

    Raises:
        InputError: the data set has a split `val`, no split `train` or only one
            group, or the share is no fraction.
    """

    def __init__(
        self,
        dataset: Dataset,
        val_share: float,
        split_seed: int = 0,
        group_by: str = "",
    ):
        name = dataset.info.name
        if not 0.0 < val_share < 1.0:
            raise InputError(
                f"--val_share must be above 0 and below 1. Received: {val_share}"
            )
        if VAL in dataset.splits:
            raise InputError(
                f"--val_share={val_share:g} is for data without a split val; {name} has "
                f"{', '.join(dataset.splits)}."
            )
        if TRAIN not in dataset.splits:
            raise InputError(
                f"--val_share={val_share:g} divides the split train, which {name} has "
                f"not. Available: {', '.join(dataset.splits)}."
            )
        self.dataset = dataset
        self.info = dataset.info
        entries = dataset.splits[TRAIN]
        groups = self._groups(entries, group_by)
        chosen = choose_groups(groups, val_share, split_seed)
        if not chosen:
            raise InputError(
                f"--val_share={val_share:g}: all {len(entries)} training samples of "
                f"{name} are of the one group {groups[0]!r} by "
                f"--group_by={group_by or self.info.group_by}; nothing is left to train "
                "on."
                if groups and (group_by or self.info.group_by)
                else f"--val_share={val_share:g}: {name} has {len(entries)} training "
                "sample; at least 2 are needed."
            )
        self._indices = {
            TRAIN: [i for i, group in enumerate(groups) if group not in chosen],
            VAL: [i for i, group in enumerate(groups) if group in chosen],
        }
        self.splits: Mapping[str, Sequence[Entry]] = {
            **{s: [entries[i] for i in found] for s, found in self._indices.items()},
            **{s: e for s, e in dataset.splits.items() if s != TRAIN},
        }

    def _groups(self, entries: Sequence[Entry], group_by: str) -> Sequence[str]:
        names = [entry.name for entry in entries]
        if not (group_by or self.info.group_by):
            return names
        named = Samples(
            self.info, TRAIN, len(names), _no_pixels, name=names.__getitem__
        )
        return groups_of(named, group_by)

    def read(self, entry: Entry) -> Sample:
        return self.dataset.read(entry)

    def fingerprint(self) -> str:
        text = f"{self.dataset.fingerprint()} {self._indices[VAL]}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def load(self, split: str) -> Samples:
        if split not in self._indices:
            return self.dataset.load(split)
        return self.dataset.load(TRAIN).take(self._indices[split], split)

    def inputs(self, split: str) -> dict[str, str]:
        """Those of the undivided split, and which of its samples are in this one."""
        if split not in self._indices:
            return self.dataset.inputs(split)
        names = "\n".join(entry.name for entry in self.splits[split])
        digest = hashlib.sha256(names.encode()).hexdigest()[:16]
        return self.dataset.inputs(TRAIN) | {"division": digest}


def choose_groups(groups: Sequence[str], share: float, seed: int) -> frozenset[str]:
    """The groups of a validation split.

    Args:
        groups: the group of each sample.
        share: of the samples that the groups together come near to.
        seed: of the order in which groups are taken.

    Returns:
        At least one group and not all of them; none where there is only one.
    """
    counts = collections.Counter(groups)
    target = share * len(groups)
    order = sorted(
        counts, key=lambda g: hashlib.sha256(f"{seed}/{g}".encode()).digest()
    )
    chosen: set[str] = set()
    taken = 0
    for group in order:
        nearer = abs(taken + counts[group] - target) < abs(taken - target)
        if nearer and len(chosen) + 1 < len(counts):
            chosen.add(group)
            taken += counts[group]
    if not chosen and len(counts) > 1:
        chosen.add(min(order, key=counts.__getitem__))
    return frozenset(chosen)


def _no_pixels(index: int) -> Sample:
    raise AssertionError("groups are told by names")
