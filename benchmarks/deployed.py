"""The exported SavedModel against the trained Keras model's own `predict` graph.

    python benchmarks/deployed.py [--quick] [--model=lgcnet_camvid] [--repeats=30]

Both get the same uint8 image, in turns. The SavedModel is pruned, its
normalisation folded and its argmax inside; the trained model gives logits, of
which the argmax is not timed. `logits_difference` is the largest difference of
logits between the trained and the deployed network, `mask_equal` the share of
pixels of the same class.

The last line is JSON: for each size medians in ms and `ratio`.
"""

import argparse
import json
import os
import tempfile

from lgcnet_tf.config import format_size, parse_size

SIZES = "512x1024,360x480"


def compare(name, size, repeats):
    """Figures of one size."""
    import numpy as np
    import tensorflow as tf

    from lgcnet_tf.data import dataset_info, load_samples
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
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    repeats = arguments.repeats or (10 if arguments.quick else 30)
    sizes = arguments.sizes or ("120x160" if arguments.quick else SIZES)
    results = {}
    for size in map(parse_size, sizes.split(",")):
        results[format_size(size)] = compare(arguments.model, size, repeats)
        print(format_size(size), results[format_size(size)], flush=True)
    ratio = {size: figures["ratio"] for size, figures in results.items()}
    print(json.dumps({"model": arguments.model, "ratio": ratio, **results}))


if __name__ == "__main__":
    main()
