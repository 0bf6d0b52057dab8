"""How variables are made."""

import contextlib
from collections.abc import Iterator

import keras

NAME = "variable"


@contextlib.contextmanager
def named_alike() -> Iterator[None]:
    """Has TensorFlow call all variables alike that Keras makes in the block.

    TensorFlow makes a kernel of its own for each name that a variable has there, in
    half a millisecond and for as long as the process runs; a supernet of 14 cells has
    1,800, and their velocities are 758 more. Nobody reads those names: `name` and `path` of
    Keras' variables, which files and messages have, stay as they are. Other backends
    give variables no names.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    def create(next_creator, **options):
        with tf.name_scope(""):
            return next_creator(**options | {"name": NAME})

    with tf.variable_creator_scope(create):
        yield
