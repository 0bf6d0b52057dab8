"""Splits joined, and divided by the groups that their samples belong to.

Frames of one video resemble each other, so a network is judged by videos that
it has not seen: a group, such as a drive, is left out of the training as a
whole and measured on. The group of a sample stands in its name.
"""

import collections
import re
from collections.abc import Sequence

from lgcnet_tf.data.samples import Samples
from lgcnet_tf.errors import InputError

_LISTED = 12


def join_samples(parts: Sequence[Samples]) -> Samples:
    """Puts several splits of one data set one after the other.

    Args:
        parts: at least one.

    Raises:
        InputError: a name occurs twice.
    """
    if len(parts) == 1:
        return parts[0]
    places = [(part, index) for part in parts for index in range(len(part))]
    names = [name for part in parts for name in part.names]
    split = ",".join(part.split for part in parts)
    (name, count), *_ = collections.Counter(names).most_common(1) or [("", 0)]
    if count > 1:
        raise InputError(
            f"{parts[0].info.name}: --split={split}: the splits share samples, "
            f"{name!r} for one; name splits that have none in common."
        )
    return Samples(
        parts[0].info,
        split,
        len(places),
        lambda index: places[index][0][places[index][1]],
        checked=all(part.checked for part in parts),
        name=lambda index: names[index],
    )


def groups_of(samples: Samples, pattern: str) -> tuple[str, ...]:
    """The group of each sample, in their order.

    Args:
        samples: may be of any data set.
        pattern: a regular expression that is searched for in a sample's name;
            its first group is the sample's group, or, without one, all that it
            matches. Empty for the data set's own, `DatasetInfo.group_by`.

    Raises:
        InputError: the pattern is no regular expression, a name has no group by
            it, or there is none.
    """
    pattern = pattern or samples.info.group_by
    if not pattern:
        raise InputError(
            f"--group_by is missing: nothing says which samples of {samples.info.name} "
            f"belong together; give a regular expression for names such as "
            f"{samples.names[0]!r}."
        )
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"--group_by={pattern} is no regular expression: {error}; give one such as "
            "'^([^_]+)_'."
        ) from None
    matches = [expression.search(name) for name in samples.names]
    found = [match and match[1 if expression.groups else 0] for match in matches]
    without = [name for name, group in zip(samples.names, found) if not group]
    if without:
        listed = _counts([group for group in found if group])
        raise InputError(
            f"--group_by={pattern} finds no group in the names of {len(without)} of "
            f"{len(found)} samples of {samples.info.name}, {without[0]!r} for one"
            + (f"; groups of the others: {listed}." if listed else ".")
        )
    return tuple(found)


def divide(
    samples: Samples, groups: Sequence[str], pattern: str, option: str
) -> tuple[Samples, Samples]:
    """Divides samples into those of some groups and the rest, both in order.

    Args:
        samples: what to divide.
        groups: names of the groups; may be empty.
        pattern: see `groups_of`.
        option: where `groups` was given, for errors.

    Returns:
        Samples of the groups, and all others.

    Raises:
        InputError: there is no such group, or see `groups_of`.
    """
    if not groups:
        return samples.take(()), samples
    found = groups_of(samples, pattern)
    for group in groups:
        if group not in found:
            raise InputError(
                f"{option}={','.join(groups)}: split {samples.split!r} of "
                f"{samples.info.name} has no group {group!r}. Groups: {_counts(found)}."
            )
    inside = [index for index, group in enumerate(found) if group in groups]
    outside = [index for index, group in enumerate(found) if group not in groups]
    return samples.take(inside), samples.take(outside)


def _counts(groups: Sequence[str]) -> str:
    counts = sorted(collections.Counter(groups).items())
    texts = [f"{group} ({count})" for group, count in counts[:_LISTED]]
    if len(counts) > _LISTED:
        texts.append(f"{len(counts) - _LISTED} more")
    return ", ".join(texts)
