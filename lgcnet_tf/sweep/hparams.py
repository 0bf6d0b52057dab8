"""A sweep in TensorBoard's HParams tab."""

import os
import pathlib
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

METRICS = {
    "miou": "mIoU",
    "measured_ms": "measured latency (ms)",
    "predicted_ms": "predicted latency (ms)",
    "params": "parameters",
}
SEED = "seed"


def write_hparams(
    folder: str | os.PathLike,
    axes: Mapping[str, Sequence[str]],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Writes an experiment and a session for each trial, in place of older ones.

    Args:
        folder: gets the experiment's events, and a folder for each trial.
        axes: the values of each hyperparameter.
        rows: what `trial_row` gives.
    """
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    seeds = sorted({row[SEED] for row in rows})
    hparams = {**axes, SEED: [str(seed) for seed in seeds]}
    numeric = {axis for axis, values in hparams.items() if all(map(_number, values))}
    experiment = api_pb2.Experiment(time_created_secs=time.time())
    for axis, values in hparams.items():
        info = experiment.hparam_infos.add(name=axis)
        number = axis in numeric
        info.type = api_pb2.DATA_TYPE_FLOAT64 if number else api_pb2.DATA_TYPE_STRING
        info.domain_discrete.extend([float(v) if number else v for v in values])
    for tag, title in METRICS.items():
        experiment.metric_infos.add(
            name=api_pb2.MetricName(tag=tag), display_name=title
        )
    _write(
        folder,
        [_value(metadata.EXPERIMENT_TAG, experiment=experiment)],
    )
    for row in rows:
        now = time.time()
        start = plugin_data_pb2.SessionStartInfo(start_time_secs=now)
        for axis in hparams:
            value = start.hparams[axis]
            if axis in numeric:
                value.number_value = float(row[axis])
            else:
                value.string_value = row[axis]
        end = plugin_data_pb2.SessionEndInfo(
            status=api_pb2.STATUS_SUCCESS, end_time_secs=now
        )
        scalars = [
            summary_pb2.Summary.Value(tag=tag, simple_value=float(row[tag]))
            for tag in METRICS
            if row[tag] is not None
        ]
        _write(
            folder / row["trial"],
            [
                _value(metadata.SESSION_START_INFO_TAG, session_start_info=start),
                *scalars,
                _value(metadata.SESSION_END_INFO_TAG, session_end_info=end),
            ],
        )


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _value(tag: str, **content) -> summary_pb2.Summary.Value:
    data = plugin_data_pb2.HParamsPluginData(**content)
    return summary_pb2.Summary.Value(
        tag=tag,
        tensor=metadata.NULL_TENSOR,
        metadata=metadata.create_summary_metadata(data),
    )


def _write(folder: pathlib.Path, values: list[summary_pb2.Summary.Value]) -> None:
    writer = EventFileWriter(str(folder))
    for value in values:
        summary = summary_pb2.Summary(value=[value])
        writer.add_event(event_pb2.Event(wall_time=time.time(), summary=summary))
    writer.close()
