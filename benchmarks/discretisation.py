"""What a search's network loses when its mixture of operations becomes one.

    python benchmarks/discretisation.py SEARCH_FOLDER [--trained=FINETUNING_FOLDER]
    python benchmarks/discretisation.py SEARCH_FOLDER --quick

Takes the supernet and α of a search's last checkpoint and measures mIoU on what the
search left out (else on its validation split), with the weights that all operations
share and batch statistics recomputed on training images for each form. Needs Keras on
TensorFlow, and a search without hard sampling.

The last line printed is JSON: `soft`, every edge is the sum that softmax(α) makes;
`argmax`, of the sharpened mixture whose largest entry is 1; `derived`, the genotype that
the search wrote, whose edges may differ from that for a target latency; `trained`, the
genotype's figure in the history of `--trained`; `entropy`, the mean over edges of
softmax(α)'s entropy by that of a draw among all candidates.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
from alpha_signal import restored, search_options
from search_quality import recompute_statistics


def parse_arguments(arguments=None):
    """The options; `--quick` changes the default of `--images`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("search", type=pathlib.Path, help="folder of a finished search")
    add("--trained", type=pathlib.Path, help="folder of its genotype's finetuning")
    add("--images", type=int, default=160, help="for batch statistics")
    add("--quick", action="store_true", help="16 images for batch statistics")
    if parser.parse_args(arguments).quick:
        parser.set_defaults(images=16)
    options = parser.parse_args(arguments)
    for file in ("flags.txt", "genotype.json"):
        if not (options.search / file).is_file():
            parser.error(f"{options.search}: no {file} there; name a search's folder.")
    return options


def main(options):
    """The figures."""
    import dataclasses

    from lgcnet_tf.evaluation.evaluate import evaluate
    from lgcnet_tf.files import read_json
    from lgcnet_tf.run_folder import ALPHAS, GENOTYPE, HISTORY
    from lgcnet_tf.space.choices import read_probabilities
    from lgcnet_tf.space.genotype import Genotype
    from lgcnet_tf.training.data import load_training_data
    from lgcnet_tf.training.graphs import prepare_graphs

    of_search = search_options(options.search)
    if of_search.sampling == "hard":
        raise SystemExit(
            f"{options.search}: of hard sampling, which cannot be measured."
        )
    prepare_graphs(wide=True)
    data = load_training_data(of_search)
    if not data.validation:
        raise SystemExit(f"{options.search}: has nothing left out and no validation.")
    name, measured = list(data.validation.items())[-1]
    whole = dataclasses.replace(of_search, crop_size=of_search.input_size)
    model = restored(whole, options.search, data.samples)
    genotype = Genotype.load(options.search / GENOTYPE)
    probabilities = read_probabilities(options.search / ALPHAS, genotype.skeleton)
    candidates = genotype.skeleton.candidate_mask.shape[1]
    forms = {
        "soft": probabilities,
        "argmax": np.eye(candidates)[probabilities.argmax(-1)],
        "derived": np.eye(candidates)[genotype.choice],
    }
    figures = {"measured": f"{name} of {len(measured)} images"}
    for form, z in forms.items():
        fixed = FixedMixture(model.network, z)
        recompute_statistics(
            model.network, data.samples, of_search.input_size, options.images, fixed
        )
        miou = evaluate(
            fixed.mask, measured, 4, progress=False, input_size=fixed.input_size
        ).miou
        figures[form] = round(miou, 4)
        print(f"{form}: {figures[form]}", file=sys.stderr)
    if options.trained:
        history = read_json(options.trained / HISTORY)
        figures["trained"] = round([e[name] for e in history if name in e][-1], 4)
    return figures | {"entropy": round(float(mean_entropy(probabilities)), 3)}


class FixedMixture:
    """The supernet with one Z for all images."""

    def __init__(self, network, z):
        import tensorflow as tf

        self.input_size = network.input_size
        z = tf.constant(z, tf.float32)
        self.call = tf.function(
            lambda images, training: network(images, weights=z, training=training),
            autograph=False,
        )

    def __call__(self, images, training):
        """Logits."""
        return self.call(images, training)

    def mask(self, images):
        """The class of each pixel, uint8."""
        return self(images, training=False).numpy().argmax(-1).astype("uint8")


def mean_entropy(probabilities):
    """Of the edges' softmax(α), each by the entropy of a draw among all it has."""
    there = probabilities > 0
    terms = -probabilities * np.log(np.where(there, probabilities, 1.0))
    choices = there.sum(-1)
    own = choices > 1
    return (terms.sum(-1)[own] / np.log(choices[own])).mean()


if __name__ == "__main__":
    print(json.dumps(main(parse_arguments())))
