"""From nothing to a served network, on the streets that the package draws itself.

    python examples/search_toy_streets.py

takes about ten minutes on two cores; `--quick` shows the path in one or two, with a
network that has learnt nothing.
"""

import argparse

import lgcnet_tf as lt


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few steps, tiny network")
    quick = parser.parse_args().quick
    size = (32, 64) if quick else (96, 160)

    # How long each operation takes on this machine.
    skeleton = lt.Skeleton(num_classes=8)
    measuring = {}
    if quick:
        skeleton = lt.Skeleton(
            num_classes=8, initial_channels=2, num_cells=1, reduction_cells=(),
            fusion="none", cell_operations=("skip_connect", "sep_conv_3x3"),
        )  # fmt: skip
        measuring = {"repeats": 1, "warmup": 0, "calibration_networks": 0}
    table = lt.measure_latency(skeleton, input_size=size, **measuring)
    print(f"{len(table.entries)} operations on {table.device}, noise {table.noise:.0%}")

    # The architecture, with latency in its loss.
    training = {"dataset": "toy_streets", "epochs": 3, "batch_size": 16}
    if quick:
        training |= {"epochs": 1, "batch_size": 64, "validation_split": ""}
    result = lt.search(table, **training)
    print(f"found a network of {result.predicted_latency_ms:.1f} ms (predicted)")

    # Its weights, from those of the search.
    net = lt.finetune(result.genotype, initial_model=result, **training)

    # What it is worth, and what a server makes of a picture.
    found = lt.evaluate(net, latency_table=table, repeats=5 if quick else 30)
    print(f"mIoU {found.miou:.1%}, {found.latency_ms:.1f} ms, {found.params:,} weights")
    saved_model = lt.export(net).parent
    picture = lt.load_dataset("toy_streets", "test")[0].image
    with lt.Server({"streets": saved_model}, port=0) as server:
        with lt.Client(server.target, "streets") as client:
            mask = client.predict(picture[None, : size[0], : size[1]])[0]
    print(
        f"the server's mask: {mask.shape}, classes {sorted(set(mask.ravel().tolist()))}"
    )


if __name__ == "__main__":
    main()
