"""A training as a context: its devices and workers, its data, its folder, its end."""

import contextlib
import dataclasses
import functools
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from lgcnet_tf.config import Size
from lgcnet_tf.data import Samples, steps_per_epoch
from lgcnet_tf.data.labelled_images import LabelledImages
from lgcnet_tf.model.diagram import diagram
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.precision import precision
from lgcnet_tf.run_folder import RESULTS, Inputs, RunFolder, refuse_finished
from lgcnet_tf.training.best import BestWeights
from lgcnet_tf.training.callbacks import Measure
from lgcnet_tf.training.crop_schedule import CropSchedule
from lgcnet_tf.training.data import TrainingData, load_training_data
from lgcnet_tf.training.determinism import make_deterministic
from lgcnet_tf.training.fit import fit
from lgcnet_tf.training.graphs import prepare_graphs
from lgcnet_tf.training.options import StepOptions
from lgcnet_tf.training.settings import NO_TRACKER
from lgcnet_tf.training.start_lines import data_line, device_line, network_line
from lgcnet_tf.training.strategy import make_strategy
from lgcnet_tf.training.trackers import Forgiving, check_tracker, open_tracker
from lgcnet_tf.training.workers import (
    Worker,
    finish_together,
    this_worker,
    translate_worker_loss,
)


@contextlib.contextmanager
def training_run(
    options: StepOptions, command: str, wide_graphs: bool = False
) -> Iterator["TrainingRun"]:
    """Checks the options and sets up the backend; enter it before anything runs.

    Of several workers all leave it together once the model is trained: a worker
    that left earlier could not train again with a chief that is killed before it
    has written the results.

    Args:
        options: of the command.
        command: its name, which the run's folder keeps.
        wide_graphs: the model is a supernet; see `prepare_graphs`.

    Raises:
        InputError: bad options, devices that are not there, or a tracker that is not
            installed.
        WorkerLost: another machine of a distributed training is gone.
    """
    with translate_worker_loss():
        options.check()
        refuse_finished(options.output_dir)
        if this_worker().chief:
            check_tracker(options.tracker)
        if options.deterministic:
            make_deterministic()
        prepare_graphs(wide=wide_graphs)
        strategy = make_strategy(options.devices, options.batch_size)
        run = TrainingRun(options, command, strategy, this_worker())
        with contextlib.ExitStack() as end:
            run.when_trained = lambda: end.enter_context(
                finish_together(strategy, run.worker, options.epochs)
            )
            end.callback(run.close)
            yield run


class TrainingRun:
    """What `training_run` gives.

    Attributes:
        strategy: what models are built under.
        worker: this process among those that train together.
        folder: of the run, after `open_folder`.
        history: the figures of each epoch, after `fit`.
    """

    folder: RunFolder
    history: list[dict[str, Any]]

    def __init__(
        self, options: StepOptions, command: str, strategy: Any, worker: Worker
    ):
        self.options = options
        self.command = command
        self.strategy = strategy
        self.worker = worker
        self.when_trained = lambda: None
        self._tracker: Forgiving | None = None

    @functools.cached_property
    def data(self) -> TrainingData:
        """The images to train on and to validate on, all of which are checked.

        Raises:
            InputError: bad data, no such split or group, or nothing to train on.
        """
        data = load_training_data(self.options)
        for samples in (data.samples, *data.validation.values()):
            samples.check()
        return data

    @contextlib.contextmanager
    def building(self) -> Iterator[None]:
        """Models built inside are initialised by the seed, in the right precision."""
        with self.strategy.scope():
            keras.utils.set_random_seed(self.options.seed)
            with precision(self.options.mixed_precision):
                yield

    def open_folder(self, inputs: Inputs) -> RunFolder:
        """Opens the run's folder; call it when nothing can be refused any more.

        The tracker that is wanted gets what the folder's events get.

        Raises:
            InputError: as `RunFolder` and `open_tracker`.
        """
        options, worker = self.options, self.worker
        self.folder = RunFolder(options, self.command, worker.index, inputs)
        if options.tracker != NO_TRACKER and worker.chief:
            settings = dataclasses.asdict(options)
            tracker = open_tracker(options.tracker, self.folder.path, settings)
            self._tracker = Forgiving(tracker, self.folder.log)
            self.folder.add_sink(self._tracker)
        return self.folder

    def close(self) -> None:
        """Lets other processes have the folder, however the run ended."""
        if self._tracker:
            self._tracker.close((self.folder / RESULTS).exists())
        if hasattr(self, "folder"):
            self.folder.release()

    def announce(
        self,
        network: keras.Model,
        images: Samples | LabelledImages,
        measured_on: Mapping[str, Samples | LabelledImages],
        sizes: Sequence[Size] = (),
    ) -> None:
        """Logs what will be trained on what, and writes the flags into the events.

        Args:
            network: what is trained, without what only its training needs.
            images: to train on.
            measured_on: other images, by the name of the figure.
            sizes: of the crops; by default the options' `crop_size`.
        """
        options = self.options
        steps = steps_per_epoch(images, options.batch_size)
        for line in (
            data_line(images, measured_on),
            network_line(
                network,
                options.epochs,
                steps,
                options.batch_size,
                sizes or [options.crop_size],
            ),
            device_line(
                options.devices, self.strategy, self.worker, options.mixed_precision
            ),
            f"folder: {self.folder.path}",
        ):
            self.folder.log.info("%s", line)
        self.folder.write_flags()
        nodes = diagram(network) if isinstance(network, Network) else []
        self.folder.write_graph((n.name, n.operation, n.inputs) for n in nodes)

    def fit(
        self,
        model: keras.Model,
        samples: Samples | LabelledImages,
        *,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        measures: Sequence[Measure] = (),
        best: BestWeights | None = None,
        crops: CropSchedule | None = None,
        augmentation: Mapping[str, Any] = types.MappingProxyType({}),
    ) -> list[dict[str, Any]]:
        """Trains the model to the last epoch in the run's folder; as `fit.fit`."""
        self.history = fit(
            model,
            samples,
            self.folder,
            self.options,
            strategy=self.strategy,
            callbacks=callbacks,
            measures=measures,
            best=best,
            crops=crops,
            augmentation=augmentation,
        )
        self.when_trained()
        return self.history
