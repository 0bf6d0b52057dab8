"""Which images a network's weights have been trained on, kept in its provenance.

A record is a dict: `dataset`, `split`, `left_out` and `group_by` as in the
options, `images` (their number) and `names`, the sorted names as text that is
compressed (zlib) and encoded (base64): 2 kB for CamVid's 468.
"""

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lgcnet_tf.errors import InputError

TRAINED_ON = "trained_on"
"""Key in the provenance of a trained network's genotype: a list of records."""

SEARCHED_ON = "searched_on"
"""The same of the search that found the genotype, and of its supernet's weights."""

_LARGEST = 64 * 1024**2


def record(
    dataset: str,
    names: Iterable[str],
    split: str,
    left_out: Sequence[str] = (),
    group_by: str = "",
) -> dict[str, Any]:
    """Describes one training.

    Args:
        dataset: name of the data set.
        names: of the images that were trained on.
        split, left_out, group_by: how they were chosen.
    """
    names = sorted(names)
    packed = zlib.compress("\n".join(names).encode(), 9)
    return {
        "dataset": dataset,
        "split": split,
        **({"left_out": list(left_out), "group_by": group_by} if left_out else {}),
        "images": len(names),
        "names": base64.b64encode(packed).decode(),
    }


def join_records(*parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All records of several trainings in a row, each once."""
    found: list[dict[str, Any]] = []
    for part in parts:
        found += [dict(one) for one in part if one not in found]
    return found


def names_trained_on(
    provenance: Mapping[str, Any], dataset: str
) -> frozenset[str] | None:
    """Names of a data set's images that a network was trained on.

    Args:
        provenance: of the network's genotype.
        dataset: name of the data set.

    Returns:
        The union over all records; None where no record was kept.

    Raises:
        InputError: a record is damaged.
    """
    if TRAINED_ON not in provenance:
        return None
    found: set[str] = set()
    try:
        for one in provenance[TRAINED_ON]:
            if one["dataset"] == dataset:
                unpacker = zlib.decompressobj()
                packed = base64.b64decode(one["names"], validate=True)
                text = unpacker.decompress(packed, _LARGEST)
                if not unpacker.eof:
                    raise ValueError("cut short, or too large")
                found.update(text.decode().split("\n"))
    except (TypeError, KeyError, AttributeError, ValueError, zlib.error):
        raise InputError(
            f"genotype: provenance: {TRAINED_ON} is malformed; it must be a list of "
            "records with dataset and names."
        ) from None
    return frozenset(found)
