"""CPU seconds of making a network with TensorFlow's variables named alike or not.

    python benchmarks/variables.py [--rounds=5]

A supernet of 14 cells with its optimisers, and `lgcnet_camvid` of its file, in turns
with and without `lgcnet_tf.model.variables.named_alike`. The last line is JSON: medians
of the CPU seconds, and of what the plain form takes by what the other takes.
"""

import argparse
import contextlib
import json
import os
import time


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    from lgcnet_tf.model import network
    from lgcnet_tf.model.variables import named_alike
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.space import Skeleton

    def supernet(named):
        found = network.Network.supernet(Skeleton(num_classes=11), (160, 208))
        with named():
            keras.optimizers.SGD(momentum=0.9).build(found.trainable_variables)

    made = {
        "supernet": supernet,
        "lgcnet_camvid": lambda _: load_network("lgcnet_camvid"),
    }
    forms = {"plain": contextlib.nullcontext, "alike": named_alike}
    seconds = {(name, form): [] for name in made for form in forms}
    for turn in range(rounds + 1):  # the first warms up
        for name, make in made.items():
            for form, named in forms.items():
                network.named_alike = named
                keras.utils.clear_session()
                begin = time.process_time()
                make(named)
                seconds[name, form] += [time.process_time() - begin] if turn else []
    figures = {}
    for name in made:
        plain, alike = (np.array(seconds[name, form]) for form in forms)
        figures[name] = {
            "plain_s": round(float(np.median(plain)), 2),
            "alike_s": round(float(np.median(alike)), 2),
            "ratio": round(float(np.median(plain / alike)), 2),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
