"""The temperature τ of Eq. 4 over the epochs."""

from lgcnet_tf.architecture_search.settings import (
    FINAL_TEMPERATURE,
    INITIAL_TEMPERATURE,
)


def temperature_at(
    epoch: int,
    epochs: int,
    initial: float = INITIAL_TEMPERATURE,
    final: float = FINAL_TEMPERATURE,
) -> float:
    """Exponential decay from `initial` at epoch 0 to `final` at the last one."""
    if epochs == 1:
        return final
    return initial * (final / initial) ** (epoch / (epochs - 1))
