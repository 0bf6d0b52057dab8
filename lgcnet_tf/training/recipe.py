"""What a finetuning can add to the plain recipe: its options and what they make."""

from typing import Any

import keras

from lgcnet_tf.data import Samples
from lgcnet_tf.data.rare_crops import RareCrops, rare_classes
from lgcnet_tf.model.auxiliary import auxiliary_heads
from lgcnet_tf.model.network import Network
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.recipe_options import RecipeOptions
from lgcnet_tf.training.region_losses import with_regions
from lgcnet_tf.training.supervised import SupervisedNetwork
from lgcnet_tf.training.teacher import Teachers


def augmentation(
    options: RecipeOptions, samples: Samples
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What of the augmentation is added, for `fit`, and lines for the log.

    Raises:
        InputError: no class of the samples is rare.
    """
    added: dict[str, Any] = {"color_jitter": options.color_jitter}
    if not options.rare_crops:
        return added, ()
    rare = rare_classes(samples)
    added["rare_crops"] = RareCrops(options.rare_crops, tuple(rare))
    names = ", ".join(
        f"{samples.info.class_names[number]} {100 * share:.2g} %"
        for number, share in rare.items()
    )
    return added, (
        f"{100 * options.rare_crops:.3g} % of the crops look for a rare class: {names}",
    )


def segmentation_loss(
    options: RecipeOptions, void_label: int, hardest: float, class_weights
) -> keras.losses.Loss:
    """The loss of the network's logits, and of each auxiliary head's."""
    entropy = CrossEntropy(void_label, hardest, class_weights)
    return with_regions(entropy, options.lovasz_weight, options.dice_weight)


def supervised(
    network: Network, options: RecipeOptions, void_label: int
) -> keras.Model:
    """What is to be trained of `network`: itself, or with heads and teachers.

    Call it in the strategy's scope and under the run's precision.

    Raises:
        InputError: the network has no place for a head; a teacher does not fit.
    """
    if not options.auxiliary_weight and not options.teacher:
        return network
    teachers = None
    if options.teacher:
        teachers = Teachers(
            options.teacher,
            network.num_classes,
            options.crops().sizes,
            options.teacher_temperature,
        )
    return SupervisedNetwork(
        network,
        auxiliary_heads(network) if options.auxiliary_weight else None,
        options.auxiliary_weight,
        teachers,
        options.teacher_weight,
        void_label,
    )
