"""What each part of the training's recipe gains, on a drive left out.

    python benchmarks/recipe.py --data_dir=CAMVID_FOLDER
    python benchmarks/recipe.py --quick

Trains the same network several times with the same images and passes, from scratch,
each time with one thing of the recipe changed, and measures the images that are left
out (`--left_out`); the mean of the last measurements is the figure. The first
changes are made with every one of `--seeds`, the others with the first alone, against
the recipe itself with that seed.

Every training has a run folder of its own in `--output_dir`, so the same command goes
on where it was stopped. The full form writes `benchmarks/recipe.md`, which says what
has been trained so far too, and keeps each figure by the training's flags in
`benchmarks/recipe.json`, so that another machine can go on: what is there is not trained
again, but with `--anew`. `--only=NAME,NAME` trains some of the changes. The last
line printed is JSON: for each change its `miou` and `gain`, a list of one number a
seed.
"""

import json
import pathlib
import shlex
import statistics
import sys

from common import TOY_DATA, begin, data_flags, data_parser, end, step

ROOT = pathlib.Path(__file__).parents[1]
MEASURED = ROOT / "benchmarks" / "recipe.json"
RECIPE = (
    "--optimizer=adam --lr=0.001 --l2=0.0002 --warmup_epochs=2 --class_weights=enet "
    "--hardest=1 --ema=0.998 --batch_size=8 --scale_min=0.5 --scale_max=2"
)
EACH_SEED = {
    "no class weights": "--class_weights=none",
    "hardest 30 %": "--hardest=0.3",
    "SGD": "--optimizer=sgd --lr=0.025 --l2=0.0005",
    "no moving average": "--ema=0",
    "colour jitter": "--color_jitter=0.4",
    "batch 4": "--batch_size=4",
    "rare crops": "--rare_crops=0.3",
}
"""Changes that are made with every seed."""
ONE_SEED = {
    "median frequency": "--class_weights=median_frequency",
    "no weights but hardest 30 %": "--class_weights=none --hardest=0.3",
    "Lovász": "--lovasz_weight=0.5",
    "Dice": "--dice_weight=0.5",
    "AdamW": "--optimizer=adamw --l2=0.01",
    "cosine": "--schedule=cosine",
    "no warm-up": "--warmup_epochs=0",
    "batch 16": "--batch_size=16",
    "scales 0.75 to 2": "--scale_min=0.75",
    "growing crops": "--crop_schedule=0:{half},0.4:{crop}",
    "auxiliary heads": "--auxiliary_weight=0.4",
    "warm start": "--initial_model={sibling}",
    "teacher": "--teacher={sibling}",
}
SIBLING = "benchmarks/long_runs/lgcnet_camvid/weights.keras"
"""A larger network that was trained at twice the size, without the drive 0006R0 too: what
the network to be trained starts from or learns from."""
TOY = {
    **TOY_DATA, "epochs": 2, "every": 1, "last": 1, "seeds": "0,1",
    "model": "", "only": "SGD,batch 16",
}  # fmt: skip


def parse_arguments(arguments=None):
    """The options; `--quick` changes the defaults of those not given."""
    parser = data_parser(__doc__, "toy streets, a tiny network, two changes")
    add = parser.add_argument
    add("--model", default="lgcnet_camvid", help="genotype, trained from scratch")
    add("--epochs", type=int, default=43, help="43 of CamVid's are 7,000 whole images")
    add("--every", type=int, default=4, help="epochs from one measurement to the next")
    add("--last", type=int, default=3, help="so many measurements at the end count")
    add("--seeds", default="0,1")
    add("--only", default="", help="names of changes; else all")
    add("--anew", action="store_true", help="trains what recipe.json has too")
    if parser.parse_args(arguments).quick:
        parser.set_defaults(**TOY)
    return parser.parse_args(arguments)


def changes_of(options):
    """The flags of every change, the recipe itself first, for this size of crops."""
    height, width = map(int, options.crop_size.split("x"))
    half = f"{height // 2}x{width // 2}"
    changes = {"the recipe": "", **EACH_SEED, **ONE_SEED}
    names = {"half": half, "crop": options.crop_size, "sibling": SIBLING}
    return {name: flags.format(**names) for name, flags in changes.items()}


def train(folder, options, change, seed):
    """mIoU on what is left out, the mean of the last times; trains unless done."""
    from lgcnet_tf.files import fingerprint, read_json, write_json

    genotype = genotype_of(options, folder)
    data = [flag for flag in data_flags(options) if not flag.startswith("--data_dir=")]
    flags = [
        *shlex.split(RECIPE), *shlex.split(change), f"--epochs={options.epochs}",
        f"--seed={seed}", f"--validate_every={options.every}", "--pictures_every=0",
    ]  # fmt: skip
    known = shlex.join([*data, f"--model={options.model}", *flags])
    known += f" ({fingerprint(genotype)}; mean of the last {options.last})"
    measured = read_json(MEASURED) if MEASURED.exists() and not options.quick else {}
    if known in measured and not options.anew:
        return measured[known]
    flags = [flag.replace(f"={SIBLING}", f"={ROOT / SIBLING}") for flag in flags]
    step(folder, "finetune", *data_flags(options), f"--model={genotype}", *flags)
    key = "left_out_miou" if options.left_out else "val_miou"
    history = read_json(folder / "history.json")
    found = statistics.mean([e[key] for e in history if key in e][-options.last :])
    if not options.quick:
        write_json(MEASURED, measured | {known: found})
    return found


def genotype_of(options, folder):
    """The path of what is trained: a genotype alone, so that it starts from scratch."""
    from lgcnet_tf.model.zoo import ZOO
    from lgcnet_tf.space import Genotype, Skeleton, uniform

    path = folder.parent / "genotype.json"
    if options.model:
        known = ZOO / options.model / "genotype.json"
        Genotype.load(known if known.exists() else options.model).save(path)
    else:
        skeleton = Skeleton(
            num_classes=8, num_cells=2, reduction_cells=(1,), fusion="none",
            initial_channels=2,
        )  # fmt: skip
        uniform(skeleton, "conv_3x3").save(path)
    return path


def main(options):
    """Trains what is missing; the figures."""
    seeds = [int(seed) for seed in options.seeds.split(",")]
    changes = changes_of(options)
    wanted = [name for name in options.only.split(",") if name]
    if unknown := set(wanted) - set(changes):
        raise SystemExit(
            f"--only: no change {sorted(unknown)[0]!r}; {', '.join(changes)}"
        )
    folder = begin(options, "runs/recipe").resolve()
    miou = {}
    for name, change in changes.items():
        if wanted and name not in wanted and name != "the recipe":
            continue
        every = name == "the recipe" or name in EACH_SEED or options.quick
        for seed in seeds if every else seeds[:1]:
            run = folder / f"{name.replace(' ', '_').replace('%', 'percent')}_{seed}"
            miou.setdefault(name, []).append(train(run, options, change, seed))
            figures = summary(miou)
            if not options.quick:
                write_table(options, figures)
            print(f"{name}, seed {seed}: mIoU {miou[name][-1]:.4f}", file=sys.stderr)
    return end(folder, summary(miou))


def summary(miou):
    """For each change its mIoU, and what it gains over the recipe of the same seed."""
    recipe = miou["the recipe"]
    return {
        name: {
            "miou": [round(value, 4) for value in values],
            "gain": [round(a - b, 4) for a, b in zip(values, recipe)],
        }
        for name, values in miou.items()
    }


def write_table(options, figures):
    """Writes `recipe.md`: what has been measured so far."""
    from lgcnet_tf.files import atomic_write

    seeds = options.seeds.split(",")
    command = shlex.join(["python", "benchmarks/recipe.py", *sys.argv[1:]])
    changes = changes_of(options)
    lines = [
        "# The recipe, one change at a time", "",
        f"Measured on the drive left out ({options.left_out}) every {options.every} of "
        f"{options.epochs} epochs, mean of the last {options.last}, in %; seeds "
        f"{', '.join(seeds)}; {options.input_size}, crops of {options.crop_size}.", "",
        f"    {command}", "", f"The recipe: `{RECIPE}`.", "",
        "| change | flags | mIoU | gain |", "|---|---|---|---|",
    ]  # fmt: skip
    for name, found in figures.items():
        flags = changes[name]
        values = " / ".join(f"{100 * value:.1f}" for value in found["miou"])
        gains = " / ".join(f"{100 * value:+.1f}" for value in found["gain"])
        shown = "" if name == "the recipe" else gains
        lines.append(
            f"| {name} | {f'`{flags}`' if flags else ''} | {values} | {shown} |"
        )
    with atomic_write(ROOT / "benchmarks" / "recipe.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    print(json.dumps(main(parse_arguments())))
