"""Do all parts of the program see the same pixels and give the same masks?

    python benchmarks/agreement.py [--quick] [--data_dir=../shared/camvid]

Pixels: pictures of every kind that PNG and JPEG have (`pictures.py`), in all EXIF
orientations, are read as training reads them (a data set through TFDS and
tf.data), as evaluation does, as the client does, and as a server does that is
asked over a socket; it serves networks whose mask is a picture's red, green or
blue. Pictures of other sizes than the network's are compared by the masks that
evaluation and the server give of them.

Masks: a trained network (the zoo's on CamVid's val split where `--data_dir` has it,
else one trained here on toy_streets) runs in float32 on every runtime that is
installed, and in int8 on those that compute in it, calibrated on images of the
training split.

The last line is JSON: `pixel_max_difference`, in levels of 255;
`mask_disagreement`, the largest share of pixels by which a runtime's float32
masks differ from the first's; `float32_miou` and `int8_miou` by runtime;
`cases_wrong`, how many pictures and runtimes are outside the bounds, each on a
line of its own above. Ends with 1 when there is one.
"""

import argparse
import io
import itertools
import json
import os
import pathlib
import sys
import tempfile

import numpy as np
import pictures
from PIL import Image

SIZE = (24, 32)
OTHER_SIZES = ((48, 64), (31, 57), (12, 16), (24, 33))
# Evaluation resizes by Pillow, which rounds after each axis, a server by
# TensorFlow, which rounds once.
RESIZING_BOUND = 1
INT8_BOUND = 0.01  # of mIoU, what eight bits may cost
MASK_BOUND = 1e-3  # logits that are equal but for float32's rounding
CHANNELS = ("red", "green", "blue")
CALIBRATION_IMAGES = 16


def turned_pictures(quick):
    """`Picture`s of upright size `SIZE`, their pixels upright, and EXIF where turned."""
    upright = pictures.pictures(*SIZE)
    lying = pictures.pictures(*SIZE[::-1], seed=1)
    found = []
    for index, pair in enumerate(zip(upright, lying)):
        every = not quick or pair[0].name in ("RGB, 8 bit", "JPEG, YCbCr 4:2:0")
        for turn in range(1, 9) if every else (1, 2 + index % 7):
            picture = pair[turn >= 5]
            pixels, data, name = picture.pixels, picture.data, picture.name
            if turn > 1:
                block = pictures.exif(turn, "<>"[index % 2], index % 3 == 0)
                data = pictures.with_exif(data, block, late=index % 2 == 0)
                pixels, name = (
                    pictures.TURNS[turn](pixels),
                    f"{name}, orientation {turn}",
                )
            found.append(pictures.Picture(name, data, pixels, picture.bound))
    return found


def write_data(folder, files):
    """A data set in SegNet's layout; train and val have the same pictures."""
    label = Image.fromarray(np.zeros(SIZE, np.uint8))
    for split in ("train", "val"):
        (folder / split).mkdir(parents=True)
        (folder / f"{split}annot").mkdir()
        for index, picture in enumerate(files):
            suffix = "png" if picture.data.startswith(b"\x89PNG") else "jpg"
            name = f"{index:05}"
            (folder / split / f"{name}.{suffix}").write_bytes(picture.data)
            label.save(folder / f"{split}annot" / f"{name}.png")


def training_pixels(folder, count):
    """What training's tf.data gives, by index, nothing flipped, scaled or cropped."""
    from lgcnet_tf.data import load_samples
    from lgcnet_tf.data.augment import epoch_order
    from lgcnet_tf.data.pipeline import training_dataset

    samples = load_samples("camvid", "train", folder)
    batches = training_dataset(samples, 1, SIZE, 0, scale_range=(1.0, 1.0), flip=False)
    order = epoch_order(count, 0, 0)
    return dict(zip(order.tolist(), (image.numpy()[0] for image, _ in batches)))


def evaluation_pixels(folder):
    """What evaluation hands to a network, by index."""
    from lgcnet_tf.data import load_samples
    from lgcnet_tf.evaluation.evaluate import predict_samples

    seen = []

    def predict(images):
        seen.append(images[0])
        return images[..., 0]

    samples = load_samples("camvid", "val", folder)
    for _ in predict_samples(predict, samples, 1, SIZE):
        pass
    return dict(enumerate(seen))


def value_info():
    """A class for each level, painted in its gray."""
    from lgcnet_tf.data import DatasetInfo

    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return DatasetInfo("values", tuple(map(str, range(256))), palette)


def export_channels(folder):
    """Exports for each fit and channel a network that segments into its values."""
    import keras

    from lgcnet_tf.data.geometry import FITS
    from lgcnet_tf.serving.export import export_saved_model

    class Channel(keras.Model):
        input_size, num_classes = SIZE, 256

        def __init__(self, index):
            super().__init__()
            self.index = index

        def call(self, images, training=None):
            values = keras.ops.cast(images[..., self.index], "int32")
            return keras.ops.one_hot(values, 256)

    exported = {}
    for index, name in enumerate(CHANNELS):
        network = Channel(index)
        network(np.zeros((1, *SIZE, 3), np.uint8))
        for fit in FITS:
            path = exported[f"{fit}_{name}"] = folder / fit / name
            export_saved_model(network, path, value_info(), fit=fit)
    return exported


def client_pixels(client, files, folder):
    """The pictures that the client lays its masks over, by index."""
    from lgcnet_tf.serving.predict_files import predict_files

    paths = sorted(files)
    done = predict_files(client, value_info(), paths, folder, overlay_alpha=0.0)
    overlays = [np.asarray(Image.open(file["overlay"])) for file in done["files"]]
    return dict(enumerate(overlays))


def compare_pixels(folder, quick):
    """Returns the largest difference, and a line for each case that is wrong."""
    from lgcnet_tf.data.geometry import DEFAULT_FIT, FITS
    from lgcnet_tf.serving.client import Client
    from lgcnet_tf.serving.server import Server

    files = turned_pictures(quick)
    data = folder / "data"
    write_data(data, files)
    seen = {
        "training": training_pixels(data, len(files)),
        "evaluation": evaluation_pixels(data),
    }
    (folder / "client").mkdir()
    with Server(export_channels(folder / "served"), port=0) as server:
        by_fit = {
            fit: [Client(server.target, f"{fit}_{name}") for name in CHANNELS]
            for fit in FITS
        }
        clients = by_fit[DEFAULT_FIT]
        seen["client"] = client_pixels(
            clients[0], (data / "val").iterdir(), folder / "client"
        )
        seen["server"] = {
            index: np.stack([c.predict_encoded([p.data])[0] for c in clients], -1)
            for index, p in enumerate(files)
        }
        resized = {
            (fit, size): compare_resized(of_fit, fit, size, seed)
            for fit, of_fit in by_fit.items()
            for seed, size in enumerate(OTHER_SIZES)
        }
        for client in itertools.chain(*by_fit.values()):
            client.close()
    largest, wrong = 0, []
    for index, picture in enumerate(files):
        first = seen["training"][index].astype(int)
        off = {"what was put in": difference(first, picture.pixels)}
        wrong_here = off["what was put in"] > picture.bound
        for name in ("evaluation", "client", "server"):
            off[name] = difference(first, seen[name][index])
            largest = max(largest, off[name])
            wrong_here |= off[name] > 0
        if wrong_here:
            wrong.append(f"{picture.name}: training differs by {off}")
    for (fit, size), off in resized.items():
        largest = max(largest, off)
        if off > RESIZING_BOUND:
            wrong.append(f"{fit}, size {size}: evaluation and server differ by {off}")
    print(f"{len(files)} pictures, {len(OTHER_SIZES)} other sizes")
    return largest, wrong


def compare_resized(clients, fit, size, seed):
    """Largest difference of evaluation's and the server's masks of one picture."""
    from lgcnet_tf.data import Sample
    from lgcnet_tf.data.images import decode_image
    from lgcnet_tf.evaluation.evaluate import predict_samples

    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (5, 7, 3), np.uint8))
    file = io.BytesIO()
    coarse.resize(size[::-1], Image.BILINEAR).save(file, "PNG")
    sample = Sample(
        "one", decode_image(file.getvalue(), "one"), np.zeros(size, np.uint8)
    )
    largest = 0
    for channel, client in enumerate(clients):
        ((_, mask),) = predict_samples(
            lambda x: x[..., channel], [sample], 1, SIZE, fit
        )
        (served,) = client.predict_encoded([file.getvalue()])
        largest = max(largest, difference(mask, served))
    return largest


def difference(first, second):
    """Largest difference of two arrays; 255 where their shapes are not the same."""
    if first.shape != second.shape:
        return 255
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def trained_model(options, folder):
    """Name or file of a network, its data set, its folder and the size to run it at."""
    if pathlib.Path(options.data_dir, "val").is_dir():
        size = (180, 240) if options.quick else (360, 480)
        return "lgcnet_camvid", "camvid", options.data_dir, size
    from lgcnet_tf.commands.finetune import FinetuneOptions, finetune
    from lgcnet_tf.space import Skeleton, uniform

    size = (96, 160)
    skeleton = Skeleton(num_classes=8, initial_channels=4)
    uniform(skeleton, "sep_conv_3x3").save(folder / "genotype.json")
    finetune(
        FinetuneOptions(
            model=str(folder / "genotype.json"), output_dir=str(folder / "finetune"),
            dataset="toy_streets", input_size=size, crop_size=size, scale_min=0.75,
            scale_max=1.5, epochs=3 if options.quick else 20, lr=0.05, hardest=1.0,
        )
    )  # fmt: skip
    return str(folder / "finetune" / "model.keras"), "toy_streets", None, size


def runtime(name, precision, folder):
    """A runtime as the commands make it, or None where it cannot run here so."""
    from lgcnet_tf.errors import InputError
    from lgcnet_tf.latency.options import RuntimeOptions

    images = str(folder) if precision == "int8" else ""
    options = RuntimeOptions(
        runtime=name, precision=precision, calibration_images=images
    )
    try:
        return options.make_runtime()
    except InputError as error:
        print(f"left out: {error}")
        return None


def run_masks(model, used, samples):
    """mIoU of a split on a runtime, and its masks at the network's size."""
    from lgcnet_tf.evaluation.evaluate import evaluate

    compiled, masks = model.compile(used), []

    def predict(images):
        masks.append(np.asarray(compiled.predict(images)).astype(np.uint8))
        return masks[-1]

    result = evaluate(predict, samples, 1, progress=False, input_size=model.input_size)
    return result.miou, np.concatenate(masks)


def compare_masks(options, folder):
    """Returns float32's and int8's mIoU by runtime, the disagreement, what is wrong."""
    from lgcnet_tf.data import load_samples
    from lgcnet_tf.evaluation.models import load_model
    from lgcnet_tf.runtimes.settings import RUNTIMES

    name, dataset, data_dir, size = trained_model(options, folder)
    model = load_model(name, size)
    samples = load_samples(dataset, "val", data_dir)
    count = min(len(samples), options.images or (8 if options.quick else len(samples)))
    samples = samples[:: len(samples) // count][:count]
    train = load_samples(dataset, "train", data_dir)
    calibration = folder / "calibration"
    calibration.mkdir()
    for index in np.linspace(0, len(train) - 1, CALIBRATION_IMAGES).astype(int):
        Image.fromarray(train[int(index)].image).save(calibration / f"{index:05}.png")
    miou, first, disagreement, wrong = {"float32": {}, "int8": {}}, None, 0.0, []
    for precision in miou:
        for each in (spec.name for spec in RUNTIMES):
            used = runtime(each, precision, calibration)
            if used is None:
                continue
            value, masks = run_masks(model, used, samples)
            miou[precision][each] = round(float(value), 4)
            first = masks if first is None else first
            share = float((masks != first).mean())
            print(f"{each} {precision}: mIoU {value:.4f}, {share:.2%} of pixels differ")
            if precision == "float32":
                disagreement = max(disagreement, share)
                if share > MASK_BOUND:
                    wrong.append(f"{each}: {share:.2%} of its mask differ")
    for each, value in miou["int8"].items():
        if dataset == "camvid" and miou["float32"][each] - value > INT8_BOUND:
            wrong.append(f"{each}: int8 has {value}, float32 {miou['float32'][each]}")
    print(f"{name} on {len(samples)} images of {dataset}")
    return miou, disagreement, wrong


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer pictures, smaller masks"
    )
    parser.add_argument("--data_dir", default="../shared/camvid")
    parser.add_argument("--images", type=int, default=0, help="of the val split")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.environ["TFDS_DATA_DIR"] = str(folder / "tfds")
        largest, wrong = compare_pixels(folder, options.quick)
        miou, disagreement, more = compare_masks(options, folder)
    wrong += more
    for line in wrong:
        print(f"wrong: {line}")
    print(
        json.dumps(
            {
                "pixel_max_difference": largest,
                "mask_disagreement": disagreement,
                "int8_miou": miou["int8"],
                "float32_miou": miou["float32"],
                "cases_wrong": len(wrong),
            }
        )
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
