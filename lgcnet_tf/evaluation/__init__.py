"""Accuracy and cost of a network: mIoU, multiply-accumulates, Cityscapes files."""

from lgcnet_tf.evaluation.evaluate import (
    EvaluationResult,
    evaluate,
    mask_function,
    predict_samples,
)
from lgcnet_tf.evaluation.macs import count_macs
from lgcnet_tf.evaluation.metrics import ConfusionMatrix, confusion_matrix

__all__ = [
    "ConfusionMatrix",
    "EvaluationResult",
    "confusion_matrix",
    "count_macs",
    "evaluate",
    "mask_function",
    "predict_samples",
]
