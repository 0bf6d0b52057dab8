"""What can be chosen here; nothing heavy is imported with it."""

PRECISIONS = ("float32", "float16", "bfloat16", "int8")
FLOATS = PRECISIONS[:3]
CALIBRATION_METHODS = ("minmax", "percentile", "entropy")
"""How the range of an activation comes of its values: all of them, all but the
rarest, or the range that keeps most information (Kullback-Leibler)."""
