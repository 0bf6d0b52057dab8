"""Crops that grow while a network is trained: small and quick ones first."""

import dataclasses
from collections.abc import Sequence

from lgcnet_tf.config import Size, format_size, parse_size
from lgcnet_tf.errors import InputError

_FORM = "FRACTION:HEIGHTxWIDTH, such as 0:176x240,0.5:240x320"


@dataclasses.dataclass(frozen=True)
class CropSchedule:
    """The size of the crops in each epoch.

    Attributes:
        starts: fractions of the epochs, from 0 and increasing, below 1.
        sizes: (height, width) from each of them on.
    """

    starts: tuple[float, ...]
    sizes: tuple[Size, ...]

    @classmethod
    def parse(cls, entries: Sequence[str], default: Size) -> "CropSchedule":
        """Reads `--crop_schedule`.

        Args:
            entries: texts `FRACTION:HEIGHTxWIDTH`.
            default: the size where there are none.

        Raises:
            InputError: names the entry and the form.
        """
        starts, sizes = [], []
        for entry in entries:
            start, colon, size = entry.partition(":")
            try:
                if not colon:
                    raise ValueError
                starts.append(float(start))
                sizes.append(parse_size(size))
            except (ValueError, InputError):
                raise InputError(
                    f"--crop_schedule takes {_FORM}. Received: {entry!r}"
                ) from None
        if not entries:
            return cls((0.0,), (tuple(default),))
        rising = all(one < other for one, other in zip(starts, starts[1:]))
        if starts[0] != 0.0 or not rising or not starts[-1] < 1.0:
            raise InputError(
                "--crop_schedule: fractions of the epochs begin with 0, rise and stay "
                f"below 1. Received: {', '.join(entries)}"
            )
        return cls(tuple(starts), tuple(sizes))

    def size_at(self, epoch: int, epochs: int) -> Size:
        """The size in an epoch, from 0: the last whose fraction has been reached.

        One that starts inside of an epoch begins with the next.
        """
        reached = [
            size
            for start, size in zip(self.starts, self.sizes)
            if start * epochs <= epoch + 1e-9
        ]
        return reached[-1]

    def part(self, epoch: int, epochs: int) -> int:
        """How many epochs from this one on have the same size."""
        size = self.size_at(epoch, epochs)
        end = epoch
        while end < epochs and self.size_at(end, epochs) == size:
            end += 1
        return end - epoch

    def __str__(self) -> str:
        pairs = zip(self.starts, self.sizes)
        return ", ".join(
            f"{format_size(size)} from {100 * s:.3g} %" for s, size in pairs
        )
