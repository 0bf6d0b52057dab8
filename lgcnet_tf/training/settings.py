"""What can be chosen here; nothing heavy is imported with it."""

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("poly", "cosine")
NO_TRACKER = "none"
TRACKERS = (NO_TRACKER, "wandb", "mlflow")
