"""The stages of `lgcnet run`: their options, and each as a process of its own.

They could not share one: a search and a deterministic training set TensorFlow's graph
optimiser and kernels for the whole process, which would then time and evaluate
otherwise than `lgcnet-evaluate` does; memory of the GPU that TensorFlow took it gives
back with the process alone; and a stage that runs out of memory takes nothing with it.
"""

import dataclasses
import os
import subprocess
import time

from lgcnet_tf.commands.evaluate import EvaluateOptions
from lgcnet_tf.commands.export import ExportOptions
from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.commands.measure_latency import MeasureOptions
from lgcnet_tf.commands.search import SearchOptions
from lgcnet_tf.config import RunOptions, Size
from lgcnet_tf.convert.quiet import quiet
from lgcnet_tf.data.division import VAL
from lgcnet_tf.errors import InputError
from lgcnet_tf.interruption import INTERRUPTION
from lgcnet_tf.run_folder import (
    GENOTYPE,
    LATENCY_TABLE,
    MODEL,
    RESULTS,
    RunFolder,
    flag_lines,
)
from lgcnet_tf.sweep.trial import stage_command

LATENCY, SEARCH, FINETUNE = "latency", "search", "finetune"
EVALUATE, EXPORT = "evaluate", "export"
COMMANDS = {
    LATENCY: "measure_latency",
    SEARCH: "search",
    FINETUNE: "finetune",
    EVALUATE: "evaluate",
    EXPORT: "export",
}
"""Sub-folder of each stage, in order, and the command that fills it."""

ALL_PIXELS = 1.0
"""Share of the pixels in the training's loss: mining hard ones, as the paper does, costs
2.7 and 4.2 points of mIoU in `benchmarks/recipe.md`."""

_POLL_S = 0.2


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
    return {
        **first,
        SEARCH: handed_on(
            SearchOptions,
            SEARCH,
            **training,
            latency_table=table,
            epochs=options.search_epochs,
        ),
        FINETUNE: handed_on(
            FinetuneOptions,
            FINETUNE,
            **training,
            model=str(root / SEARCH / GENOTYPE),
            initial_model=str(root / SEARCH),
            epochs=options.finetune_epochs,
            hardest=ALL_PIXELS,
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


def run_stage(name: str, stage: RunOptions, folder: RunFolder) -> None:
    """Runs a command as a process that says on this one's outputs what it has to say.

    Raises:
        InputError: it left no results.
        Interrupted: a signal came and it has ended.
    """
    folder.log.info("%s: begins", name)
    begin = time.monotonic()
    INTERRUPTION.defer()  # the stage has to save and leave first
    process = subprocess.Popen(
        stage_command(COMMANDS[name.partition("_")[0]]) + flag_lines(stage),
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches this process alone
    )
    told = False
    try:
        while process.poll() is None:
            if INTERRUPTION.requested and not told:
                process.terminate()
                told = True
            time.sleep(_POLL_S)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if INTERRUPTION.requested:
        INTERRUPTION.leave(f"stopped in the stage {name}; the same command goes on.")
    INTERRUPTION.allow()
    if not (folder / name / RESULTS).exists():
        status = process.returncode
        ended = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise InputError(
            f"the stage {name} ended without results ({ended}); its last line says why, "
            "and the same command goes on there."
        )
    folder.log.info("%s: took %.0f s", name, time.monotonic() - begin)
