"""What can be chosen here, and the paper's choice; nothing heavy is imported with it."""

SAMPLINGS = ("soft", "per_image", "hard")
INITIAL_TEMPERATURE, FINAL_TEMPERATURE = 1.0, 0.03
"""τ of Eq. 4, the paper's."""
ALPHA_SCHEDULES = ("constant", "cosine")


def deciding_rate(steps: int) -> float:
    """The rate of α's Adam at which a search of so many steps decides.

    Half of it is the mean of its cosine, so α's logits go as far as 50 steps at rate 1
    take them if all go one way.
    """
    return min(max(100.0 / steps, 0.01), 0.3)
