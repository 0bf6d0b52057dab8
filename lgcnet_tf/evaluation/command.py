"""Accuracy, size and speed of a model on a split of a data set."""

import dataclasses
from typing import Any

from lgcnet_tf.config import DataOptions, Size, option
from lgcnet_tf.data import Samples, divide, load_samples
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.cityscapes import write_submission
from lgcnet_tf.evaluation.evaluate import evaluate
from lgcnet_tf.evaluation.examples import write_examples
from lgcnet_tf.evaluation.models import load_model
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.measure import REPEATS, measure
from lgcnet_tf.latency.options import RuntimeOptions
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.space.trained_on import names_trained_on

EXAMPLES = "examples"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions(DataOptions, RuntimeOptions):
    """Options of an evaluation."""

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
        "", "Zoo name, genotype, .keras file, SavedModel folder, or a .onnx, .tflite "
        "or OpenVINO .xml file."
    )  # fmt: skip
    batch_size: int = option(1, "Images for each call.", minimum=1)
    latency_table: str = option("", "Table for the predicted latency, if any.")
    repeats: int = option(REPEATS, "Timed images.", minimum=1)
    examples: int = option(
        4, "Images to keep with label and prediction.", minimum=0
    )
    submission: bool = option(False, "Also write Cityscapes test-server files.")


def evaluate_model(options: EvaluateOptions) -> dict[str, Any]:
    """Evaluates whole images at the labels' size and times one image.

    Returns:
        What `results.json` holds: `miou` and `per_class_iou` (fractions),
        `trained_on_these_images` (null where the model does not say),
        `params`, `macs`, `latency_ms`, `fps`, `predicted_latency_ms`.

    Raises:
        InputError: bad options, data or model.
    """
    options.check()
    runtime = options.make_runtime()
    samples = _load(options)
    model = load_model(options.model, options.input_size)
    if options.submission and options.dataset != "cityscapes":
        raise InputError("--submission writes files of Cityscapes; --dataset is another.")
    if model.num_classes not in (None, samples.info.num_classes):
        raise InputError(
            f"{options.model} tells {model.num_classes} classes apart, "
            f"{options.dataset} has {samples.info.num_classes}."
        )
    segment = model.compile(runtime)
    predicted_ms = _predicted_latency_ms(model, options)
    known = _trained_on(model, samples)
    folder = RunFolder(options, "evaluate")
    if known:
        folder.log.info(
            "%s was trained on %d of these %d images: the figures flatter it",
            options.model,
            known,
            len(samples),
        )
    result = evaluate(
        model.predict_mask, samples, options.batch_size, input_size=model.input_size
    )
    entry = measure({"network": segment}, options.repeats)["network"]
    write_examples(
        model.predict_mask,
        samples,
        options.examples,
        folder / EXAMPLES,
        model.input_size,
    )
    if options.submission:
        write_submission(
            model.predict_mask,
            samples,
            folder / "submission",
            input_size=model.input_size,
        )
    return folder.finish(
        {
            "model": options.model,
            "dataset": options.dataset,
            "split": options.split,
            **({"groups": list(options.groups)} if options.groups else {}),
            "input_size": list(model.input_size),
            **result.to_dict(),
            "trained_on_these_images": known,
            "params": model.params,
            "macs": model.macs,
            "latency_ms": entry.median_ms,
            "latency_spread_ms": entry.spread_us / 1000.0,
            "fps": 1000.0 / entry.median_ms,
            "predicted_latency_ms": predicted_ms,
            "device": segment.runtime.device,
            "runtime": segment.runtime.name,
            "precision": segment.runtime.precision,
        }
    )


def _load(options) -> Samples:
    samples = load_samples(options.dataset, options.split, options.data_dir or None)
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


def _predicted_latency_ms(model, options) -> float | None:
    if model.genotype is None:
        return None
    if not options.latency_table:
        provenance = model.genotype.provenance
        searched_at = tuple(provenance.get("input_size", ()))
        same = searched_at == tuple(model.input_size)
        same = same and provenance.get("latency_batch_size", 1) == 1
        return provenance.get("predicted_latency_ms") if same else None
    table = LatencyTable.load(options.latency_table)
    table.check(model.genotype.skeleton, model.input_size, batch_size=1)
    costs = CostModel(table, model.genotype.skeleton, model.input_size)
    return costs.predicted_latency(model.genotype) / 1000.0
