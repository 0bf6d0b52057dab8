"""Accuracy, size and speed of a model on a split of a data set."""

import dataclasses
from typing import Any

from lgcnet_tf.commands.defaults import of_model as resolved
from lgcnet_tf.commands.finish import finish
from lgcnet_tf.config import DataOptions, Size, option
from lgcnet_tf.data import Samples, divide, load_samples, split_inputs
from lgcnet_tf.data.geometry import FITS
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.augmented_options import AugmentedOptions
from lgcnet_tf.files import write_json
from lgcnet_tf.latency.options import RuntimeOptions
from lgcnet_tf.latency.settings import REPEATS
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import Inputs, RunFolder, input_file
from lgcnet_tf.space.trained_on import names_trained_on

EXAMPLES, BEST, WORST = "examples", "best", "worst"
ACCURACY = "accuracy.json"
"""The confusion matrix, and the accuracy of each image."""

NO_ACCURACY = {
    "miou": None, "pixel_accuracy": None, "per_class_iou": None, "num_images": 0,
}  # fmt: skip
MODELS_OWN = "own"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions(AugmentedOptions, DataOptions, RuntimeOptions):
    """Options of an evaluation."""

    TOPIC = "Evaluation"

    split: str = option(
        "val", "Split of the data set to use, or several with commas between."
    )
    groups: tuple[str, ...] = option(
        (),
        "Groups (see --group_by) to evaluate on alone, e.g. a drive that was "
        "--left_out of the training; none for all images.",
    )
    input_size: Size | None = option(None, "HxW; by default the model's own.")
    model: str = option(
        "",
        "Zoo name, genotype, .keras file, SavedModel folder, or a .onnx, .tflite "
        "or OpenVINO .xml file.",
        needed="a name of the model zoo, a genotype or a file.",
    )
    fit: str = option(
        MODELS_OWN, "How images of another size than the network's are brought to it: "
        "as the model's export says, letterbox where none does, or so.",
        (MODELS_OWN, *FITS),
    )  # fmt: skip
    batch_size: int = option(1, "Images for each call.", minimum=1)
    latency_table: str = option("", "Table for the predicted latency, if any.")
    repeats: int = option(REPEATS, "Timed images.", minimum=1)
    examples: int = option(4, "Images to keep with label and prediction.", minimum=0)
    best_and_worst: int = option(
        3,
        "Images with the highest and with the lowest IoU to keep likewise, of each.",
        minimum=0,
    )
    submission: bool = option(False, "Also write Cityscapes test-server files.")


def evaluate_model(options: EvaluateOptions) -> dict[str, Any]:
    """Evaluates whole images at the labels' size and times one image.

    Returns:
        What `results.json` holds: `miou` and `per_class_iou` (fractions) of the
        masks of the very model that is timed, `params`, `macs`, `latency_ms`,
        `fps`, `predicted_latency_ms` and, of the latency table that is given,
        `latency_by_part_ms`; with flip or scales `miou_augmented`,
        `per_class_iou_augmented` and `augmented_by`, by Keras in float32; under
        `measured_on` runtime, precision, calibration and batch size of `accuracy` and
        of `latency`, and under `predicted_by` the table of the prediction.
        `trained_on_these_images` is null where the model does not say. A genotype's
        network has random weights: its accuracy is null and `weights` says so.

    Raises:
        InputError: bad options, data or model.
    """
    from lgcnet_tf.evaluation.augmented import (
        augmented_figures,
        augmented_text,
        check_augmentable,
        evaluate_augmented,
    )
    from lgcnet_tf.evaluation.model_files import MaskOfCompiled
    from lgcnet_tf.evaluation.models import load_model
    from lgcnet_tf.latency.measure import measure

    options.check()
    options = resolved(options)
    if options.precision == "int8" and options.batch_size > 1:
        raise InputError(
            "--precision=int8 is calibrated for the batch it is compiled for, and one "
            f"image is timed; leave out --batch_size={options.batch_size}."
        )
    runtime = options.make_runtime(options.dataset, options.data_dir)
    samples = _load(options)
    model = load_model(options.model, options.input_size)
    if options.submission and options.dataset != "cityscapes":
        raise InputError(
            "--submission writes files of Cityscapes; leave it out, or give "
            "--dataset=cityscapes."
        )
    if model.num_classes not in (None, samples.info.num_classes):
        raise InputError(
            f"{options.model} tells {model.num_classes} classes apart, "
            f"{options.dataset} has {samples.info.num_classes}; name the data set that it "
            "was trained on with --dataset."
        )
    if options.submission and not model.trained:
        raise InputError(
            f"--submission: {options.model} is a genotype, without weights; give the "
            "model.keras that lgcnet-finetune made of it."
        )
    model.check_classes(samples.info)
    check_augmentable(model, options)
    fit = model.fit if options.fit == MODELS_OWN else options.fit
    runtime.images.fit = fit
    segment = model.compile(runtime)
    segments = segment
    if options.batch_size > 1:
        segments = model.compile(runtime, options.batch_size)
    predicted_ms, predicted_by = _predicted_latency(model, options)
    by_part = _latency_by_part(model, options)
    known = _trained_on(model, samples)
    folder = RunFolder(options, "evaluate", inputs=_inputs(options, model))
    if known and model.trained:
        folder.log.info(
            "%s was trained on %d of these %d images: the figures flatter it",
            options.model,
            known,
            len(samples),
        )
    accuracy = NO_ACCURACY
    if model.trained:
        predict_mask = MaskOfCompiled(options.model, segments, model.input_size)
        accuracy = _accuracy(predict_mask, samples, options, folder, fit)
    else:
        folder.log.warning(
            "%s: a genotype has no weights; the network's are random, so its accuracy "
            "is not measured.",
            options.model,
        )
    augmented = evaluate_augmented(model, samples, options, options.batch_size, fit)
    if augmented:
        folder.log.info(
            "mIoU %.1f %% with %s, %.1f %% without; latency and fps are the plain "
            "network's",
            100 * augmented.miou,
            augmented_text(options),
            100 * accuracy["miou"],
        )
    entry = measure({"network": segment}, options.repeats)["network"]
    by_accuracy = _measured_on(options, model, segments, options.batch_size)
    return finish(
        folder,
        {
            "model": options.model,
            "dataset": samples.info.name,
            "classes": samples.info.to_dict(),
            "split": options.split,
            **({"groups": list(options.groups)} if options.groups else {}),
            "input_size": list(model.input_size),
            "weights": "trained" if model.trained else "random",
            "fit": fit,
            **accuracy,
            **augmented_figures(augmented, options),
            "trained_on_these_images": known,
            "params": model.params,
            "macs": model.macs,
            "latency_ms": entry.median_ms,
            "latency_spread_ms": entry.spread_us / 1000.0,
            "fps": 1000.0 / entry.median_ms,
            "predicted_latency_ms": predicted_ms,
            "predicted_by": predicted_by,
            **({"latency_by_part_ms": by_part} if by_part else {}),
            "device": segment.runtime.device,
            "runtime": segment.runtime.name,
            "precision": model.precision_of(segment),
            "measured_on": {
                "accuracy": by_accuracy if model.trained else None,
                "latency": _measured_on(options, model, segment, 1),
            },
        },
    )


def _load(options) -> Samples:
    samples = load_samples(
        options.dataset, options.split, options.data_dir or None, **options.division
    )
    if not options.groups:
        return samples
    return divide(samples, options.groups, options.group_by, "--groups")[0]


def _trained_on(model, samples) -> int | None:
    """How many of the samples a network was trained on; None if it does not say."""
    if model.genotype is None:
        return None
    names = names_trained_on(model.genotype.provenance, samples.info.name)
    if names is None:
        return None
    return len(names & set(samples.names)) if names else 0


def _accuracy(predict_mask, samples, options, folder, fit) -> dict[str, Any]:
    """Accuracy as in `results.json`; writes the rest of it, and files for a server."""
    from lgcnet_tf.evaluation.by_image import ImageScores
    from lgcnet_tf.evaluation.cityscapes import write_submission
    from lgcnet_tf.evaluation.evaluate import evaluate
    from lgcnet_tf.evaluation.examples import write_example, write_examples

    size = predict_mask.input_size
    shape = {"input_size": size, "fit": fit}
    scores = ImageScores(options.best_and_worst)
    result = evaluate(predict_mask, samples, options.batch_size, **shape, scores=scores)
    named = {}
    for name, images in ((BEST, scores.best), (WORST, scores.worst)):
        named[name] = [score.name for score, *_ in images]
        for _, sample, mask in images:
            write_example(sample, mask, samples.info, folder / name)
    images = [score.to_dict() for score in scores.scores]
    names, confusion = list(result.class_names), result.confusion.tolist()
    write_json(
        folder / ACCURACY,
        {"class_names": names, "confusion": confusion, **named, "images": images},
    )
    write_examples(predict_mask, samples, options.examples, folder / EXAMPLES, **shape)
    if options.submission:
        write_submission(predict_mask, samples, folder / "submission", **shape)
    return result.to_dict()


def _measured_on(options, model, compiled, batch_size) -> dict[str, Any]:
    return {
        "runtime": compiled.runtime.name,
        "precision": model.precision_of(compiled),
        "calibration": model.calibration_of(compiled),
        "batch_size": batch_size,
    }


def _inputs(options, model) -> Inputs:
    return {
        **split_inputs(
            options.dataset,
            options.split,
            options.data_dir or None,
            **options.division,
        ),
        **input_file("--latency_table", options.latency_table),
        **options.calibration_inputs(),
        **model.inputs(),
        **_calibration_split(options),
    }


def _calibration_split(options) -> Inputs:
    if options.precision != "int8" or options.calibration_images:
        return {}
    return split_inputs(options.dataset, "train", options.data_dir or None)


def _predicted_latency(model, options) -> tuple[float | None, dict[str, Any] | None]:
    """The prediction in ms, and the table that it is from, with what it is of."""
    if model.genotype is None:
        return None, None
    if not options.latency_table:
        provenance = model.genotype.provenance
        searched_at = tuple(provenance.get("input_size", ()))
        same = searched_at == tuple(model.input_size)
        same = same and provenance.get("latency_batch_size", 1) == 1
        if not same or "predicted_latency_ms" not in provenance:
            return None, None
        table_id = provenance.get("latency_table")
        return provenance["predicted_latency_ms"], {"latency_table": table_id}
    table, costs = _costs(model, options)
    by = {"latency_table": table.table_id}
    for name in ("device", "runtime", "precision", "threads"):
        by[name] = getattr(table, name)
    return costs.predicted_latency(model.genotype) / 1000.0, by


def _costs(model, options):
    from lgcnet_tf.latency.estimate import CostModel

    table = LatencyTable.load(options.latency_table)
    table.check(model.genotype.skeleton, model.input_size, batch_size=1)
    return table, CostModel(table, model.genotype.skeleton, model.input_size)


def _latency_by_part(model, options) -> dict[str, float] | None:
    """By the table that is given; the parts make up the prediction."""
    from lgcnet_tf.latency.parts import latency_by_part

    if model.genotype is None or not options.latency_table:
        return None
    parts = latency_by_part(_costs(model, options)[1], model.genotype)
    return {name: value / 1000.0 for name, value in parts.items()}
