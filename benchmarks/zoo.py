"""The zoo in one line: how good, how long trained, how fast, how large.

    python benchmarks/zoo.py [--quick] [--repeats=60]

For each entry: mIoU on the groups left out of the training (null where none was
measured) and whole-image passes, both from its `card.json`; latency as a ratio to
`reference_genotype.json` at 360x480, measured now in turns by ONNX Runtime on two
threads, each network at its own input size; MB of `model.keras`. The one line of
output is JSON.
"""

import argparse
import json
import os

from export_zoo_entry import latency_ratios


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="10 images each")
    parser.add_argument("--repeats", type=int, default=0)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from lgcnet_tf.model.zoo import ZOO, load_card, zoo_names

    names = zoo_names()
    repeats = arguments.repeats or (10 if arguments.quick else 60)
    ratios, device = latency_ratios(names, repeats)
    entries = {}
    for name, ratio in zip(names, ratios, strict=True):
        card = load_card(name)
        entries[name] = {
            "left_out": card.left_out and ",".join(card.left_out.groups),
            "left_out_miou": card.left_out and round(card.left_out.miou, 4),
            "val_miou": card.val and round(card.val.miou, 4),
            "passes": card.training.passes,
            "latency_ratio": round(ratio, 3),
            "mb": round((ZOO / name / "model.keras").stat().st_size / 1e6, 2),
        }
    total = sum(entry["mb"] for entry in entries.values())
    print(json.dumps({"zoo": entries, "mb": round(total, 2), "device": device}))


if __name__ == "__main__":
    main()
