"""A network trained on CamVid in minutes of a GPU, by one command.

    python benchmarks/gpu_camvid.py --data_dir=CAMVID --model=lgcnet_camvid \\
        --minutes=9 --mixed_precision --output_dir=OUT [--wheels=FOLDER]

With `--search_steps=3000 --latency_table=TABLE` it first searches the network. It
needs PyTorch, NumPy, Pillow and h5py, and, installed or as wheels in a folder that
is unpacked beforehand, keras, optree, namex, absl-py, rich, ml_dtypes, packaging.
The schedule is one of time: it ends when the minutes do. `--quick` does the whole
at toy size on a CPU.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time
import zipfile

os.environ["KERAS_BACKEND"] = "torch"
STARTED = time.monotonic()
SIZES = ((769, 1537), (1024, 2048), (360, 480))
RESERVE_S = 60.0  # for the last evaluation and the latencies


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--dataset", default="camvid")
    add("--data_dir", default=None)
    add("--model", default="lgcnet_camvid", help="zoo name, genotype or .keras file")
    add("--minutes", type=float, default=9.0, help="of everything")
    add("--splits", default="train,val", help="what to train on")
    add(
        "--left_out", default="", help="prefix of names to evaluate on, not to train on"
    )
    add("--crop_size", default="352x480")
    add("--batch_size", type=int, default=16)
    add("--scale_min", type=float, default=0.5)
    add("--scale_max", type=float, default=2.0)
    add("--lr", type=float, default=1e-3)
    add("--warmup", type=float, default=0.03, help="share of the time")
    add("--l2", type=float, default=2e-4)
    add("--ema", type=float, default=0.999)
    add("--class_weights", default="enet")
    add("--mixed_precision", action="store_true", help="compute in bfloat16")
    add("--evaluate_every", type=float, default=1.5, help="minutes")
    add("--seed", type=int, default=0)
    add("--search_steps", type=int, default=0)
    add("--search_crop", default="240x320")
    add("--latency_table", default="")
    add("--target_latency_ms", type=float, default=0.0)
    add("--wheels", default="", help="folder of wheels to unpack and import from")
    add("--output_dir", required=True)
    add("--max_steps", type=int, default=10**9, help="of the training")
    add("--quick", action="store_true", help="toy size")
    options = parser.parse_args(arguments)
    if options.search_steps and not options.latency_table and not options.quick:
        parser.error("--search_steps needs --latency_table")
    if options.quick:
        options.dataset, options.splits, options.left_out = "toy_streets", "train", "0"
        options.crop_size, options.search_crop = "32x64", "32x64"
        options.batch_size, options.class_weights = 4, "none"
    return options


def use_wheels(folder):
    """Unpacks wheels and puts them in front of what is installed."""
    target = tempfile.mkdtemp(prefix="wheels-")
    for wheel in sorted(pathlib.Path(folder).glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    sys.path.insert(0, target)


def numbers(size):
    return tuple(int(side) for side in size.split("x"))


def main(arguments=None):
    options = parse(arguments)
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    if options.wheels:
        use_wheels(options.wheels)
    from lgcnet_tf.errors import InputError

    try:
        Experiment(options).run()
    except InputError as error:
        sys.exit(f"gpu_camvid: {error}")


class Experiment:
    """Data, search, training, evaluation, latency and what is kept of them."""

    def __init__(self, options):
        import torch

        from lgcnet_tf.training.torch_augment import DeviceData

        self.options = options
        self.folder = pathlib.Path(options.output_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.timings, self.history = {"device": self.device}, []
        if self.device == "cuda":
            self.timings["gpu"] = torch.cuda.get_device_name()
        self.train, self.test = self.load()
        self.data = DeviceData(self.train, self.device)
        self.mark("data_s")

    def mark(self, name):
        """Keeps what has passed since the start, in seconds."""
        self.timings[name] = round(time.monotonic() - STARTED, 2)
        print(f"{self.timings[name]:8.1f} s  {name}", flush=True)

    def load(self):
        from lgcnet_tf.data import Samples
        from lgcnet_tf.data.load import load_samples
        from lgcnet_tf.errors import InputError

        options, kept, left = self.options, [], []
        for split in options.splits.split(","):
            samples = load_samples(options.dataset, split, options.data_dir)
            for sample in samples:
                out = options.left_out and sample.name.startswith(options.left_out)
                (left if out else kept).append(sample)
        if options.quick and not left:
            kept, left = kept[:8], kept[8:10]
        if options.left_out and not (kept and left):
            raise InputError(
                f"--left_out={options.left_out}: {len(left)} of {len(kept) + len(left)} "
                "names begin so; some must, and some not."
            )
        self.info = samples.info
        name = f"{options.splits} without {options.left_out}"
        return tuple(
            Samples(self.info, name, len(part), part.__getitem__, checked=True)
            for part in (kept, left)
        )

    def run(self):
        from lgcnet_tf.files import write_json

        genotype = self.genotype()
        genotype.save(self.folder / "genotype.json")
        network = self.fit(genotype)
        write_json(self.folder / "history.json", self.history)
        self.latencies(network)
        self.mark("whole_s")
        write_json(
            self.folder / "timings.json",
            {**self.timings, "options": vars(self.options)},
        )

    def genotype(self):
        import dataclasses

        from lgcnet_tf.model.zoo import load_genotype
        from lgcnet_tf.space import Skeleton, uniform

        options = self.options
        if options.search_steps:
            from gpu_search import search

            return search(self)
        if options.quick:
            skeleton = Skeleton(
                num_classes=self.info.num_classes,
                initial_channels=2,
                num_cells=3,
                reduction_cells=(1, 2),
                fusion_taps=(0, 1, 2),
                fusion_channels=4,
            )
            return uniform(skeleton, "sep_conv_3x3")
        genotype = load_genotype(options.model)
        skeleton = dataclasses.replace(
            genotype.skeleton, num_classes=self.info.num_classes
        )
        return dataclasses.replace(genotype, skeleton=skeleton, classes=self.info)

    def fit(self, genotype):
        """Trains until the time is up; returns the averaged network at full size."""
        import keras

        from lgcnet_tf.data.class_weights import class_weights
        from lgcnet_tf.model.network import Network
        from lgcnet_tf.model.precision import precision
        from lgcnet_tf.model.sizes import at_size
        from lgcnet_tf.training.losses import CrossEntropy
        from lgcnet_tf.training.optimizers import Adam
        from lgcnet_tf.training.torch_augment import Parameters
        from lgcnet_tf.training.torch_steps import Average, Captured, train_step

        options, crop = self.options, numbers(self.options.crop_size)
        keras.utils.set_random_seed(options.seed)
        with precision(options.mixed_precision):
            network = Network(genotype.skeleton, crop, genotype)
        optimizer = Adam(options.lr, l2=options.l2)
        weights = class_weights(self.train, options.class_weights)
        network.compile(
            optimizer, CrossEntropy(self.info.void_label, class_weights=weights)
        )
        optimizer.build(network.trainable_variables)
        average = Average(network, options.ema)
        whole = at_size(network, self.data.size)
        parameters = Parameters(
            self.train, self.data.size, crop, options.batch_size, options.seed,
            (options.scale_min, options.scale_max),
        )  # fmt: skip
        groups = [(optimizer, range(len(network.trainable_variables)))]

        def function(drawn):
            loss = train_step(network, groups, *self.data.crops(drawn, crop))
            average.update()
            return loss

        state = [v.value for v in (*network.variables, *optimizer.variables)]
        state += [*average.averages, average.steps]
        step = Captured(function, [parameters[0].to(self.device)], state)
        self.mark("captured_s")
        begin, number, due = time.monotonic(), 0, options.evaluate_every * 60
        end = STARTED + 60 * options.minutes - (2 if options.quick else RESERVE_S)
        while (now := time.monotonic()) < end and number < options.max_steps:
            done = (now - begin) / max(end - begin, 1e-9)
            rate = options.lr * min(1.0, done / options.warmup) * (1.0 - done) ** 0.9
            optimizer.learning_rate = max(rate, 1e-8)
            loss = step(parameters[number])
            number += 1
            if now - begin > due:
                self.report(number, loss, rate, average, whole)
                due += options.evaluate_every * 60
            elif number % 20 == 0:
                float(loss)  # else the host would queue steps beyond the end
        if not number:
            from lgcnet_tf.errors import InputError

            raise InputError(f"--minutes={options.minutes} left no time for a step.")
        self.timings["steps"] = number
        self.timings["step_ms"] = round(1000 * (time.monotonic() - begin) / number, 3)
        self.report(number, loss, rate, average, whole)
        self.mark("trained_s")
        return whole

    def report(self, number, loss, rate, average, whole):
        """One entry of the history, and the averaged network as it is."""
        import math

        from lgcnet_tf.errors import InputError
        from lgcnet_tf.files import atomic_write, write_json

        entry = {"step": number, "passes": number * self.options.batch_size,
                 "loss": float(loss), "learning_rate": rate,
                 "seconds": round(time.monotonic() - STARTED, 1)}  # fmt: skip
        if not math.isfinite(entry["loss"]):
            raise InputError(
                f"the loss became {entry['loss']} before step {number}; lower --lr."
            )
        average.copy_to(whole)
        if len(self.test):
            entry |= self.evaluate(whole)
        self.history.append(entry)
        with atomic_write(self.folder / "model.keras") as temporary:
            whole.save(temporary)
        write_json(self.folder / "history.json", self.history)
        print({k: v for k, v in entry.items() if k != "per_class_iou"}, flush=True)

    def evaluate(self, network):
        """mIoU on the drive left out, whole images, one confusion matrix."""
        import torch

        from lgcnet_tf.evaluation.metrics import ConfusionMatrix

        matrix = ConfusionMatrix(self.info.num_classes, self.info.void_label)
        for sample in self.test:
            with torch.no_grad():
                image = torch.as_tensor(sample.image.copy()[None]).to(self.device)
                mask = network(image, training=False).argmax(-1)
            matrix.update(sample.label, mask[0].cpu().numpy())
        return {"miou": matrix.miou, "per_class_iou": matrix.per_class_iou.tolist()}

    def latencies(self, network):
        """ms of one image, deployed form and argmax, by size and number format."""
        import torch

        from lgcnet_tf.convert.precision import computing_in
        from lgcnet_tf.model.deploy import deploy
        from lgcnet_tf.model.sizes import at_size
        from lgcnet_tf.training.torch_steps import Captured

        found = self.timings["latency_ms"] = {}
        for size in [(32, 64)] if self.options.quick else SIZES:
            deployed = deploy(at_size(network, size))
            image = torch.zeros((1, *size, 3), dtype=torch.uint8, device=self.device)
            for name in ("float32", "tf32", "bfloat16"):
                tf32 = name == "tf32" or name == "bfloat16"
                torch.backends.cuda.matmul.allow_tf32 = (
                    torch.backends.cudnn.allow_tf32
                ) = tf32
                number_format = "bfloat16" if name == "bfloat16" else "float32"

                def call(image):
                    with torch.no_grad(), computing_in(deployed, number_format):
                        return deployed(image, training=False).argmax(-1)

                run = Captured(call, [image])
                key = f"{size[0]}x{size[1]} {name}"
                found[key] = median_ms(run, image, 3 if self.options.quick else 50)
        self.mark("latencies_s")


def median_ms(run, image, repeats):
    import torch

    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        run(image)
        if image.is_cuda:
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return round(sorted(times[2:])[repeats // 2], 4)


if __name__ == "__main__":
    main()
