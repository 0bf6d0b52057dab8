"""The exported SavedModel against the trained Keras model's own `predict` graph.

    python benchmarks/deployed.py [--quick] [--model=lgcnet_camvid] [--repeats=30]
    python benchmarks/deployed.py --profile

Both get the same uint8 image, in turns. The SavedModel is pruned, its
normalisation and classifier folded and its argmax inside; the trained model gives
logits, of which the argmax is not timed. `logits_difference` is the largest difference of
logits between the trained and the deployed network, `mask_equal` the share of
pixels of the same class.

The last line is JSON: for each size medians in ms and `ratio`. With `--profile` it
prints instead where the time of both goes, all on one thread, and how many
multiply-accumulates a second the machine can do.
"""

import argparse
import json
import os
import tempfile

from common import print_operation_times, product_rate

from lgcnet_tf.config import format_size, parse_size

SIZES = "512x1024,360x480"


def compare(name, size, repeats, profile):
    """Figures of one size."""
    import numpy as np
    import tensorflow as tf

    from lgcnet_tf.data import dataset_info, load_samples
    from lgcnet_tf.evaluation.macs import count_macs
    from lgcnet_tf.latency.measure import samples
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.serving.export import export_saved_model

    network = load_network(name, size)
    picture = load_samples("toy_streets", "val")[0].image[None]
    image = tf.cast(tf.image.resize(picture, size), "uint8")
    folded = deploy(network)
    with tempfile.TemporaryDirectory() as folder:
        info = dataset_info("camvid" if network.num_classes == 11 else "cityscapes")
        path = export_saved_model(folded, folder, info)
        loaded = tf.saved_model.load(str(path))
    exported = loaded.signatures["serving_default"]
    network.make_predict_function()

    if profile:
        for title, run, model in (
            ("predict", lambda: network.predict_on_batch(image), network),
            ("exported", lambda: exported(images=image)["mask"].numpy(), folded),
        ):
            macs = count_macs(model) / 1e9
            print_operation_times(
                f"{format_size(size)} {title}, {macs:.2f} GMAC", run, 10
            )
        return {"product_gmac_per_s": round(product_rate(), 1)}
    logits = network.predict_on_batch(image)
    mask = exported(images=image)["mask"].numpy()
    difference = np.abs(logits - folded.predict_on_batch(image)).max()
    times = samples(
        {
            "predict": lambda: network.predict_on_batch(image),
            "exported": lambda: exported(images=image)["mask"].numpy(),
        },
        repeats,
    )
    return {
        "predict_ms": round(float(np.median(times["predict"])) / 1e3, 2),
        "exported_ms": round(float(np.median(times["exported"])) / 1e3, 2),
        "ratio": round(float(np.median(times["predict"] / times["exported"])), 2),
        "logits_difference": float(difference),
        "mask_equal": float((mask == logits.argmax(-1)).mean()),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="120x160, 10 images")
    parser.add_argument("--model", default="lgcnet_camvid")
    parser.add_argument("--sizes", default="")
    parser.add_argument("--repeats", type=int, default=0)
    parser.add_argument("--profile", action="store_true", help="time nothing else")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if arguments.profile:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    repeats = arguments.repeats or (10 if arguments.quick else 30)
    sizes = arguments.sizes or ("120x160" if arguments.quick else SIZES)
    results = {}
    for size in map(parse_size, sizes.split(",")):
        results[format_size(size)] = compare(
            arguments.model, size, repeats, arguments.profile
        )
        print(format_size(size), results[format_size(size)], flush=True)
    if arguments.profile:
        return
    ratio = {size: figures["ratio"] for size, figures in results.items()}
    print(json.dumps({"model": arguments.model, "ratio": ratio, **results}))


if __name__ == "__main__":
    main()
