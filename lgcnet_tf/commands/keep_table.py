"""A run's own copy of its latency table."""

import os
import pathlib

from lgcnet_tf.files import atomic_write
from lgcnet_tf.run_folder import LATENCY_TABLE, RunFolder


def keep_table(table: str | os.PathLike, folder: RunFolder) -> None:
    """Copies the table into the folder: its report says what operations cost."""
    copy = folder / LATENCY_TABLE
    if folder.writes and not copy.exists():
        with atomic_write(copy) as temporary:
            temporary.write_bytes(pathlib.Path(table).read_bytes())
