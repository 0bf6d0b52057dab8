"""What a server takes on at most; the defaults fit a small machine."""

import dataclasses
import os

from lgcnet_tf.config import Options, option
from lgcnet_tf.errors import InputError

_MEBI = 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits(Options):
    """Bounds of one server; `check` refuses impossible ones."""

    max_message_mb: int = option(
        32, "Largest request and answer, in MiB, at most 2047.", minimum=1
    )
    max_images: int = option(16, "Images of one request.", minimum=1)
    max_megapixels: float = option(
        16.8, "Pixels of one request's pictures, in millions: their number times the "
        "largest one's, as its masks have them. Those of 16 bits count four times.",
        above=0
    )  # fmt: skip
    max_batch: int = option(
        4, "Images that the network is given at once; more go one such batch after "
        "the other.", minimum=1
    )  # fmt: skip
    max_queue: int = option(
        128, "Requests that wait for a thread; the next is refused.", minimum=1
    )
    max_queue_mb: int = option(
        32, "MiB of the requests that wait or are computed.", minimum=1
    )
    threads: int = option(
        0, "Requests computed at the same time; 0 for as many as there are cores, "
        "at most 4.", minimum=0
    )  # fmt: skip
    receive_timeout_s: float = option(
        10.0, "Seconds after which a call that has not sent its message is cut.",
        above=0
    )  # fmt: skip

    def check(self) -> None:
        super().check()
        if self.max_message_mb > 2047:
            raise InputError(
                "--max_message_mb must be at most 2047. "
                f"Received: {self.max_message_mb}"
            )

    @property
    def max_message_bytes(self) -> int:
        """The largest request and answer, in bytes."""
        return self.max_message_mb * _MEBI

    @property
    def max_queue_bytes(self) -> int:
        """Bytes of the requests that are here; one always finds room."""
        return max(self.max_queue_mb, self.max_message_mb) * _MEBI

    @property
    def max_pixels(self) -> int:
        """Pixels of one request."""
        return int(self.max_megapixels * 1e6)

    @property
    def num_threads(self) -> int:
        """Threads of the pool."""
        return self.threads or min(4, os.cpu_count() or 1)
