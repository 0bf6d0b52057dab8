"""Your own data: from a folder of pictures to a network within a latency budget.

    python examples/own_data.py --data_dir=FOLDER --input_size=360x480 --budget_ms=20

goes from a folder of images and masks to a network that is ready to serve and stays
within 20 ms on this machine. Without `--data_dir` it draws itself a small folder first,
so that it runs anywhere; `--quick` shows the path in a minute or two, with a network that
has learnt nothing. `lgcnet run` does the same in one command; here each step is visible.
"""

# %% What is asked for

import argparse
import json
import pathlib
import tempfile

import numpy as np
from PIL import Image

import lgcnet_tf as lt

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data_dir", help="images/, masks/ and classes.json")
parser.add_argument("--input_size", default="96x160", help="HEIGHTxWIDTH")
parser.add_argument("--budget_ms", type=float, help="by default none")
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--output_dir", help="where everything stays; else it is temporary")
parser.add_argument("--quick", action="store_true", help="few steps, tiny network")
asked = parser.parse_args()
output = pathlib.Path(asked.output_dir or tempfile.mkdtemp())

# %% A folder of data
# A folder has `images/train`, `images/val`, `masks/train`, `masks/val` and a file that
# names the classes; masks are PNG with the class's number in each pixel, or its colour.
# Where you have none, some of the streets that the package draws will do, with three of
# their classes told apart.


def draw_folder(folder, count):
    for split in ("train", "val"):
        samples = lt.load_dataset("toy_streets", split)
        names = samples.info.class_names
        groups = np.full(256, 2, np.uint8)  # everything else
        groups[[names.index("road"), names.index("car")]] = 0, 1
        groups[samples.info.void_label] = 255
        for kind in ("images", "masks"):
            (folder / kind / split).mkdir(parents=True)
        for i in range(count):
            sample = samples[i]
            name = f"{split}/{i:03}.png"
            Image.fromarray(sample.image).save(folder / "images" / name)
            Image.fromarray(groups[sample.label]).save(folder / "masks" / name)
    classes = {"classes": ["road", "car", "other"]}
    (folder / "classes.json").write_text(json.dumps(classes))
    return folder


data_dir = asked.data_dir or draw_folder(output / "data", 16 if asked.quick else 200)
data = {"dataset": "folder", "data_dir": str(data_dir)}

# %% A look before the training
# Most failures of a training are failures of its labels. `lgcnet-inspect-data` draws
# contact sheets and warns; the shares of the classes alone tell much.

samples = lt.load_dataset("folder", "train", data_dir)
classes = samples.info.class_names
counts = sum(np.bincount(samples[i].label.ravel(), minlength=256) for i in range(8))
for name, count in zip(classes, counts):
    print(f"{name}: {count / counts[: len(classes)].sum():.1%} of the labelled pixels")

# %% What each operation costs on this machine
# The search adds up times that were measured here, so the table belongs to the device
# that will run the network. It is made once and good for any number of searches.

size = tuple(map(int, asked.input_size.split("x")))
space, measuring = {}, {}
if asked.quick:
    size = (32, 64)
    space = {
        "initial_channels": 2, "num_cells": 1, "reduction_cells": (), "fusion": "none",
        "cell_operations": ("skip_connect", "sep_conv_3x3"),
    }  # fmt: skip
    measuring = {"repeats": 1, "warmup": 0, "calibration_networks": 0}
table = lt.measure_latency(
    input_size=size, output_dir=output / "latency", **data, **space, **measuring
)
print(f"{len(table.entries)} operations measured on {table.device}")

# %% A network within the budget
# `target_latency_ms` steers the weight of latency in the loss, so that the network lands
# within five per cent of it. A target that the space cannot reach is refused at once,
# with the range that it can.

training = data | {"epochs": asked.epochs, "batch_size": 8}
if asked.quick:
    training |= {"epochs": 1, "batch_size": 16, "validation_split": ""}
target = {"target_latency_ms": asked.budget_ms} if asked.budget_ms else {}
found = lt.search(table, output_dir=output / "search", **training, **target)
print(f"found a network of {found.predicted_latency_ms:.1f} ms, by the table")

# %% Its weights
# Training starts from the search's weights. The class names travel with the network.

net = lt.finetune(
    found.genotype, initial_model=found, output_dir=output / "finetune", **training
)

# %% What it is worth
# Accuracy is measured on images that it has not seen, latency on this machine, now. On a
# machine that does other things meanwhile the latency is that of a busy machine.

result = lt.evaluate(
    net, latency_table=table, output_dir=output / "evaluate", repeats=5, **data
)
print(f"mIoU {result.miou:.1%}; {result.latency_ms:.1f} ms measured")
if asked.budget_ms:
    within = result.latency_ms <= 1.05 * asked.budget_ms
    print(f"budget of {asked.budget_ms:g} ms: {'met' if within else 'missed'}")

# %% Ready to serve
# The export folds the normalisation away and takes PNG or JPEG of any size. The same
# folder works with `lgcnet-serve`, with its `--demo` page, and with TensorFlow Serving.

model = output / "finetune" / "model.keras"
saved_model = lt.export(model, output_dir=output / "export").parent
with lt.Server({"mine": saved_model}, port=0) as server:
    with lt.Client(server.target, "mine") as client:
        picture = sorted(pathlib.Path(data_dir).glob("images/val/*"))[0]
        mask = client.predict_encoded([picture.read_bytes()])[0]
print(f"lgcnet-serve --demo --model={saved_model}")
print(f"{picture.name}: {classes[np.bincount(mask.ravel()).argmax()]} most of all")
