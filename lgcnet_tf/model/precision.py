"""Networks that compute in bfloat16."""

import contextlib
from collections.abc import Iterator

import keras

MIXED = "mixed_bfloat16"


@contextlib.contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Layers made inside compute in bfloat16 if `mixed`, else as ever.

    Weights, statistics, the sums of batch normalisation, logits and losses
    stay float32. bfloat16 has float32's range of exponents, so small gradients
    do not vanish and the loss needs no scaling, as float16 would.

    A network's layers keep the policy they were made with, and `get_config`
    says nothing of it: outside of this, whatever is made from the network, at
    another size or from its file, is float32 again.
    """
    before = keras.config.dtype_policy()
    if mixed:
        keras.config.set_dtype_policy(MIXED)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
