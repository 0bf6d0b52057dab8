"""What can be chosen here, and the paper's choice; nothing heavy is imported with it."""

SAMPLINGS = ("soft", "per_image", "hard")
INITIAL_TEMPERATURE, FINAL_TEMPERATURE = 1.0, 0.03
"""τ of Eq. 4, the paper's."""
ALPHA_SCHEDULES = ("constant", "cosine")
DECIDING = {
    "alpha_lr": 0.0,
    "alpha_schedule": "cosine",
    "temperature_final": 0.5,
    "sampling": "per_image",
}
"""Options of a search of some thousand steps: by the paper's its α hardly move, and below
τ = 0.2 their gradient is noise (`benchmarks/alpha_signal.py`)."""


def deciding_rate(steps: int) -> float:
    """The rate of α's Adam for `alpha_lr` 0: 100 / steps, from 0.01 to 0.3.

    With the cosine, whose mean is a half, a logit whose gradient never changes its sign
    moves by 50 in a search of 334 to 10,000 steps.
    """
    return min(max(100.0 / steps, 0.01), 0.3)
