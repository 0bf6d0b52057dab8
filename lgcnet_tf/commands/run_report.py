"""What a whole `lgcnet run` came to: its figures, its page, its last line."""

import pathlib
import shlex
from typing import Any

from lgcnet_tf.commands.run_stages import (
    CHOOSE,
    EVALUATE,
    EXPORT,
    FINETUNE,
    LATENCY,
    SEARCH,
)
from lgcnet_tf.convert.quiet import quiet
from lgcnet_tf.files import read_json
from lgcnet_tf.run_folder import GENOTYPE, MODEL, RESULTS


def conclusion(root: pathlib.Path, results: dict[str, Any]) -> str:
    """The one line that the command ends with."""
    served = root / results["saved_model"]
    predicted, measured = results["predicted_latency_ms"], results["latency_ms"]
    said = "" if predicted is None else f"{predicted:.4g} ms predicted, "
    return (
        f"model {root / results['model']}, SavedModel {served}, mIoU "
        f"{100 * results['miou']:.1f} %, latency {said}{measured:.4g} ms measured; "
        f"serve it: lgcnet-serve --model={shlex.quote(str(served))}"
    )


def results_of_stages(root: pathlib.Path) -> dict[str, Any]:
    """What the stages came to; paths are relative to `root`."""
    evaluated = read_json(root / EVALUATE / RESULTS)
    searched = read_json(root / SEARCH / GENOTYPE)["provenance"]
    names = (
        "dataset", "input_size", "miou", "per_class_iou", "pixel_accuracy", "num_images",
        "params", "macs", "predicted_latency_ms", "latency_ms", "device", "measured_on",
    )  # fmt: skip
    return {name: evaluated[name] for name in names} | {
        "target_latency_ms": searched["target_latency_ms"],
        "model": f"{FINETUNE}/{MODEL}",
        "saved_model": f"{EXPORT}/saved_model",
        "files": {
            folder.name.removeprefix(f"{EXPORT}_"): f"{folder.name}/{path.name}"
            for folder in sorted(root.glob(f"{EXPORT}_*"))
            for path in sorted(folder.glob("model.*"))
            if path.suffix != ".json"
        },
    }


def write_report(root: pathlib.Path) -> pathlib.Path:
    """One page of all stages; each one has its own in its folder, too."""
    with quiet():
        from lgcnet_tf.report.html import cards, heading, section, write_page
        from lgcnet_tf.report.run import REPORT, plot_run, read_run, report_sections
        from lgcnet_tf.report.summary import headline

    if (root / LATENCY).is_dir():  # the table is a picture alone
        if not (root / LATENCY / REPORT).exists():
            plot_run(root / LATENCY)
    sections = [section("Results", cards(headline(results_of_stages(root))))]
    for stage in (EVALUATE, FINETUNE, CHOOSE, SEARCH, LATENCY):
        if (root / stage).is_dir():
            sections.append(heading(stage.capitalize()))
            sections += report_sections(read_run(root / stage))
    return write_page(root / REPORT, f"Run {root.resolve().name}", sections)
