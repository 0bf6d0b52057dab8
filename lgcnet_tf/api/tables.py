"""Latency tables."""

import os
from typing import Any

from lgcnet_tf.api.run import folder_for, make_options, run_once, with_options
from lgcnet_tf.commands.defaults import of_data, space_of
from lgcnet_tf.commands.measure_latency import MeasureOptions
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import LATENCY_TABLE
from lgcnet_tf.space.skeleton import Skeleton


@with_options(
    MeasureOptions, "output_dir", "quick", "target_latency_ms", "for_device", "samples"
)
def measure_latency(
    skeleton: Skeleton | None = None,
    *,
    output_dir: str | os.PathLike | None = None,
    **options: Any,
) -> LatencyTable:
    """Measures the latency table of a search space on this device.

    Args:
        skeleton: the frame of the search space, in place of the options that
            describe it; its number of classes must be that of `dataset`.
        output_dir: folder of the table and of the times it is made of, from which
            the same call goes on after an interruption; else temporary.

    Raises:
        InputError: bad arguments, or a runtime that cannot run here.

    Example:
        >>> import lgcnet_tf as lt
        >>> table = lt.measure_latency(
        ...     lt.Skeleton(num_classes=8, initial_channels=2, num_cells=2,
        ...                 reduction_cells=(1,), fusion="none",
        ...                 cell_operations=("skip_connect", "sep_conv_3x3")),
        ...     input_size=(32, 64), repeats=1, warmup=0, calibration_networks=0)
        >>> table.input_size, table.runtime
        ((32, 64), 'tensorflow_graph')
    """
    from lgcnet_tf.commands import measure_latency as command

    folder = folder_for(output_dir)
    values = options | {"output_dir": str(folder)}
    if skeleton:
        values |= space_of(skeleton)
        given = of_data(make_options(MeasureOptions, values))
        name = given.dataset
        classes = dataset_info(name, given.data_dir or None).num_classes
        if skeleton.num_classes != classes:
            raise InputError(
                f"skeleton.num_classes is {skeleton.num_classes}, --dataset={name} has "
                f"{classes} classes."
            )
    made = make_options(MeasureOptions, values)
    run_once(command.measure_latency, made, of_data)
    return LatencyTable.load(folder / LATENCY_TABLE)
