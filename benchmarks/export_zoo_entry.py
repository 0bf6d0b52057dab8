"""Makes an entry of the zoo from finetuning runs.

    python benchmarks/export_zoo_entry.py --name=lgcnet_camvid --data_dir=CAMVID \
      --runs=FIRST_RUN,LAST_RUN [--left_out_runs=FIRST_RUN,LAST_RUN] \
      [--search_flags=SEARCH_RUN/flags.txt] [--limit=SENTENCE]...

`--runs` are the folders of `lgcnet-finetune` that led to the network, in order:
the last one's `model.keras` becomes the entry. `--left_out_runs` are those of the
same schedule with groups left out, on which that network is measured; where
`--runs` themselves left groups out they need not be given. The validation split
is measured where the network was not trained on it. Where `lgcnet-derive` made the
architecture of a search, `--derive_flags` is the flagfile of its folder; `--initial` says
where the first run's weights are from.

Writes `genotype.json`, `model.keras` with half-precision kernels, `card.json`,
`README.md`, `finetune_history.json` and the runs' flags into the zoo, or `--output_dir`.
What is measured is the network as written. The last line is JSON.
"""

import argparse
import dataclasses
import json
import os
import pathlib

REFERENCE = pathlib.Path(__file__).parent / "reference_genotype.json"
THREADS = 2


def flags_of(run):
    """Flags of a finetuning, by name."""
    from lgcnet_tf.sweep.trial import read_flags

    return read_flags(run / "flags.txt")


def training_data(flags, data_dir):
    """All images of a run's splits, those of them left out, and the rest."""
    from lgcnet_tf.data import divide, load_samples

    everything = load_samples(flags["dataset"], flags["split"], data_dir)
    groups = tuple(filter(None, flags.get("left_out", "").split(",")))
    left_out, rest = divide(everything, groups, flags.get("group_by", ""), "--left_out")
    return groups, left_out, rest


def crops_of(flags):
    """The sizes of a run's crops over its epochs."""
    from lgcnet_tf.config import parse_size
    from lgcnet_tf.training.crop_schedule import CropSchedule

    entries = tuple(filter(None, flags.get("crop_schedule", "").split(",")))
    return CropSchedule.parse(entries, parse_size(flags["crop_size"]))


def training_of(runs, data_dir):
    """The `Training` of runs in a row; frames and splits are the last one's."""
    from lgcnet_tf.config import parse_size
    from lgcnet_tf.data import steps_per_epoch
    from lgcnet_tf.files import read_json
    from lgcnet_tf.model.cards import Training

    passes = 0.0
    for run in runs:
        flags = flags_of(run)
        groups, _, samples = training_data(flags, data_dir)
        size, batch = parse_size(flags["input_size"]), int(flags["batch_size"])
        images = batch * steps_per_epoch(samples, batch)
        crops, epochs = crops_of(flags), int(flags["epochs"])
        for epoch in range(len(read_json(run / "history.json"))):
            crop = crops.size_at(epoch, epochs)
            passes += images * crop[0] * crop[1] / (size[0] * size[1])
    return Training(
        split=flags["split"], left_out=groups, frames=len(samples), passes=round(passes)
    )


def accuracy(network, samples, groups, training):
    """The `Accuracy` of a network, deployed."""
    from lgcnet_tf.evaluation.evaluate import evaluate, mask_function
    from lgcnet_tf.model.cards import Accuracy
    from lgcnet_tf.model.deploy import deploy

    found = evaluate(mask_function(deploy(network)), samples).to_dict()
    return Accuracy(
        split=samples.split,
        groups=groups,
        frames=len(samples),
        miou=found["miou"],
        per_class_iou=found["per_class_iou"],
        training=training,
    )


def latency_ratios(models, repeats):
    """Each model's latency as a ratio to the reference genotype's, all in turns.

    Returns:
        The ratios in order, by ONNX Runtime, each model at its own input size, and the
        device.
    """
    import numpy as np

    from lgcnet_tf.evaluation.models import load_model
    from lgcnet_tf.latency.measure import samples
    from lgcnet_tf.runtimes import get_runtime

    runtime = get_runtime("onnxruntime", THREADS)
    reference = load_model(str(REFERENCE))
    loaded = [load_model(str(model)) for model in models]
    runs = {i: m.compile(runtime).run for i, m in enumerate([reference, *loaded])}
    times = samples(runs, repeats)
    return [float(np.median(times[i + 1] / times[0])) for i in range(len(models))], (
        runtime.device
    )


def trained_on_record(runs, data_dir):
    """Records of all runs; those of older releases left none themselves."""
    from lgcnet_tf.space.trained_on import join_records, record

    records = []
    for run in runs:
        flags = flags_of(run)
        groups, _, samples = training_data(flags, data_dir)
        one = record(
            flags["dataset"],
            samples.names,
            flags["split"],
            groups,
            flags.get("group_by", ""),
        )
        records = join_records(records, [one])
    return records


def _architecture(genotype):
    """The genotype without what is known of the weights alone."""
    from lgcnet_tf.space.trained_on import TRAINED_ON

    provenance = {k: v for k, v in genotype.provenance.items() if k != TRAINED_ON}
    return dataclasses.replace(genotype, provenance=provenance)


def commands_of(runs, search_flags, derive_flags, initial):
    """What was given, with names of folders in place of paths."""
    found = []
    if search_flags:
        found.append(
            "lgcnet-search --data_dir=DATA --latency_table=TABLE --output_dir=SEARCH "
            + " ".join(own_flags(search_flags))
        )
    if derive_flags:
        found.append(
            "lgcnet-derive --search_dir=SEARCH --output_dir=DERIVED "
            + " ".join(own_flags(derive_flags))
        )
    starts = [initial, *(f"RUN_{number}/model.keras" for number in range(1, len(runs)))]
    for number, run in enumerate(runs, start=1):
        kept = own_flags(run / "flags.txt")
        start = f" --initial_model={starts[number - 1]}" if starts[number - 1] else ""
        found.append(
            f"lgcnet-finetune --model=genotype.json{start} --data_dir=DATA "
            f"--output_dir=RUN_{number} " + " ".join(kept)
        )
    return tuple(found)


def own_flags(path):
    """The flags of a flagfile that name no place on this machine."""
    places = (
        "--output_dir", "--data_dir", "--model=", "--initial_model", "--latency_table",
        "--search_dir",
    )  # fmt: skip
    lines = pathlib.Path(path).read_text().splitlines()
    flags = [line for line in lines if line.startswith("--")]
    return [flag for flag in flags if not flag.startswith(places) and flag[-1] != "="]


def export(arguments):
    """Writes the entry; returns what the last line says."""
    from lgcnet_tf.data import load_samples
    from lgcnet_tf.errors import InputError
    from lgcnet_tf.evaluation.macs import count_macs
    from lgcnet_tf.files import read_json, write_json
    from lgcnet_tf.model.cards import LICENCES, Card, Latency
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.half_weights import save_half
    from lgcnet_tf.model.zoo import ZOO, load_network
    from lgcnet_tf.space.trained_on import TRAINED_ON, join_records, names_trained_on

    runs = [pathlib.Path(run) for run in arguments.runs.split(",")]
    without = [pathlib.Path(run) for run in arguments.left_out_runs.split(",") if run]
    data_dir = arguments.data_dir or None
    flags = flags_of(runs[-1])
    if without and not flags_of(without[-1]).get("left_out"):
        raise InputError(f"{without[-1]}: this run has no --left_out.")
    network = load_network(runs[-1] / "model.keras")
    network.genotype = network.genotype.for_size(network.input_size)
    provenance = dict(network.genotype.provenance)
    provenance[TRAINED_ON] = join_records(
        provenance.get(TRAINED_ON, []), trained_on_record(runs, data_dir)
    )
    folder = pathlib.Path(arguments.output_dir or ZOO / arguments.name)
    folder.mkdir(parents=True, exist_ok=True)
    _architecture(network.genotype).save(folder / "genotype.json")
    network.genotype = dataclasses.replace(network.genotype, provenance=provenance)
    save_half(network, folder / "model.keras")
    network = load_network(folder / "model.keras")

    training, left_out, val = training_of(runs, data_dir), None, None
    judged = without or (runs if training.left_out else [])
    if judged:
        groups, samples, _ = training_data(flags_of(judged[-1]), data_dir)
        other = load_network(judged[-1] / "model.keras") if without else network
        seen = names_trained_on(other.genotype.provenance, flags["dataset"]) or set()
        if shared := seen & set(samples.names):
            raise InputError(
                f"{judged[-1]}: its network was trained on {len(shared)} of the "
                f"{len(samples)} images left out."
            )
        left_out = accuracy(other, samples, groups, training_of(judged, data_dir))
    if arguments.val_split:
        samples = load_samples(flags["dataset"], arguments.val_split, data_dir)
        seen = names_trained_on(provenance, flags["dataset"])
        if not seen & set(samples.names):
            val = accuracy(network, samples, (), training)
    (ratio,), device = latency_ratios([folder / "model.keras"], arguments.repeats)
    card = Card(
        name=arguments.name,
        dataset=flags["dataset"],
        licence=LICENCES[flags["dataset"]],
        input_size=network.input_size,
        params=network.count_params(),
        macs=count_macs(deploy(network)),
        training=training,
        left_out=left_out,
        val=val,
        latency=Latency(
            ratio=ratio, reference=REFERENCE.name, runtime="onnxruntime",
            threads=THREADS, device=device,
        ),
        commands=commands_of(
            runs, arguments.search_flags, arguments.derive_flags, arguments.initial
        ),
        limits=tuple(arguments.limit),
    )  # fmt: skip
    card.save(folder / "card.json")
    card.write_readme(folder / "README.md")
    history = [epoch for run in runs for epoch in read_json(run / "history.json")]
    for number, epoch in enumerate(history, start=1):
        epoch["epoch"] = number
    write_json(folder / "finetune_history.json", history)
    for number, run in enumerate(runs, start=1):
        flags = "\n".join(("# lgcnet-finetune", *own_flags(run / "flags.txt"), ""))
        (folder / f"finetune_{number}_flags.txt").write_text(flags)
    return {
        "entry": str(folder),
        "left_out_miou": left_out and left_out.miou,
        "val_miou": val and val.miou,
        "passes": training.passes,
        "latency_ratio": round(ratio, 3),
        "mb": round((folder / "model.keras").stat().st_size / 1e6, 2),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", required=True)
    parser.add_argument("--runs", required=True)
    parser.add_argument("--left_out_runs", default="")
    parser.add_argument("--data_dir", default="")
    parser.add_argument("--search_flags", default="", help="flags.txt of the search")
    parser.add_argument(
        "--derive_flags", default="", help="of a lgcnet-derive after it"
    )
    parser.add_argument("--initial", default="", help="what the first run began with")
    parser.add_argument("--val_split", default="val")
    parser.add_argument("--limit", action="append", default=[], help="a sentence")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--output_dir", default="", help="by default the zoo")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from lgcnet_tf.errors import InputError

    try:
        print(json.dumps(export(parser.parse_args())))
    except InputError as error:
        parser.exit(1, f"export_zoo_entry: {error}\n")


if __name__ == "__main__":
    main()
