"""The temperature τ of Eq. 4 over the epochs."""


def temperature_at(
    epoch: int, epochs: int, initial: float = 1.0, final: float = 0.03
) -> float:
    """Exponential decay from `initial` at epoch 0 to `final` at the last one."""
    if epochs == 1:
        return final
    return initial * (final / initial) ** (epoch / (epochs - 1))
