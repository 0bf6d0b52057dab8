"""Agreement with cityscapesscripts' own evaluation, on files."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import Sample, Samples, dataset_info
from lgcnet_tf.data.cityscapes import train_ids
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.cityscapes import evaluate_files, label_ids, write_submission
from lgcnet_tf.evaluation.evaluate import evaluate

scripts = pytest.importorskip(
    "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling",
    reason="cityscapesscripts is not installed",
)
labels = pytest.importorskip("cityscapesscripts.helpers.labels")

INFO = dataset_info("cityscapes")
EVALUATED = [label for label in labels.labels if not label.ignoreInEval]
SIZE = (48, 96)


@pytest.fixture
def ground_truth(tmp_path):
    """Three label files with every label id but those of the last classes."""
    generator = np.random.default_rng(5)
    files = []
    for frame in range(3):
        coarse = generator.integers(0, 31, (SIZE[0] // 4, SIZE[1] // 4)).astype(
            np.uint8
        )
        ids = np.kron(coarse, np.ones((4, 4), np.uint8))
        path = tmp_path / "gt" / f"ulm_000000_{frame:06d}_gtFine_labelIds.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(ids).save(path)
        files.append(path)
    return files


def oracle(monkeypatch, predictions, ground_truth):
    """cityscapesscripts' scores of the classes, and their mean."""
    arguments = scripts.args
    # Instance scores need instance files, and numpy.in1d, which NumPy 2.4 lacks.
    monkeypatch.setattr(arguments, "evalInstLevelScore", False)
    monkeypatch.setattr(arguments, "JSONOutput", False)
    monkeypatch.setattr(arguments, "quiet", True)
    found = scripts.evaluateImgLists(
        [str(path) for path in predictions],
        [str(path) for path in ground_truth],
        arguments,
    )
    scores = [found["classScores"][label.name] for label in EVALUATED]
    return np.array(scores), found["averageScoreClasses"]


def noisy(ids, generator, candidates):
    wrong = generator.random(ids.shape) < 0.3
    return np.where(wrong, generator.choice(candidates, ids.shape), ids).astype(
        np.uint8
    )


@pytest.mark.parametrize("ignored_predictions", [False, True])
def test_files_score_exactly_as_there(
    monkeypatch, tmp_path, ground_truth, ignored_predictions
):
    generator = np.random.default_rng(7)
    ids = range(34) if ignored_predictions else [label.id for label in EVALUATED]
    predictions = []
    for path in ground_truth:
        picture = noisy(np.asarray(Image.open(path)), generator, list(ids))
        predictions.append(tmp_path / path.name.replace("gtFine", "pred"))
        Image.fromarray(picture).save(predictions[-1])
    result = evaluate_files(zip(predictions, ground_truth))
    scores, average = oracle(monkeypatch, predictions, ground_truth)
    np.testing.assert_array_equal(result.per_class_iou, scores)
    assert result.miou == pytest.approx(average, abs=1e-15)
    assert 0.3 < result.miou < 0.9


def test_submission_scores_as_the_evaluation_that_wrote_it(
    monkeypatch, tmp_path, ground_truth
):
    """Through train ids and back: one number from both sides."""
    generator = np.random.default_rng(9)
    images, found = [], []
    for path in ground_truth:
        label = train_ids(np.asarray(Image.open(path)), path.name)
        guess = np.where(label == 255, generator.integers(0, 19, SIZE), label)
        guess = np.where(
            generator.random(SIZE) < 0.25, generator.integers(0, 19, SIZE), guess
        )
        images.append(np.repeat(guess[..., None], 3, -1).astype(np.uint8))
        name = path.name.removesuffix("_gtFine_labelIds.png")
        found.append(Sample(name, images[-1], label))
    samples = Samples(INFO, "val", len(found), lambda i: found[i])

    def predict(pictures):
        return pictures[..., 0]

    result = evaluate(predict, samples, 2, progress=False)
    written = write_submission(predict, samples, tmp_path / "submission", 2)
    assert [path.name for path in written] == [
        f"ulm_000000_{frame:06d}_labelIds.png" for frame in range(3)
    ]
    first = np.asarray(Image.open(written[0]))
    np.testing.assert_array_equal(first, label_ids(images[0][..., 0]))
    assert set(np.unique(first)) <= {label.id for label in EVALUATED}

    monkeypatch.setenv("CITYSCAPES_RESULTS", str(tmp_path / "submission"))
    monkeypatch.setattr(scripts.args, "predictionPath", None)
    monkeypatch.setattr(scripts.args, "predictionWalk", None)
    located = [scripts.getPrediction(scripts.args, str(path)) for path in ground_truth]
    assert located == [str(path) for path in written]
    scores, average = oracle(monkeypatch, located, ground_truth)
    np.testing.assert_array_equal(result.per_class_iou, scores)
    assert result.miou == pytest.approx(average, abs=1e-15)
    again = evaluate_files(zip(written, ground_truth))
    np.testing.assert_array_equal(again.confusion, result.confusion)


def test_label_ids_are_cityscapesscripts():
    expected = [label.id for label in sorted(EVALUATED, key=lambda l: l.trainId)]
    np.testing.assert_array_equal(label_ids(np.arange(19)), expected)
    assert INFO.class_names == tuple(
        label.name for label in sorted(EVALUATED, key=lambda l: l.trainId)
    )


def test_bad_input_leaves_nothing_behind(tmp_path, ground_truth):
    image = np.zeros((4, 4, 3), np.uint8)
    output = tmp_path / "out"
    for name, value, message in [
        ("street", 0, "'street' is not named"),
        ("ulm_000000_000001", 255, "train ids 0-18"),
    ]:
        sample = Sample(name, image, image[..., 0])
        samples = Samples(INFO, "test", 1, lambda i, sample=sample: sample)
        with pytest.raises(InputError, match=message):
            write_submission(
                lambda x, v=value: np.full(x.shape[:3], v), samples, output
            )
    assert not output.exists() or not any(output.iterdir())
    with pytest.raises(InputError, match="absent.png"):
        evaluate_files([(tmp_path / "absent.png", ground_truth[0])])
    small = tmp_path / "small.png"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(small)
    with pytest.raises(InputError, match="small.png"):
        evaluate_files([(small, ground_truth[0])])
    Image.fromarray(np.full(SIZE, 40, np.uint8)).save(small)
    with pytest.raises(InputError, match="value 40"):
        evaluate_files([(small, ground_truth[0])])
    with pytest.raises(InputError, match="no files"):
        evaluate_files([])
