"""What the modules between cells make of α where the best operations are known.

Nothing is trained but α and the modules: the loss is the sum of Z times a cost of every
operation on every edge, which is drawn, so that the best choice is known. The costs of
a cell's edges have as much in common as they differ, as where latency counts, and every
step adds noise to them, as a batch does. Costs of neighbouring cells are alike by
`rho`. Optimisers, Gumbel noise and temperatures are those of a search.

    python benchmarks/communication.py
    python benchmarks/communication.py --quick

Prints a table, then one line of JSON: for each mode and rate of the modules (α's rate
divided by so much) the fraction of edges whose largest α' is the best operation, cells
with one operation on all five edges, mean cost above the best, and the spreads of α and
of what the modules add to it.
"""

import argparse
import json

import keras
import numpy as np
from keras import ops

from lgcnet_tf.architecture_search.architecture import gumbel_softmax
from lgcnet_tf.guidance.communication import Communication
from lgcnet_tf.guidance.settings import WIDTH, guidance_rate

CELLS, EDGES, OPERATIONS = 14, 5, 8
ALPHA_LR = 0.01
"""As in the searches of the zoo."""


def costs(generator, rho):
    """(cells, edges, operations); what is of the cell is added to what is of the edge."""
    fresh = generator.normal(size=(CELLS, EDGES, OPERATIONS))
    fresh += generator.normal(size=(CELLS, 1, OPERATIONS))
    found = [fresh[0]]
    for each in fresh[1:]:
        found.append(rho * found[-1] + np.sqrt(1 - rho**2) * each)
    return np.stack(found).astype("float32")


def search(mode, rate, rho, noise, steps, seed):
    """The figures of one search, as the module's docstring names them."""
    import tensorflow as tf

    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    cost = costs(generator, rho)
    modules = Communication(mode, [cell in (1, 8) for cell in range(CELLS)])
    modules.build(cost.shape)
    start = 1e-3 * generator.normal(size=cost.shape)
    alpha = keras.Variable(start.astype("float32"), name="alpha")
    weights = modules.trainable_variables
    groups = (
        [([alpha], ALPHA_LR), (weights, rate)] if weights else [([alpha], ALPHA_LR)]
    )
    optimizers = [keras.optimizers.Adam(r, beta_1=0.5, beta_2=0.999) for _, r in groups]
    for optimizer, (variables, _) in zip(optimizers, groups):
        optimizer.build(variables)

    @tf.function
    def step(gumbel, disturbance, temperature):
        with tf.GradientTape() as tape:
            z = gumbel_softmax(modules(alpha), gumbel, temperature)
            loss = ops.sum(z * (cost + disturbance))
        gradients = tape.gradient(loss, [alpha.value, *(w.value for w in weights)])
        optimizers[0].apply(gradients[:1], [alpha])
        if weights:
            optimizers[1].apply(gradients[1:], weights)

    for temperature in np.geomspace(1.0, 0.03, steps):
        gumbel = generator.gumbel(size=cost.shape)
        disturbance = noise * generator.normal(size=cost.shape)
        step(*(tf.constant(a, "float32") for a in (gumbel, disturbance, temperature)))
    updated = ops.convert_to_numpy(modules(alpha))
    own = ops.convert_to_numpy(alpha)
    choice = updated.argmax(-1)
    paid = np.take_along_axis(cost, choice[..., None], -1)[..., 0]
    return {
        "best": float((choice == cost.argmin(-1)).mean()),
        "uniform_cells": float((choice == choice[:, :1]).all(-1).sum()),
        "above_best": float((paid - cost.min(-1)).mean()),
        "alpha_spread": float(own.std()),
        "message_spread": float((updated - own).std()),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few steps, one seed")
    parser.add_argument("--noise", type=float, default=3.0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seeds", type=int)
    options = parser.parse_args()
    steps = options.steps or (120 if options.quick else 1440)
    seeds = range(options.seeds or (1 if options.quick else 3))
    usual = guidance_rate(ALPHA_LR, WIDTH, CELLS)
    settings = [("none", ALPHA_LR), ("fc", usual), ("ggm", ALPHA_LR)]
    settings += [("ggm", ALPHA_LR / WIDTH), ("ggm", usual), ("ggm", usual / 4)]
    found = []
    for rho in (0.0, 0.9):
        for mode, rate in settings:
            each = [search(mode, rate, rho, options.noise, steps, s) for s in seeds]
            figures = {
                k: round(float(np.mean([e[k] for e in each])), 3) for k in each[0]
            }
            row = {"rho": rho, "mode": mode, "divided_by": round(ALPHA_LR / rate)}
            found.append(row | figures)
            print("  ".join(f"{k} {v}" for k, v in found[-1].items()), flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
