"""A hand-made network trained as `recipe.py` trains ours, on a drive left out.

    python benchmarks/handmade.py --data_dir=CAMVID_FOLDER --input_size=180x240 \\
        --crop_size=120x160
    python benchmarks/handmade.py --quick

Trains ENet (Paszke et al., 2016) from scratch by the recipe of `recipe.md`, with the same
images, passes and seed as its first row, so that what is compared is the architecture.
The decoder repeats pixels where ENet unpools by the places of its maxima, which Keras
cannot.

The same command goes on where it was stopped. The last line printed is JSON: `miou`, the
mean of the last `--last` measurements; `per_class_iou` of the last weights; `params`,
`macs`.
"""

import json
import shlex
import statistics

from common import TOY_DATA, data_flags, data_parser
from recipe import RECIPE


def parse_arguments(arguments=None):
    """The options; `--quick` changes the defaults of those not given."""
    parser = data_parser(__doc__, "toy streets, two epochs")
    add = parser.add_argument
    add("--epochs", type=int, default=43, help="43 of CamVid's are 7,000 whole images")
    add("--every", type=int, default=7, help="epochs from one measurement to the next")
    add("--last", type=int, default=3, help="so many measurements at the end count")
    add("--seed", type=int, default=0)
    if parser.parse_args(arguments).quick:
        parser.set_defaults(**TOY_DATA, epochs=2, every=1, last=1)
    parser.set_defaults(output_dir="runs/handmade")
    return parser.parse_args(arguments)


def enet(num_classes, input_size):
    """ENet: uint8 RGB (batch, height, width, 3) to logits of the same size.

    Args:
        num_classes: of the logits.
        input_size: (height, width); made up to multiples of 8 with zeros inside.
    """
    from keras import Model, layers

    def normalised(x, decoder):
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.ReLU()(x) if decoder else layers.PReLU(shared_axes=[1, 2])(x)

    def conv(x, filters, kernel=1, bias=False, **kwargs):
        return layers.Conv2D(
            filters, kernel, padding="same", use_bias=bias, **kwargs
        )(x)  # fmt: skip

    def bottleneck(x, filters, kind="regular", rate=1, drop=0.1, decoder=False):
        inner, short = filters // 4, x
        down, up = kind == "down", kind == "up"
        y = conv(x, inner, 2 if down else 1, strides=2 if down else 1)
        y = normalised(y, decoder)
        if up:
            y = layers.Conv2DTranspose(inner, 3, 2, "same", use_bias=False)(y)
        elif kind == "asymmetric":
            y = conv(conv(y, inner, (5, 1)), inner, (1, 5))
        else:
            y = conv(y, inner, 3, dilation_rate=rate)
        y = layers.BatchNormalization(momentum=0.9)(
            conv(normalised(y, decoder), filters)
        )
        y = layers.SpatialDropout2D(drop)(y)
        if down:
            short = layers.MaxPooling2D(2)(short)
            short = layers.Concatenate()(
                [short, conv(short, filters - short.shape[-1])]
            )
        if up:
            short = layers.BatchNormalization(momentum=0.9)(conv(short, filters))
            short = layers.UpSampling2D(2)(short)
        total = layers.Add()([short, y])
        return (
            layers.ReLU()(total) if decoder else layers.PReLU(shared_axes=[1, 2])(total)
        )

    added = tuple((0, -side % 8) for side in input_size)
    images = layers.Input((*input_size, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, -1.0)(images)
    x = layers.ZeroPadding2D(added)(x)
    x = layers.Concatenate()([conv(x, 13, 3, strides=2), layers.MaxPooling2D(2)(x)])
    x = bottleneck(normalised(x, False), 64, "down", drop=0.01)
    for _ in range(4):
        x = bottleneck(x, 64, drop=0.01)
    x = bottleneck(x, 128, "down")
    for _ in range(2):
        for kind, rate in zip(["regular", "asymmetric"] * 2, (2, 4, 8, 16)):
            x = bottleneck(x, 128, kind)
            x = bottleneck(x, 128, rate=rate)
    x = bottleneck(x, 64, "up", decoder=True)
    for _ in range(2):
        x = bottleneck(x, 64, decoder=True)
    x = bottleneck(x, 16, "up", decoder=True)
    x = bottleneck(x, 16, decoder=True)
    logits = layers.Conv2DTranspose(num_classes, 2, 2, "same", dtype="float32")(x)
    return Model(images, layers.Cropping2D(added)(logits), name="enet")


def options_of(options):
    """The options of a finetuning by the recipe."""
    from absl import flags

    from lgcnet_tf.bin.flags import define_flags, options_from_flags
    from lgcnet_tf.commands.finetune import FinetuneOptions

    define_flags(FinetuneOptions)
    given = [
        *data_flags(options), *shlex.split(RECIPE), f"--epochs={options.epochs}",
        f"--seed={options.seed}", f"--validate_every={options.every}",
        "--pictures_every=0", f"--output_dir={options.output_dir}",
    ]  # fmt: skip
    flags.FLAGS(["handmade", *given])
    return options_from_flags(FinetuneOptions)


def main(options):
    """Trains; the figures."""
    from lgcnet_tf.data import steps_per_epoch
    from lgcnet_tf.data.class_weights import class_weights
    from lgcnet_tf.evaluation.evaluate import evaluate, mask_function
    from lgcnet_tf.evaluation.macs import count_macs
    from lgcnet_tf.training.fit import compile_for_segmentation
    from lgcnet_tf.training.recipe import segmentation_loss
    from lgcnet_tf.training.run import training_run
    from lgcnet_tf.training.setup import averaged, optimizer_for
    from lgcnet_tf.training.validation import Validation

    recipe = options_of(options)
    with training_run(recipe, "handmade") as run:
        samples, info = run.data.samples, run.data.samples.info
        weights = class_weights(samples, recipe.class_weights, recipe.class_weights_c)
        with run.building():
            network = enet(info.num_classes, recipe.crop_size)
        with run.strategy.scope():
            steps = steps_per_epoch(samples, recipe.batch_size)
            compile_for_segmentation(
                network,
                optimizer_for(recipe, steps, recipe.schedule, recipe.l2),
                segmentation_loss(recipe, info.void_label, recipe.hardest, weights),
                info.num_classes,
            )
        average, get_weights = averaged(network, recipe.ema, run.strategy)
        folder = run.open_folder({})
        whole = enet(info.num_classes, recipe.input_size)
        whole.input_size = recipe.input_size
        validation = Validation(
            whole, run.data.validation, options.every, options.epochs, 0, folder,
            get_weights,
        )  # fmt: skip
        run.announce(network, samples, run.data.validation)
        history = run.fit(network, samples, callbacks=average, measures=[validation])
        name, measured = next(iter(run.data.validation.items()))
        whole.set_weights(get_weights())
        found = evaluate(mask_function(whole), measured, progress=False).to_dict()
        every = [epoch[name] for epoch in history if name in epoch]
        return {
            "miou": round(statistics.mean(every[-options.last :]), 4),
            "per_class_iou": {
                k: round(v or 0.0, 3) for k, v in found["per_class_iou"].items()
            },
            "params": network.count_params(),
            "macs": count_macs(whole),
        }


if __name__ == "__main__":
    print(json.dumps(main(parse_arguments())))
