"""What can be chosen here, and what is usual; nothing heavy is imported with it."""

LATENCY_WEIGHT = 0.005
"""λ of the paper."""

FORMS = ("log", "linear")
REPEATS = 30
NETWORK_REPEATS = 30
WARMUP = 3
