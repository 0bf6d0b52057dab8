"""The confusion matrix of a whole set, and what is read off it."""

import numpy as np


def confusion_matrix(
    label: np.ndarray, prediction: np.ndarray, num_classes: int, void: int = 255
) -> np.ndarray:
    """Counts pixels by true and by predicted class.

    Pixels whose label is void count nowhere, whatever is predicted there.

    Args:
        label: integers of any shape, classes 0…C-1 or `void`.
        prediction: integers of the same shape; classes 0…C-1 wherever the
            label is not void.
        num_classes: C.
        void: label value of pixels that belong to no class.

    Returns:
        int64 (C, C); row i, column j: pixels of class i predicted as j.

    Raises:
        ValueError: the shapes differ, or a value is no class.
    """
    label, prediction = np.asarray(label), np.asarray(prediction)
    if label.shape != prediction.shape:
        raise ValueError(
            "label and prediction must have the same shape. Received: "
            f"{label.shape} and {prediction.shape}"
        )
    valid = label != void
    pairs = {"label": label[valid], "prediction": prediction[valid]}
    for name, values in pairs.items():
        if values.size and not 0 <= values.min() <= values.max() < num_classes:
            raise ValueError(
                f"{name} must be classes below num_classes={num_classes}. "
                f"Received: values from {values.min()} to {values.max()}"
            )
    index = pairs["label"].astype(np.int64) * num_classes + pairs["prediction"]
    counts = np.bincount(index, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


class ConfusionMatrix:
    """Sums the confusion matrices of a set's images.

    Args:
        num_classes: C.
        void: label value that counts nowhere.

    Attributes:
        counts: int64 (C, C), rows true, columns predicted.
    """

    def __init__(self, num_classes: int, void: int = 255):
        self.num_classes = num_classes
        self.void = void
        self.counts = np.zeros((num_classes, num_classes), np.int64)

    def update(self, label: np.ndarray, prediction: np.ndarray) -> None:
        """Adds the pixels of one or several images; see `confusion_matrix`."""
        self.counts += confusion_matrix(label, prediction, self.num_classes, self.void)

    @property
    def per_class_iou(self) -> np.ndarray:
        """TP / (TP + FP + FN), float64 (C,), fractions of 1.

        NaN for a class that is in neither the labels nor the predictions.
        """
        hits = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        return np.divide(hits, union, out=np.full_like(hits, np.nan), where=union > 0)

    @property
    def miou(self) -> float:
        """Mean IoU of the classes that are not NaN, a fraction; NaN if all are."""
        return mean_iou(self.per_class_iou)

    @property
    def pixel_accuracy(self) -> float:
        """Share of the pixels that are right, a fraction; NaN without pixels."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float("nan")


def mean_iou(per_class_iou: np.ndarray) -> float:
    """Mean of the IoUs that are not NaN; NaN if all are."""
    present = per_class_iou[~np.isnan(per_class_iou)]
    return float(present.mean()) if present.size else float("nan")
