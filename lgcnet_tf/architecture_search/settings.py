"""What can be chosen here, and the paper's choice; nothing heavy is imported with it."""

SAMPLINGS = ("soft", "per_image", "hard")
INITIAL_TEMPERATURE, FINAL_TEMPERATURE = 1.0, 0.03
"""τ of Eq. 4, the paper's."""
ALPHA_SCHEDULES = ("constant", "cosine")
