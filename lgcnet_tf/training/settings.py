"""What can be chosen here; nothing heavy is imported with it."""

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("poly", "cosine")
