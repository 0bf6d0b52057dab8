"""The commands: what each does, where it stands, and an example of it."""

import dataclasses
import importlib.util


@dataclasses.dataclass(frozen=True)
class Command:
    """One command, `lgcnet-NAME` or `lgcnet NAME`.

    Attributes:
        name: with underscores; a module of `lgcnet_tf.commands`.
        options: name of the module's options.
        function: name of the module's function, which takes them.
        summary: one sentence for its help.
        example: arguments that show its use.
        imports: what is imported before it begins, quietly: what prints of its own
            accord, and what may not be installed.
        resumable: SIGTERM and SIGINT end it as soon as what is new is saved.
        backends: it runs on other backends than TensorFlow too.
        long: it has --dry_run.
    """

    name: str
    options: str
    function: str
    summary: str
    example: str
    imports: tuple[str, ...] = ("keras",)
    resumable: bool = False
    backends: bool = True
    long: bool = False

    @property
    def program(self) -> str:
        """Its name as a program."""
        return f"lgcnet-{self.name.replace('_', '-')}"

    @property
    def module(self) -> str:
        return f"lgcnet_tf.commands.{self.name}"


_TABLE = "--latency_table=runs/latency/latency_table.json"
_FOLDER = "--output_dir=runs/"
_TENSORFLOW = ("tensorflow",) if importlib.util.find_spec("tensorflow") else ()
"""Some data sets are read with it where it is installed."""

COMMANDS = (
    Command(
        "import_data",
        "ImportOptions",
        "import_data",
        "Makes a data folder of a labelling tool's annotations.",
        "--format=coco --annotations=annotations.json --images=images --output_dir=data",
        (),
    ),
    Command(
        "inspect_data",
        "InspectOptions",
        "inspect_data",
        "Counts, draws and checks a data set before it is trained on.",
        f"--data_dir=data {_FOLDER}inspect",
        _TENSORFLOW,
    ),
    Command(
        "run",
        "RunPathOptions",
        "run_path",
        "Goes from a data folder to a network that is ready to serve.",
        f"--data_dir=data --target_latency_ms=60 {_FOLDER}mine",
        (),
        resumable=True,
        backends=False,
        long=True,
    ),
    Command(
        "measure_latency",
        "MeasureOptions",
        "measure_latency",
        "Measures the latency table of a search space on this device.",
        f"--dataset=camvid --input_size=360x480 {_FOLDER}latency",
        ("lgcnet_tf.latency.measure",),
        resumable=True,
        long=True,
    ),
    Command(
        "check_latency",
        "CheckOptions",
        "check_latency",
        "Compares a latency table's predictions with whole networks measured here.",
        f"{_TABLE} {_FOLDER}check",
        ("lgcnet_tf.latency.measure", "lgcnet_tf.figures.fidelity"),
        resumable=True,
    ),
    Command(
        "search",
        "SearchOptions",
        "search",
        "Searches a network: a data set and a latency table in, a genotype out.",
        f"--dataset=camvid --data_dir=camvid --input_size=360x480 {_TABLE} "
        f"--target_latency_ms=60 {_FOLDER}search",
        ("lgcnet_tf.architecture_search.build",),
        resumable=True,
        long=True,
    ),
    Command(
        "derive",
        "DeriveOptions",
        "derive",
        "Derives another network from a search: at another latency, for another device.",
        f"--search_dir=runs/search --target_latency_ms=30 {_FOLDER}fast",
        ("lgcnet_tf.architecture_search.derive",),
    ),
    Command(
        "choose",
        "ChooseOptions",
        "choose",
        "Trains several networks of a search for a few epochs and keeps the best.",
        f"--search_dir=runs/search --candidates=8 --epochs=4 {_FOLDER}choose",
        ("lgcnet_tf.architecture_search.candidates",),
        resumable=True,
    ),
    Command(
        "pretrain",
        "PretrainOptions",
        "pretrain",
        "Pretrains the backbone of a genotype on classified images.",
        "--model=runs/search/genotype.json --dataset=image_folder --data_dir=images "
        f"{_FOLDER}pretrain",
        ("lgcnet_tf.training.fit",),
        resumable=True,
        long=True,
    ),
    Command(
        "finetune",
        "FinetuneOptions",
        "finetune",
        "Trains the network of a genotype.",
        "--dataset=camvid --data_dir=camvid --input_size=360x480 "
        "--model=runs/search/genotype.json --initial_model=runs/search "
        f"{_FOLDER}finetune",
        ("lgcnet_tf.training.fit",),
        resumable=True,
        long=True,
    ),
    Command(
        "evaluate",
        "EvaluateOptions",
        "evaluate_model",
        "Measures the accuracy, size and speed of a model on a split of a data set.",
        f"--dataset=camvid --data_dir=camvid --model=lgcnet_camvid {_FOLDER}evaluate",
        ("lgcnet_tf.evaluation.models",),
    ),
    Command(
        "export",
        "ExportOptions",
        "export",
        "Writes a network as a SavedModel to be served, or for another runtime.",
        f"--dataset=camvid --model=lgcnet_camvid --format=onnx {_FOLDER}export",
        ("lgcnet_tf.serving.export",),
        backends=False,
    ),
    Command(
        "serve",
        "ServeOptions",
        "serve",
        "Serves exported models over gRPC and REST.",
        "--model=runs/export/saved_model --port=8500",
        ("lgcnet_tf.serving.server",),
        backends=False,
    ),
    Command(
        "predict",
        "PredictOptions",
        "predict",
        "Segments image files, videos or a camera's pictures, with a model or a server.",
        "--server=127.0.0.1:8500 street.jpg",
        ("lgcnet_tf.serving.client", "lgcnet_tf.serving.predict_files"),
        backends=False,
    ),
    Command(
        "benchmark",
        "BenchmarkOptions",
        "benchmark",
        "Times models side by side.",
        f"--model=lgcnet_camvid,runs/export/model.onnx {_FOLDER}benchmark",
        ("lgcnet_tf.evaluation.models",),
    ),
    Command(
        "plot",
        "PlotOptions",
        "plot",
        "Draws what a run folder holds and prints its figures.",
        f"{_FOLDER}search",
        ("lgcnet_tf.report.run",),
    ),
    Command(
        "sweep",
        "SweepOptions",
        "sweep",
        "Searches, finetunes and evaluates over settings and seeds.",
        "--search_flags=search.txt --finetune_flags=finetune.txt "
        f"--vary=latency_weight=0.001,0.005 --seeds=0,1 {_FOLDER}sweep",
        ("lgcnet_tf.evaluation.models", "lgcnet_tf.figures.pareto"),
        resumable=True,
        long=True,
    ),
)
"""In the order in which one comes to use them."""


def command(name: str) -> Command:
    """The command of that name, written with dashes or underscores.

    Raises:
        KeyError: there is none.
    """
    return {each.name: each for each in COMMANDS}[name.replace("-", "_")]
