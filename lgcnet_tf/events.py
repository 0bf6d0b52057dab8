"""TensorBoard's event files, written without TensorFlow."""

import io
import os
import pathlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto import event_pb2, graph_pb2, summary_pb2
from tensorboard.plugins.text import summary_v2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from lgcnet_tf.files import naming_when_full


class Events:
    """The events of one run; the file is made by the first of them.

    Args:
        folder: gets the event file, next to those that it has.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        self._writer: EventFileWriter | None = None

    def scalars(self, step: int, figures: Mapping[str, Any]) -> None:
        """Adds the numbers among `figures`, by their tags."""
        self._add_values(
            step,
            [
                summary_pb2.Summary.Value(tag=tag, simple_value=float(value))
                for tag, value in figures.items()
                if isinstance(value, (int, float)) and not isinstance(value, bool)
            ],
        )

    def images(self, step: int, pictures: Mapping[str, np.ndarray | bytes]) -> None:
        """Adds pictures by their tags.

        Args:
            pictures: (height, width, 3) uint8 arrays, or the bytes of PNG files.
        """
        self._add_values(
            step,
            [
                summary_pb2.Summary.Value(tag=tag, image=_image(picture))
                for tag, picture in pictures.items()
            ],
        )

    def text(self, step: int, texts: Mapping[str, str]) -> None:
        """Adds Markdown by its tags."""
        values = [summary_v2.text_pb(tag, text).value[0] for tag, text in texts.items()]
        self._add_values(step, values)

    def graph(self, nodes: Iterable[tuple[str, str, Sequence[str]]]) -> None:
        """Adds a graph.

        Args:
            nodes: for each its name, by whose slashes TensorBoard groups, its
                operation, and the names of those that it reads.
        """
        graph = graph_pb2.GraphDef()
        for name, operation, inputs in nodes:
            graph.node.add(name=name, op=operation, input=inputs)
        self._add(event_pb2.Event(graph_def=graph.SerializeToString()))

    def restart(self, step: int) -> None:
        """Voids the events at `step` and after it: the run does them again."""
        log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._add(event_pb2.Event(step=step, session_log=log))

    def close(self) -> None:
        """Ends the file; later events go into another one."""
        if self._writer:
            self._writer.close()
        self._writer = None

    def _add_values(self, step, values):
        self._add(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=values)))

    def _add(self, event):
        with naming_when_full(self.folder):
            if self._writer is None:
                self._writer = EventFileWriter(str(self.folder))
            event.wall_time = time.time()
            self._writer.add_event(event)
            self._writer.flush()


def _image(picture: np.ndarray | bytes) -> summary_pb2.Summary.Image:
    if isinstance(picture, bytes):
        width, height = Image.open(io.BytesIO(picture)).size
    else:
        height, width = picture.shape[:2]
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="png")
        picture = buffer.getvalue()
    return summary_pb2.Summary.Image(
        height=height, width=width, colorspace=3, encoded_image_string=picture
    )
