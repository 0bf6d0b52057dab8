"""What the commands have in common that can measure on a device without TensorFlow."""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lgcnet_tf.config import RunOptions, option
from lgcnet_tf.latency.samples import SAMPLES
from lgcnet_tf.latency.settings import NETWORK_REPEATS
from lgcnet_tf.run_folder import Inputs, RunFolder, input_file
from lgcnet_tf.runtimes.device.sessions import SESSIONS
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.workloads import Workload

if TYPE_CHECKING:
    from lgcnet_tf.commands.measure_latency import MeasureOptions
    from lgcnet_tf.latency.device_samples import DeviceRuntime, Measured
    from lgcnet_tf.latency.samples import SampleStore

FOLDER = "device"
"""In the run's folder: what goes to the device."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceOptions(RunOptions):
    """Whether what is timed is timed elsewhere."""

    TOPIC = "Another device"

    for_device: bool = option(
        False,
        "Time nothing here: write a folder that is taken to a device which has the "
        "runtime, NumPy and no TensorFlow, and timed there. Once its samples.json lies "
        "in that folder, the same command makes of it what it else measures.",
    )
    samples: str = option(
        "",
        "A samples.json that a device wrote for the same options; nothing is timed here.",
    )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.for_device and self.samples:
            yield (
                "--for_device makes what --samples is measured with: give one of both."
            )

    @property
    def elsewhere(self) -> str:
        """The option that has it timed elsewhere, if one does."""
        return "--for_device" if self.for_device else "--samples" * bool(self.samples)

    @property
    def samples_file(self) -> str:
        """The device's times, once they are there; else empty."""
        path = pathlib.Path(self.output_dir) / FOLDER / SAMPLES
        return self.samples or (str(path) if self.for_device and path.exists() else "")

    def samples_inputs(self) -> Inputs:
        """Fingerprint of `samples`."""
        return input_file("--samples", self.samples)


def runtime_problem(runtime: str) -> str:
    """One line if a device cannot have the runtime without TensorFlow."""
    if runtime in SESSIONS:
        return ""
    return (
        f"--for_device and --samples are for the runtimes {', '.join(SESSIONS)}, which "
        f"need no TensorFlow; not for {runtime}."
    )


def write_device_folder(
    folder: RunFolder,
    measured: "Measured",
    skeleton: Skeleton,
    operations: Sequence[Workload],
    networks: Mapping[str, Genotype],
    images: Sequence[np.ndarray] = (),
    **settings: Any,
) -> dict[str, Any]:
    """Writes the folder for the device, and says what to do with it.

    Args:
        folder: of the run, which goes on once the samples are there.
        measured, skeleton, operations, networks: as for `for_device.write_folder`.
        images: of int8.
        settings: the other arguments of it.

    Returns:
        `for_device`, the folder, with the number and the size of its `files` in bytes.
    """
    from lgcnet_tf.commands.progress_bars import ProgressBars
    from lgcnet_tf.latency.for_device import converter_for, folder_size, write_folder

    path = folder / FOLDER
    converter = converter_for(measured, images)
    write_folder(
        path, measured, converter, skeleton, operations, networks,
        progress=ProgressBars(), **settings,
    )  # fmt: skip
    count, size = folder_size(path)
    package = SESSIONS[measured.runtime].package
    for line in (
        f"{path}: {count} files, {size / 1e6:.0f} MB, {len(operations)} operations and "
        f"{len(networks)} networks; nothing is timed yet. What remains:",
        f"1. take that folder to the device; it needs Python 3.9 or newer and: pip "
        f"install numpy {package}",
        "2. there, in the folder: python time_models.py",
        f"3. bring its {SAMPLES} back to {path / SAMPLES} and give the same command "
        "again.",
    ):
        folder.log.info(line)
    folder.release()
    return {"for_device": str(path), "files": count, "bytes": size}


def _measured(options: "MeasureOptions", skeleton: Skeleton) -> "Measured":
    from lgcnet_tf.latency.device_samples import Measured

    size, batch = options.input_size, options.batch_size
    return Measured.of(options.runtime, options.precision, skeleton, size, batch)


def take_to_device(
    options: "MeasureOptions", skeleton: Skeleton, inputs: Inputs
) -> dict[str, Any]:
    """Writes all that a table is measured of; its networks are chosen by rough times.

    Returns:
        As `write_device_folder`.
    """
    from lgcnet_tf.latency.calibrate import SEED, d_optimal_subset
    from lgcnet_tf.latency.for_device import rough_table
    from lgcnet_tf.latency.measure import table_workloads
    from lgcnet_tf.latency.network_pool import draw_pool, name_of

    images, measured = options.representative_images(), _measured(options, skeleton)
    folder = RunFolder(options, "measure_latency", inputs=inputs)
    operations = table_workloads(skeleton, measured.input_size)
    chosen = []
    if options.calibration_networks:
        rough = rough_table(measured, skeleton, operations)
        pool = draw_pool(skeleton, SEED)
        chosen = d_optimal_subset(rough, pool, options.calibration_networks)
    return write_device_folder(
        folder, measured, skeleton, operations, {name_of(g): g for g in chosen}, images,
        repeats=options.repeats, network_repeats=NETWORK_REPEATS, warmup=options.warmup,
        threads=options.threads,
    )  # fmt: skip


def from_device(
    options: "MeasureOptions", skeleton: Skeleton
) -> tuple["DeviceRuntime", "SampleStore"]:
    """What the device is, and what it timed for a table.

    Raises:
        InputError: that is not what the table is made of.
    """
    from lgcnet_tf.latency.calibrate import SEED
    from lgcnet_tf.latency.device_samples import read_samples
    from lgcnet_tf.latency.measure import table_workloads
    from lgcnet_tf.latency.network_pool import draw_pool, name_of

    measured, names = _measured(options, skeleton), []
    if options.calibration_networks:
        names = [name_of(genotype) for genotype in draw_pool(skeleton, SEED)]
    return read_samples(
        options.samples_file,
        measured,
        [work.key for work in table_workloads(skeleton, measured.input_size)],
        names,
        min(options.calibration_networks, len(names)),
        options.repeats,
        NETWORK_REPEATS,
    )
