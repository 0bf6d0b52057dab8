"""Whether the input pipeline ever makes a training step wait.

    python benchmarks/input_pipeline.py [--quick] [--dataset=camvid --data_dir=DIR]

Images a second of the pipeline alone (decoding, scaling, flipping, cropping,
batching) against those of a training step on the same crops: the soft and the
hard search and the training of a random derived network, a few batches of each
in turns. The pipeline has all CPUs while it is timed, and so has the step.

The last line is JSON: medians of images a second, and `ratio` of the pipeline to
each step.
"""

import argparse
import json
import os
import statistics
import time

from step_worker import Worker

from lgcnet_tf.config import parse_size

SETTINGS = {  # variant: crop, batch
    "soft": ("128x128", 4),
    "hard": ("128x128", 4),
    "finetune": ("240x320", 8),
}


def rate(batches, count):
    """Images a second over `count` batches."""
    started, images = time.monotonic(), 0
    for _ in range(count):
        images += next(batches)[0].shape[0]
    return images / (time.monotonic() - started)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="finetuning's step alone")
    parser.add_argument("--dataset", default="toy_streets")
    parser.add_argument("--data_dir", default=None)
    parser.add_argument("--rounds", type=int, default=0)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from lgcnet_tf.data import load_samples, training_dataset

    samples = load_samples(arguments.dataset, "train", arguments.data_dir)
    rounds = arguments.rounds or (3 if arguments.quick else 8)
    names = ["finetune"] if arguments.quick else list(SETTINGS)
    result = {"dataset": arguments.dataset, "ratio": {}}
    for name in names:
        crop, batch = SETTINGS[name]
        size = parse_size(crop)
        worker = Worker(name, crop, batch)
        worker.step()
        found = {"pipeline": [], "step": []}
        for number in range(rounds):
            # Anew each time, or it would fill its buffers while the step runs.
            dataset = training_dataset(
                samples, batch, size, seed=number, epochs=1000, scale_range=(0.5, 2.0)
            )
            batches = iter(dataset)
            rate(batches, 3)  # its threads and buffers start up
            found["pipeline"].append(rate(batches, 64 // batch))
            del batches, dataset
            found["step"].append(batch / worker.step()["step_s"])
        worker.stop()
        ratio = [a / b for a, b in zip(found["pipeline"], found["step"])]
        result["ratio"][name] = round(statistics.median(ratio), 1)
        result[name] = {
            "crop": crop,
            "batch_size": batch,
            "pipeline_images_per_s": round(statistics.median(found["pipeline"]), 1),
            "step_images_per_s": round(statistics.median(found["step"]), 2),
        }
        print(name, result[name], flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
