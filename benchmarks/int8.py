"""Eight bits against float32 on a data set: mIoU, time, size of the file.

    python benchmarks/int8.py --data_dir=CAMVID [--quick] [--method=percentile]

For each runtime the network is converted in both precisions as `lgcnet-evaluate` and
`lgcnet-export` do it; int8 takes its ranges from the training split, or with
`--random` from random pixels. Masks of the validation images are compared with the
labels, then both are timed in turns on one picture.

The last line is JSON: for each runtime `float32_miou`, `int8_miou`, `speed` (ratio
of the medians, above 1 where int8 is faster), `mask_equal` (share of pixels of the
same class) and the files' sizes in MB.
"""

import argparse
import json
import os


def compare(name, network, val, images, repeats):
    """Figures of one runtime."""
    import numpy as np

    from lgcnet_tf.evaluation.evaluate import evaluate
    from lgcnet_tf.latency.measure import samples
    from lgcnet_tf.model.class_map import ClassMap
    from lgcnet_tf.runtimes import get_runtime

    shape = (1, *network.input_size, 3)
    compiled, size, miou = {}, {}, {}
    for precision in ("float32", "int8"):
        runtime = get_runtime(name, None, precision, images)
        content = runtime.convert(ClassMap(network), shape, "uint8")
        size[precision] = round(len(content) / 1e6, 2)
        compiled[precision] = runtime.load(content)
    masks = {}
    for precision, one in compiled.items():
        masks[precision] = []

        def predict(x):
            masks[precision].append(one.predict(x))
            return masks[precision][-1]

        result = evaluate(predict, val, progress=False, input_size=network.input_size)
        miou[precision] = round(result.miou, 4)
    equal = [(a == b).mean() for a, b in zip(masks["float32"], masks["int8"])]
    times = samples(compiled, repeats)
    median = {key: float(np.median(value)) / 1e3 for key, value in times.items()}
    return {
        "float32_miou": miou["float32"],
        "int8_miou": miou["int8"],
        "mask_equal": round(float(np.mean(equal)), 4),
        "float32_ms": round(median["float32"], 1),
        "int8_ms": round(median["int8"], 1),
        "speed": round(median["float32"] / median["int8"], 2),
        "float32_mb": size["float32"],
        "int8_mb": size["int8"],
        "calibration": runtime.calibration,
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="every third image")
    parser.add_argument("--model", default="lgcnet_camvid")
    parser.add_argument("--dataset", default="camvid")
    parser.add_argument("--data_dir", default="")
    parser.add_argument("--runtimes", default="onnxruntime,openvino,litert")
    parser.add_argument("--method", default="minmax", help="minmax for litert always")
    parser.add_argument("--random", action="store_true", help="ranges of random pixels")
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    from lgcnet_tf.data import Samples, load_samples
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.runtimes.representative import (
        RepresentativeImages,
        images_of_training_split,
    )

    network = deploy(load_network(arguments.model))
    val = load_samples(arguments.dataset, "val", arguments.data_dir or None)
    if arguments.quick:
        every = range(0, len(val), 3)
        whole = val
        val = Samples(val.info, "val", len(every), lambda i: whole[every[i]])
    results = {}
    for name in arguments.runtimes.split(","):
        method = "minmax" if name == "litert" else arguments.method
        images = RepresentativeImages(method=method)
        if not arguments.random:
            images = images_of_training_split(
                arguments.dataset, arguments.data_dir, method
            )
        results[name] = compare(name, network, val, images, arguments.repeats)
        print(name, results[name], flush=True)
    print(json.dumps({"model": arguments.model, "images": len(val), **results}))


if __name__ == "__main__":
    main()
