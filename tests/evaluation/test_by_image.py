"""Accuracy image by image."""

import numpy as np
import pytest

from lgcnet_tf.data import Sample, Samples, dataset_info
from lgcnet_tf.evaluation.by_image import ImageScores
from lgcnet_tf.evaluation.evaluate import evaluate

INFO = dataset_info("toy_streets")
RIGHT = (0.9, 0.2, None, 0.6, 0.4)
"""Share of the rows that are right; None for an image without any label."""


def scored(keep, shares=RIGHT):
    """Images of class 1 whose lower rows are taken for class 2."""
    found, masks = [], []
    for index, share in enumerate(shares):
        label = np.full((10, 4), 1 if share is not None else 255, np.uint8)
        mask = label.copy() % 255
        mask[round(10 * (share or 0)) :] = 2
        found.append(Sample(f"s/{index}", np.zeros((10, 4, 3), np.uint8), label))
        masks.append(mask)
    samples = Samples(INFO, "val", len(found), lambda i: found[i])
    scores, queue = ImageScores(keep), iter(masks)
    result = evaluate(
        lambda images: next(queue)[None], samples, progress=False, scores=scores
    )
    return result, scores


def test_each_image_has_its_own_score():
    result, scores = scored(keep=0)
    assert [score.name for score in scores.scores] == [f"s/{n}" for n in range(5)]
    for score, share in zip(scores.scores, RIGHT):
        if share is None:
            assert score.to_dict() == {
                "name": "s/2", "miou": None, "pixel_accuracy": None,
            }  # fmt: skip
        else:  # class 2 is predicted and never right
            assert score.miou == pytest.approx(share / 2)
            assert score.pixel_accuracy == pytest.approx(share)
    assert result.pixel_accuracy == pytest.approx(2.1 / 4)
    assert scores.best == scores.worst == []


@pytest.mark.parametrize(
    "keep, best, worst", [(1, "0", "1"), (2, "03", "14"), (9, "03", "14")]
)
def test_no_more_are_kept_than_asked_for(keep, best, worst):
    _, scores = scored(keep)
    assert [score.name for score, *_ in scores.best] == [f"s/{n}" for n in best]
    assert [score.name for score, *_ in scores.worst] == [f"s/{n}" for n in worst]
    for _, sample, mask in scores.worst:
        index = int(sample.name[2:])
        assert (mask == 1).mean() == pytest.approx(RIGHT[index])
