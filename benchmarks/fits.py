"""mIoU of each `--fit` on pictures of other proportions and scales than the network's.

    python benchmarks/fits.py --data_dir=camvid [--quick] [--model=lgcnet_camvid]

The pictures are those of CamVid's val split, spread evenly over it, cropped in
their middle (height x width) and resized by a factor. One line for each crop, then
one of JSON with each fit's mIoU over all of them in one confusion matrix; the
package's default fit must be the best, else exit status 1.
"""

import argparse
import json
import sys

CROPS = (
    ((360, 480), 1.0),
    ((360, 240), 1.0),
    ((360, 160), 1.0),
    ((180, 480), 1.0),
    ((240, 320), 1.0),
    ((360, 360), 1.0),
    ((360, 480), 2.0),
    ((360, 240), 2.0),
    ((180, 480), 2.0),
    ((360, 480), 0.5),
)


def changed(sample, size, factor):
    """The middle of a sample, resized."""
    import numpy as np
    from PIL import Image

    from lgcnet_tf.data import Sample

    arrays = []
    for array, method in ((sample.image, "BILINEAR"), (sample.label, "NEAREST")):
        top, left = ((n - m) // 2 for n, m in zip(array.shape, size))
        part = array[top : top + size[0], left : left + size[1]]
        picture = Image.fromarray(np.ascontiguousarray(part))
        shape = tuple(int(side * factor) for side in size[::-1])
        arrays.append(np.asarray(picture.resize(shape, Image.Resampling[method])))
    return Sample(sample.name, *arrays)


def main():
    import numpy as np

    from lgcnet_tf.data import load_samples
    from lgcnet_tf.data.geometry import DEFAULT_FIT, FITS
    from lgcnet_tf.evaluation.evaluate import predict_samples
    from lgcnet_tf.evaluation.metrics import ConfusionMatrix
    from lgcnet_tf.evaluation.models import load_model

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--model", default="lgcnet_camvid")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--quick", action="store_true", help="3 images, 4 crops")
    options = parser.parse_args()
    count, crops = (3, CROPS[:4]) if options.quick else (options.images, CROPS)
    samples = load_samples("camvid", "val", options.data_dir)
    picked = [samples[int(i)] for i in np.linspace(0, len(samples) - 1, count)]
    model = load_model(options.model)
    every = {fit: ConfusionMatrix(samples.info.num_classes, 255) for fit in FITS}
    for size, factor in crops:
        parts = [changed(sample, size, factor) for sample in picked]
        line = []
        for fit in FITS:
            one = ConfusionMatrix(samples.info.num_classes, 255)
            for sample, mask in predict_samples(
                model.predict_mask, parts, 4, model.input_size, fit
            ):
                one.update(sample.label, mask)
                every[fit].update(sample.label, mask)
            line.append(f"{fit} {one.miou:.3f}")
        print(f"{size[0]}x{size[1]} x{factor:g}: {', '.join(line)}", flush=True)
    mious = {fit: round(matrix.miou, 4) for fit, matrix in every.items()}
    print(json.dumps({"images": count * len(crops), "default": DEFAULT_FIT, **mious}))
    return int(max(mious.values()) > mious[DEFAULT_FIT])


if __name__ == "__main__":
    sys.exit(main())
