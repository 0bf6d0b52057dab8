"""Cityscapes' own files: scoring them, and writing a test-server submission.

The scores are those of cityscapesscripts' `evalPixelLevelSemanticLabeling`,
class level: pixels whose label is ignored count nowhere; a prediction of an
ignored label on any other pixel is a miss.
"""

import os
import pathlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from lgcnet_tf.data import Sample, dataset_info
from lgcnet_tf.data.cityscapes import LABEL_IDS
from lgcnet_tf.data.geometry import DEFAULT_FIT
from lgcnet_tf.data.images import check_sizes, decode_label
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import (
    EvaluationResult,
    PredictMask,
    predict_samples,
)
from lgcnet_tf.evaluation.metrics import ConfusionMatrix, mean_iou
from lgcnet_tf.files import atomic_write

_NUM_LABEL_IDS = 34
_VOID = 255
_FRAME = re.compile(r"[^_]+_\d{6}_\d{6}")


def label_ids(train_ids: np.ndarray) -> np.ndarray:
    """Maps train ids 0-18 to label ids, uint8 of the same shape.

    Raises:
        InputError: a value is no train id; the test server accepts none such.
    """
    train_ids = np.asarray(train_ids)
    if train_ids.size and not 0 <= train_ids.min() <= train_ids.max() < len(LABEL_IDS):
        raise InputError(
            f"cityscapes: a mask must hold train ids 0-{len(LABEL_IDS) - 1}. "
            f"Received: values from {train_ids.min()} to {train_ids.max()}."
        )
    return np.array(LABEL_IDS, np.uint8)[train_ids]


def write_submission(
    predict_mask: PredictMask,
    samples: Sequence[Sample],
    output_dir: str | os.PathLike,
    batch_size: int = 1,
    input_size: tuple[int, int] | None = None,
    fit: str = DEFAULT_FIT,
) -> list[pathlib.Path]:
    """Writes `<city>_<sequence>_<frame>_labelIds.png` for every sample.

    Masks have the images' own size and label ids instead of train ids, which
    is what the test server and cityscapesscripts take.

    Args:
        predict_mask: gives train ids, for example `mask_function(network)`.
        samples: named `<city>_<sequence>_<frame>`, more may follow.
        output_dir: folder to write to; is created.
        batch_size: images for each call of `predict_mask`.
        input_size: (height, width) that it takes; see `evaluate`.
        fit: how images of another size are brought to it.

    Returns:
        The files, in the order of the samples.

    Raises:
        InputError: a sample's name is not Cityscapes', or a mask has values
            that are no train ids.
    """
    written = []
    for sample, mask in predict_samples(
        predict_mask, samples, batch_size, input_size, fit
    ):
        frame = _frame(sample.name)
        path = pathlib.Path(output_dir) / f"{frame}_labelIds.png"
        picture = Image.fromarray(label_ids(mask))
        with atomic_write(path) as temporary:
            picture.save(temporary, "PNG")
        written.append(path)
    return written


def evaluate_files(
    pairs: Iterable[tuple[str | os.PathLike, str | os.PathLike]],
) -> EvaluationResult:
    """Scores files of label ids as cityscapesscripts does.

    Args:
        pairs: prediction file and ground truth file (`*_gtFine_labelIds.png`).

    Raises:
        InputError: a file is absent, damaged, of another size than the one it
            goes with, or holds values that are no label ids (0-33).
    """
    info = dataset_info("cityscapes")
    evaluated = list(LABEL_IDS)
    matrix = ConfusionMatrix(_NUM_LABEL_IDS, _VOID)
    count = 0
    for prediction_file, label_file in pairs:
        prediction, label = _read(prediction_file), _read(label_file)
        check_sizes(prediction, label, str(prediction_file), str(label_file))
        matrix.update(np.where(np.isin(label, evaluated), label, _VOID), prediction)
        count += 1
    if not count:
        raise InputError("cityscapes: no files to evaluate.")
    # Only now down to the 19 classes: predictions of others have been misses.
    per_class_iou = matrix.per_class_iou[evaluated]
    return EvaluationResult(
        class_names=info.class_names,
        per_class_iou=per_class_iou,
        miou=mean_iou(per_class_iou),
        pixel_accuracy=matrix.pixel_accuracy,
        confusion=matrix.counts[np.ix_(evaluated, evaluated)],
        num_images=count,
    )


def _frame(name: str) -> str:
    found = _FRAME.match(pathlib.PurePath(name).name)
    if found is None:
        raise InputError(
            f"cityscapes: sample {name!r} is not named <city>_<sequence>_<frame>, "
            "which a submission's files must be."
        )
    return found[0]


def _read(path: str | os.PathLike) -> np.ndarray:
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    ids = decode_label(data, str(path))
    if ids.max(initial=0) >= _NUM_LABEL_IDS:
        raise InputError(f"{path}: label value {ids.max()} is no label id (0-33).")
    return ids
