"""The stages of `lgcnet run`, as the options of their commands."""

import dataclasses
import os

from lgcnet_tf.commands.choose import ChooseOptions
from lgcnet_tf.commands.evaluate import EvaluateOptions
from lgcnet_tf.commands.export import ExportOptions
from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.commands.measure_latency import MeasureOptions
from lgcnet_tf.commands.search import SearchOptions
from lgcnet_tf.config import RunOptions, Size
from lgcnet_tf.convert.quiet import quiet
from lgcnet_tf.data.division import VAL
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import (
    GENOTYPE,
    LATENCY_TABLE,
    MODEL,
)

LATENCY, SEARCH, CHOOSE, FINETUNE = "latency", "search", "choose", "finetune"
EVALUATE, EXPORT = "evaluate", "export"
COMMANDS = {
    LATENCY: "measure_latency",
    SEARCH: "search",
    CHOOSE: "choose",
    FINETUNE: "finetune",
    EVALUATE: "evaluate",
    EXPORT: "export",
}
"""Sub-folder of each stage, in order, and the command that fills it."""

ALL_PIXELS = 1.0
"""Share of the pixels in the training's loss: mining hard ones, as the paper does, costs
2.7 and 4.2 points of mIoU in `benchmarks/recipe.md`."""


def stages_of(options, root, size: Size, crop: Size) -> dict[str, RunOptions]:
    """The options of each stage's command; those of a same name are handed on."""

    def handed_on(kind, stage, **own):
        names = {f.name for f in dataclasses.fields(options)}
        names &= {f.name for f in dataclasses.fields(kind)}
        values = {name: getattr(options, name) for name in names}
        return kind(**values | own | {"output_dir": str(root / stage)})

    table, model = str(root / LATENCY / LATENCY_TABLE), str(root / FINETUNE / MODEL)
    training = {"input_size": size, "crop_size": crop}
    first = {
        LATENCY: handed_on(
            MeasureOptions,
            LATENCY,
            input_size=size,
            batch_size=1,
            target_latency_ms=0.0,
        )
    }
    if options.latency_table:
        table, first = options.latency_table, {}
    files = {
        f"{EXPORT}_{form}": ExportOptions(
            model=model,
            format=form,
            output_dir=str(root / f"{EXPORT}_{form}"),
            extension=options.extension,
        )
        for form in options.formats
    }
    weights = {"initial_model": str(root / SEARCH), "hardest": ALL_PIXELS}
    choosing = {
        CHOOSE: handed_on(
            ChooseOptions,
            CHOOSE,
            **training,
            **weights,
            search_dir=str(root / SEARCH),
            target_latency_ms=0.0,
            epochs=options.candidate_epochs,
        )
    }
    chosen = CHOOSE if options.candidates else SEARCH
    return {
        **first,
        SEARCH: handed_on(
            SearchOptions,
            SEARCH,
            **training,
            latency_table=table,
            epochs=options.search_epochs,
        ),
        **(choosing if options.candidates else {}),
        FINETUNE: handed_on(
            FinetuneOptions,
            FINETUNE,
            **training,
            **weights,
            model=str(root / chosen / GENOTYPE),
            epochs=options.finetune_epochs,
        ),
        EVALUATE: handed_on(
            EvaluateOptions,
            EVALUATE,
            input_size=None,
            split=VAL,
            model=model,
            batch_size=1,
            latency_table=table,
        ),
        EXPORT: ExportOptions(
            model=model, output_dir=str(root / EXPORT), extension=options.extension
        ),
        **files,
    }


def with_target(stage: SearchOptions, num_classes: int, folder) -> SearchOptions:
    """The search's options with the target that is given, or the range's middle.

    Raises:
        InputError: what is given is out of reach.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        from lgcnet_tf.architecture_search.latency_target import (
            check_reachable,
            latency_range,
        )
        from lgcnet_tf.guidance.communication import cell_kinds
        from lgcnet_tf.latency.estimate import CostModel
        from lgcnet_tf.latency.table import LatencyTable

    skeleton = stage.skeleton(num_classes)
    costs = CostModel(
        LatencyTable.load(stage.latency_table), skeleton, stage.input_size
    )
    kinds = cell_kinds(stage.communication, [c.reduction for c in skeleton.cells])
    fastest, slowest = (us / 1000.0 for us in latency_range(costs, kinds))
    folder.log.info(
        "networks of this space take %.4g to %.4g ms by the table", fastest, slowest
    )
    target = stage.target_latency_ms
    if not target:
        target = float(f"{(fastest + slowest) / 2:.4g}")
        folder.log.info("target: %.4g ms, the middle of that", target)
    try:
        check_reachable(1000.0 * target, costs, kinds)
    except InputError as error:
        raise InputError(
            f"{error} Give another one, or another --initial_channels or --input_size, "
            "with another --output_dir."
        ) from None
    return dataclasses.replace(stage, target_latency_ms=target)
