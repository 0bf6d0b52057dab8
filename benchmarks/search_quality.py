"""Is what a search finds better than networks drawn at random?

    python benchmarks/search_quality.py --data_dir=CAMVID_FOLDER
    python benchmarks/search_quality.py --quick

Searches with every one of `--seeds`, at a target latency, on the images that
`--split` and `--left_out` leave, and draws `--random` networks from the band of
predicted latencies around the searched one. All are first scored with the weights
that they share: each takes the supernet's (`--initial_model`), its batch statistics
are recomputed on training images, and it is measured on the drive left out. Then all are
trained from scratch with the same recipe, for a few epochs, and measured there too: shared
weights do not rank networks as training does.

Every step has a run folder of its own in `--output_dir`, so the same command goes on
where it was stopped. The full form writes `benchmarks/search_quality.json`; the last
line printed is that JSON: `searched`, the mean of the searched networks' mIoU after
training, `random_median` and `random_spread`, median and standard deviation of the random
ones'; `searched_trained` and `random_trained`, those figures, `searched_shared` and
`random_shared`, those with shared weights in the same order; `edges_agreeing`, how
many of the cells' and fusion cell's edges the first two seeds choose alike;
`alpha_correlation`, that of their log-probabilities, each edge's mean taken off;
`margins`, the median lead of the chosen operation for each seed; `passes`, whole
images that each trained network saw, by the area of its crops; `command`.
"""

import json
import pathlib
import shlex
import sys

import numpy as np
from common import TOY_DATA, begin, data_flags, data_parser, end, step

ROOT = pathlib.Path(__file__).parents[1]
TOY = {
    **TOY_DATA, "target_latency_ms": 0.0,
    "search_flags": "--num_cells=2 --reduction_cells=1 --fusion=none "
    "--initial_channels=2 --batch_size=32",
    "finetune_flags": "--batch_size=32 --lr=0.05",
    "measure_flags": "--num_cells=2 --reduction_cells=1 --fusion=none "
    "--initial_channels=2 --repeats=3 --calibration_networks=0",
    "search_epochs": 1, "finetune_epochs": 1, "random": 3, "images": 16, "band": 0.3,
}  # fmt: skip


def parse_arguments(arguments=None):
    """The options; `--quick` changes the defaults of those not given."""
    parser = data_parser(__doc__, "toy streets, a tiny space, few epochs")
    add = parser.add_argument
    add("--latency_table", default="", help="of the space; else measured now")
    add("--target_latency_ms", type=float, default=0.0, help="of the searches")
    add("--seeds", default="0,1")
    add("--random", type=int, default=10, help="networks drawn")
    add("--band", type=float, default=0.03, help="width to each side, a share")
    add("--images", type=int, default=160, help="for batch statistics")
    add("--search_epochs", type=int, default=24)
    add("--finetune_epochs", type=int, default=4)
    add("--measure_flags", default="--runtime=onnxruntime")
    add("--search_flags", default="--batch_size=8 --class_weights=enet")
    add(
        "--finetune_flags",
        default="--batch_size=8 --optimizer=adam --lr=0.001 --l2=0.0002 "
        "--warmup_epochs=0.5 --class_weights=enet --hardest=1 --ema=0.99 "
        "--scale_min=0.5 --scale_max=2",
    )
    if parser.parse_args(arguments).quick:
        parser.set_defaults(**TOY)
    return parser.parse_args(arguments)


def images_of(options):
    """The images that networks are trained on, and those that they are compared on."""
    from lgcnet_tf.data import divide, load_samples

    folder = options.data_dir or None
    everything = load_samples(options.dataset, options.split, folder)
    left_out = (options.left_out,) if options.left_out else ()
    measured, training = divide(everything, left_out, "", "--left_out")
    if not left_out:
        measured = load_samples(options.dataset, options.validation_split, folder)
    return training, measured


def shared_score(genotype, search_folder, training, measured, options):
    """mIoU of a genotype with the supernet's weights.

    The supernet's batch statistics are those of sums of all operations, so they are
    recomputed: the mean over batches of training images, each with equal weight.
    """
    import keras

    from lgcnet_tf.config import parse_size
    from lgcnet_tf.evaluation.evaluate import evaluate, mask_function
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.training.initial import start_from

    keras.utils.clear_session()
    size = parse_size(options.input_size)
    network = Network(genotype.skeleton, size, genotype)
    start_from(network, str(search_folder))
    recompute_statistics(network, training, size, options.images)
    return evaluate(mask_function(network), measured, progress=False).miou


def recompute_statistics(network, training, size, count, forward=None, batch=8):
    """Sets all moving means and variances to their mean over batches of images.

    Args:
        network: whose statistics they are.
        training: the images.
        size: that they are brought to.
        count: how many of them.
        forward: runs `network` on images, with `training`; by default itself.
        batch: images at once.
    """
    from lgcnet_tf.data.fit import pieces_of

    moving = [v for v in network.non_trainable_variables if "moving" in v.path]
    indices = np.random.default_rng(0).permutation(len(training))[:count]
    sums, batches = [np.zeros(v.shape) for v in moving], 0
    start = [np.zeros(v.shape, "float32") for v in moving]
    momentum = next(iter(network.units.values())).norm.momentum
    for first in range(0, len(indices) - batch + 1, batch):
        images = np.concatenate(
            [
                pieces_of(training[int(i)].image, "stretch", size)
                for i in indices[first : first + batch]
            ]
        )
        for variable, value in zip(moving, start):
            variable.assign(value)
        (forward or network)(images, training=True)
        for total, variable in zip(sums, moving):
            total += variable.numpy() / (1.0 - momentum)  # they started from 0
        batches += 1
    for variable, total in zip(moving, sums):
        variable.assign((total / batches).astype("float32"))


def agreeing(one, other):
    """How many edges of two genotypes have the same operation, and of how many."""
    pairs = [(a, b) for x, y in zip(one.cells, other.cells) for a, b in zip(x, y)]
    pairs += [(one.fusion[edge], other.fusion[edge]) for edge in one.fusion]
    return sum(a == b for a, b in pairs), len(pairs)


def alike(one, other):
    """Correlation of two searches' log-probabilities, less each edge's mean.

    That is how much of them the seed does not decide: of two independent parts of equal
    size, one common, the correlation is a half.
    """
    there = (one > 0) & (other > 0)
    rows = []
    for each in (one, other):
        log_p = np.log(np.where(there, each, 1.0))
        mean = log_p.sum(-1, keepdims=True) / there.sum(-1, keepdims=True)
        rows.append((log_p - mean)[there])
    return float(np.corrcoef(*rows)[0, 1])


def main(options):
    """Searches, draws, scores, trains; the figures."""
    from lgcnet_tf.architecture_search.random_search import draw_genotype
    from lgcnet_tf.config import parse_size
    from lgcnet_tf.files import write_json
    from lgcnet_tf.latency.estimate import CostModel
    from lgcnet_tf.latency.table import LatencyTable
    from lgcnet_tf.run_folder import ALPHAS, GENOTYPE, LATENCY_TABLE
    from lgcnet_tf.space.choices import read_probabilities
    from lgcnet_tf.space.genotype import Genotype

    folder = begin(options, "runs/search_quality").resolve()
    table_path = options.latency_table
    if not table_path:
        step(
            folder / "latency", "measure-latency", f"--dataset={options.dataset}",
            f"--input_size={options.input_size}", *shlex.split(options.measure_flags),
        )  # fmt: skip
        table_path = folder / "latency" / LATENCY_TABLE
    seeds = [int(seed) for seed in options.seeds.split(",")]
    searches, results = [], []
    for seed in seeds:
        searches.append(folder / f"search_{seed}")
        results.append(
            step(
                searches[-1], "search", *data_flags(options), f"--seed={seed}",
                f"--latency_table={table_path}", f"--epochs={options.search_epochs}",
                f"--target_latency_ms={options.target_latency_ms}",
                *shlex.split(options.search_flags),
            )
        )  # fmt: skip
    searched = [Genotype.load(each / GENOTYPE) for each in searches]
    table = LatencyTable.load(table_path)
    cost_model = CostModel(table, searched[0].skeleton, parse_size(options.input_size))
    middle = 1000.0 * results[0]["predicted_latency_ms"]
    band = middle * (1 - options.band), middle * (1 + options.band)
    generator = np.random.default_rng(0)
    drawn = [
        draw_genotype(cost_model, generator, *band)[0] for _ in range(options.random)
    ]
    training, measured = images_of(options)
    score = shared_scores(folder, searched + drawn, searches[0], training, measured, options)  # fmt: skip
    genotypes = dict(zip([f"searched_{seed}" for seed in seeds], searched))
    genotypes |= {f"random_{number}": each for number, each in enumerate(drawn)}
    trained = []
    for name, genotype in genotypes.items():
        path = folder / f"{name}.json"
        genotype.save(path)
        found = step(
            folder / f"finetune_{name}", "finetune", *data_flags(options),
            f"--model={path}", f"--epochs={options.finetune_epochs}",
            f"--validate_every={options.finetune_epochs}", "--pictures_every=0",
            *shlex.split(options.finetune_flags),
        )  # fmt: skip
        history = json.loads((folder / f"finetune_{name}/history.json").read_text())
        key = "left_out_miou" if options.left_out else "val_miou"
        trained.append(found.get(key, history[-1].get(key)))
    searched_trained, random_trained = trained[: len(seeds)], trained[len(seeds) :]
    probabilities = [
        read_probabilities(each / ALPHAS, searched[0].skeleton) for each in searches
    ]
    share = np.prod(parse_size(options.crop_size)) / np.prod(parse_size(options.input_size))  # fmt: skip
    same, edges = agreeing(searched[0], searched[-1])
    figures = {
        "searched": float(np.mean(searched_trained)),
        "random_median": float(np.median(random_trained)),
        "random_spread": float(np.std(random_trained, ddof=1)),
        "edges_agreeing": f"{same} of {edges}",
        "searched_trained": searched_trained,
        "random_trained": random_trained,
        "searched_shared": score[: len(searched)],
        "random_shared": score[len(searched) :],
        "alpha_correlation": alike(*(probabilities[i] for i in (0, -1))),
        "margins": [each["margin"]["median"] for each in results],
        "predicted_ms": [each["predicted_latency_ms"] for each in results],
        "passes": round(options.finetune_epochs * len(training) * share),
        "command": shlex.join(["python", "benchmarks/search_quality.py", *sys.argv[1:]]),
    }  # fmt: skip
    if not options.quick:
        write_json(ROOT / "benchmarks" / "search_quality.json", figures)
    return end(folder, figures)


def shared_scores(folder, genotypes, search, training, measured, options):
    """mIoU with shared weights of each; what was scored before is read."""
    from lgcnet_tf.files import read_json, write_json

    path = folder / "shared.json"
    found = read_json(path) if path.exists() else {}
    for genotype in genotypes:
        key = json.dumps(genotype.to_dict(), sort_keys=True)
        if key not in found:
            found[key] = shared_score(genotype, search, training, measured, options)
            write_json(path, found)
            print(f"shared weights: mIoU {found[key]:.4f}", file=sys.stderr)
    return [found[json.dumps(g.to_dict(), sort_keys=True)] for g in genotypes]


if __name__ == "__main__":
    print(json.dumps(main(parse_arguments())))
