"""What a served model says of itself: the signature `classes`, and its reader.

TensorFlow Serving passes on nothing but signatures, so that names and colours
of the classes travel as one. Its input is a batch of numbers that nobody reads,
and its outputs have that batch as their first dimension, since a server that
joins requests to batches takes no signature without one.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from lgcnet_tf.data import DatasetInfo

CLASSES_SIGNATURE = "classes"
QUERY_INPUT = "query"


@dataclasses.dataclass(frozen=True, eq=False)
class ServedClasses:
    """What a served model says of itself.

    Attributes:
        info: names and colours of its classes, and its data set's name.
        input_size: the network's (height, width).
        fit: how pictures of another size are brought to it.
        model: the model's name; may be empty.
    """

    info: DatasetInfo
    input_size: tuple[int, int]
    fit: str
    model: str = ""


def classes_function(
    classes: ServedClasses,
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns the signature: int32 (batch,) to the outputs, alike for each.

    `names` strings (batch, classes), `colors` uint8 RGB (batch, classes, 3),
    `void` int32 (batch,), `input_size` int32 (batch, 2), and the strings
    `dataset`, `fit` and `model` (batch,).
    """
    info = classes.info
    values = {
        "names": tf.constant(info.class_names),
        "colors": tf.constant(np.asarray(info.palette, np.uint8)),
        "void": tf.constant(info.void_label, tf.int32),
        "input_size": tf.constant(classes.input_size, tf.int32),
        "dataset": tf.constant(info.name),
        "fit": tf.constant(classes.fit),
        "model": tf.constant(classes.model),
    }

    def describe(query: tf.Tensor) -> dict[str, tf.Tensor]:
        first = tf.zeros_like(query)
        return {name: tf.gather(value[None], first) for name, value in values.items()}

    return describe


def read_classes(outputs: Mapping[str, np.ndarray]) -> ServedClasses:
    """Reads the signature's outputs for the first of a batch.

    Raises:
        KeyError: an output is missing.
    """
    return ServedClasses(
        DatasetInfo(
            name=outputs["dataset"][0].decode(),
            class_names=tuple(name.decode() for name in outputs["names"][0]),
            palette=np.array(outputs["colors"][0], np.uint8),
            void_label=int(outputs["void"][0]),
        ),
        tuple(int(side) for side in outputs["input_size"][0]),
        outputs["fit"][0].decode(),
        outputs["model"][0].decode(),
    )
