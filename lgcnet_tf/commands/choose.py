"""The best of several networks of a search, each trained for a few epochs.

A search's α hardly separate its likeliest networks, and with the weights that all share
networks do not stand as they do once trained (`benchmarks/README.md`).
"""

import dataclasses
import math
from typing import Any

from lgcnet_tf.commands.defaults import of_genotype
from lgcnet_tf.commands.finetune import FinetuneOptions, NetworkTrainingOptions
from lgcnet_tf.commands.finish import finish
from lgcnet_tf.commands.stage import run_stage
from lgcnet_tf.config import option
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.run_folder import (
    GENOTYPE,
    HISTORY,
    RESULTS,
    RunFolder,
    refuse_finished,
)
from lgcnet_tf.terminal import show_table

CANDIDATES = "candidates"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChooseOptions(NetworkTrainingOptions):
    """Options of choosing; the training's are those of every candidate."""

    TOPIC = "Network"

    search_dir: str = option(
        "", "Folder of a search that has ended.", needed="name the folder of a search."
    )
    target_latency_ms: float = option(
        0.0,
        "Predicted latency of all candidates, met within 5 %; 0 for that of the search.",
        minimum=0,
    )
    latency_table: str = option(
        "", "Latency table of the same space; by default the search's own."
    )
    candidates: int = option(8, "Networks to try, the search's own first.", minimum=2)
    spread: float = option(
        0.2,
        "How far the others may be from the search's own: of the Gumbel noise on log α "
        "that they are derived with. 1 draws operations by their probabilities.",
        above=0,
    )
    epochs: int = option(4, "Epochs of each training.", minimum=1, topic="Training")


def choose(options: ChooseOptions) -> dict[str, Any]:
    """Trains the candidates; writes the best one's genotype, and how all came out.

    Every candidate's training has a folder of its own, and what is done is not repeated.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options or data, nothing to measure on, no such search, a target
            out of its reach, or a training that failed and has said why.
        Interrupted: a signal came; the training at work has saved and ended.
    """
    from lgcnet_tf.architecture_search.candidates import draw_candidates
    from lgcnet_tf.architecture_search.latency_target import check_reachable
    from lgcnet_tf.commands.latency_range import saying_what_to_turn
    from lgcnet_tf.commands.search_folder import read_search
    from lgcnet_tf.training.data import load_training_data

    options.check()
    refuse_finished(options.output_dir)
    search = read_search(options.search_dir, options.latency_table, options.output_dir)
    target_ms = options.target_latency_ms or _own_target(search)
    with saying_what_to_turn():
        check_reachable(1000.0 * target_ms, search.cost_model, search.kinds)
    training = of_genotype(
        FinetuneOptions(
            **{
                field.name: getattr(options, field.name)
                for field in dataclasses.fields(NetworkTrainingOptions)
            },
            model=f"{options.search_dir}/{GENOTYPE}",
        )
    )
    data = load_training_data(training)
    if not data.validation:
        raise InputError(
            "nothing to compare networks on: --left_out leaves groups of images out of "
            "the training, --validation_split names a split."
        )
    figure = next(iter(data.validation))
    drawn = draw_candidates(
        search.alpha,
        search.cost_model,
        search.kinds,
        1000.0 * target_ms,
        options.candidates,
        options.spread,
        options.seed,
    )
    folder = RunFolder(options, "choose", inputs=search.inputs)
    if len(drawn) < options.candidates:
        folder.log.warning(
            "different networks of %.4g ms found: %d, not %d; a larger --spread finds "
            "others",
            target_ms,
            len(drawn),
            options.candidates,
        )
    (folder / CANDIDATES).mkdir(exist_ok=True)
    tried = []
    for number, derived in enumerate(drawn):
        genotype = search.named(derived.genotype, target_ms)
        name = f"{CANDIDATES}/{number}"
        path = folder / f"{name}.json"
        genotype.save(path)
        stage = dataclasses.replace(
            training, model=str(path), output_dir=str(folder / name)
        )
        if not (folder / name / RESULTS).exists():
            run_stage(name, "finetune", stage, folder)
        miou = read_json(folder / name / HISTORY)[-1][figure]
        folder.log.info("candidate %d: %s %.1f %%", number, figure, 100 * miou)
        tried.append((miou, number, genotype))
    miou, best, chosen = max(tried, key=lambda each: (_known(each[0]), -each[1]))
    rows = [_row(miou, genotype, tried[0][2]) for miou, _, genotype in tried]
    show_table(
        ("candidate", figure, "predicted ms", "edges of the search's"),
        [
            (
                f"{number}",
                f"{100 * row['miou']:.1f} %",
                f"{row['predicted_latency_ms']:.4g}",
                f"{row['same_edges']} of {row['edges']}",
            )
            for number, row in enumerate(rows)
        ],
    )
    search.keep(chosen, folder)
    return finish(
        folder,
        {
            "chosen": best,
            "measured": figure,
            "miou": miou,
            "predicted_latency_ms": chosen.provenance["predicted_latency_ms"],
            "target_latency_ms": target_ms,
            "candidates": rows,
        },
        folder / GENOTYPE,
    )


def _own_target(search) -> float:
    """The target of the search, in ms, or else what its network takes."""
    return search.genotype.provenance.get("target_latency_ms") or (
        search.cost_model.predicted_latency(search.genotype) / 1000.0
    )


def _known(miou: float) -> float:
    return -1.0 if math.isnan(miou) else miou


def _row(miou, genotype, own) -> dict[str, Any]:
    """What is known of a candidate; `own` is the search's network."""
    return {
        "genotype": genotype.id,
        "miou": miou,
        "predicted_latency_ms": genotype.provenance["predicted_latency_ms"],
        "same_edges": int((genotype.choice == own.choice).sum()),
        "edges": len(own.choice),
    }
