"""Evaluating and exporting a trained network."""

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING, Any

from lgcnet_tf.api.models import as_file
from lgcnet_tf.api.run import folder_for, keep, make_options, run_once, with_options
from lgcnet_tf.commands.evaluate import EvaluateOptions
from lgcnet_tf.commands.export import ExportOptions
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import LATENCY_TABLE, MODEL

if TYPE_CHECKING:
    from lgcnet_tf.model.network import Network


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Accuracy, size and speed of a model; shares are fractions of 1.

    Attributes:
        miou: mean of the classes' IoU; None for a network without trained weights.
        pixel_accuracy: share of the labelled pixels that are right; None likewise.
        per_class_iou: by the class's name, None for a class that never occurs.
        params: its parameters; None for a file that does not say.
        macs: multiply-accumulates of an image; None likewise.
        latency_ms: median time of one image, and what it was measured on stands in
            `results["measured_on"]`.
        predicted_latency_ms: by the table, if there is one.
        results: all figures of the run, as in its `results.json`.
        folder: the run's, with some images, labels and predictions.

    Example:
        With `found` of `evaluate`:

        >>> found.results["runtime"], len(found.per_class_iou)
        ('tensorflow_graph', 8)
    """

    miou: float | None
    pixel_accuracy: float | None
    per_class_iou: dict[str, float | None] | None
    params: int | None
    macs: int | None
    latency_ms: float
    predicted_latency_ms: float | None
    results: dict[str, Any] = dataclasses.field(repr=False)
    folder: pathlib.Path = dataclasses.field(repr=False)


@with_options(EvaluateOptions, "output_dir", "model", "latency_table")
def evaluate(
    model: "Network | str | os.PathLike",
    *,
    latency_table: LatencyTable | str | os.PathLike | None = None,
    output_dir: str | os.PathLike | None = None,
    **options: Any,
) -> Evaluation:
    """Evaluates a model on whole images at the labels' size, and times one image.

    Args:
        model: a network, a name of `list_models`, or a path as of `lgcnet-evaluate`.
        latency_table: for the predicted latency, if any.
        output_dir: folder of results and example pictures; else temporary.

    The data set is by default the one that the network was trained on.

    Raises:
        InputError: bad arguments, data or model.

    Example:
        With `net` of `finetune`:

        >>> import lgcnet_tf as lt
        >>> found = lt.evaluate(net, repeats=2, examples=0)
        >>> 0.0 <= found.miou <= 1.0 and found.latency_ms > 0.0
        True
    """
    from lgcnet_tf.commands import evaluate as command

    folder = folder_for(output_dir)
    values = options | {
        "model": as_file(model, folder / MODEL),
        "output_dir": str(folder),
    }
    if isinstance(latency_table, LatencyTable):
        values["latency_table"] = keep(latency_table, folder / LATENCY_TABLE)
    elif latency_table:
        values["latency_table"] = os.fspath(latency_table)
    made = make_options(EvaluateOptions, values)
    results = run_once(command.evaluate_model, made, command.resolved)
    names = [f.name for f in dataclasses.fields(Evaluation)]
    figures = {name: results[name] for name in names[:-2]}
    return Evaluation(**figures, results=results, folder=folder)


@with_options(ExportOptions, "output_dir", "model")
def export(
    model: "Network | str | os.PathLike",
    *,
    output_dir: str | os.PathLike | None = None,
    **options: Any,
) -> pathlib.Path:
    """Writes a network for TensorFlow Serving, or as a file for another runtime.

    Args:
        model: a network, a name of `list_models`, or the path of a `.keras` file.
        output_dir: folder of what is written; else one that Python removes at its end.

    The classes are the network's own, unless it is too old to know them.

    Returns:
        The version folder of a SavedModel, whose parent a server takes, or the file.

    Raises:
        InputError: bad arguments or model, or one without trained weights.

    Example:
        With `net` of `finetune`, and an answer of a server on this machine:

        >>> import lgcnet_tf as lt
        >>> path = lt.export(net)
        >>> picture = lt.load_dataset("toy_streets", "val")[0].image[:32, :64]
        >>> with lt.Server({"lgcnet": path.parent}, port=0) as server:
        ...     with lt.Client(server.target, "lgcnet") as client:
        ...         mask = client.predict(picture[None])
        >>> mask.shape
        (1, 32, 64)
    """
    from lgcnet_tf.commands import export as command

    folder = folder_for(output_dir)
    values = options | {
        "model": as_file(model, folder / MODEL),
        "output_dir": str(folder),
    }
    made = make_options(ExportOptions, values)
    return pathlib.Path(run_once(command.export, made)[made.format])
