"""The temperature τ of Eq. 4 over the epochs."""

INITIAL, FINAL = 1.0, 0.03
"""The paper's."""


def temperature_at(
    epoch: int, epochs: int, initial: float = INITIAL, final: float = FINAL
) -> float:
    """Exponential decay from `initial` at epoch 0 to `final` at the last one."""
    if epochs == 1:
        return final
    return initial * (final / initial) ** (epoch / (epochs - 1))
