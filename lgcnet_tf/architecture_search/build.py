"""The search model with its two optimisers, as the options of a search say."""

import keras
import numpy as np

from lgcnet_tf.architecture_search.architecture import Architecture
from lgcnet_tf.architecture_search.joint_optimizer import JointOptimizer
from lgcnet_tf.architecture_search.search_model import SearchModel
from lgcnet_tf.guidance.communication import Communication
from lgcnet_tf.guidance.settings import guidance_rate
from lgcnet_tf.latency.estimate import CostModel, LatencyLoss
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.precision import precision
from lgcnet_tf.space import Skeleton
from lgcnet_tf.training.fit import compile_for_segmentation
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.optimizers import SGD, Adam
from lgcnet_tf.training.options import TrainingOptions

CosineDecay = keras.optimizers.schedules.CosineDecay


def build_search_model(
    options: TrainingOptions,
    skeleton: Skeleton,
    cost_model: CostModel,
    steps: int,
    weights: np.ndarray | None = None,
) -> SearchModel:
    """A compiled search model with both optimisers built.

    Call it inside the strategy's scope.

    Args:
        options: of a search.
        steps: steps in the whole search, for the cosines.
        weights: of the classes in the loss, (classes,), or None.
    """
    keras.utils.set_random_seed(options.seed)
    with precision(options.mixed_precision):
        network = Network.supernet(
            skeleton, options.crop_size, sampling=options.sampling, remat=options.remat
        )
    model = SearchModel(
        network,
        Architecture(
            skeleton,
            options.communication,
            options.ggm_width,
            options.gamma,
            options.seed,
            options.sampling,
        ),
        cost_model,
        LatencyLoss(
            options.latency_weight,
            options.latency_form,
            1000.0 * options.target_latency_ms or None,
        ),
    )

    def architecture_adam(rate):
        if options.alpha_schedule == "cosine":
            rate = CosineDecay(rate, steps)
        return Adam(rate, beta_1=0.5, beta_2=0.999, l2=options.alpha_l2)

    cosine = CosineDecay(
        options.weight_lr, steps, alpha=options.weight_lr_final / options.weight_lr
    )
    optimizer = JointOptimizer(
        SGD(
            cosine,
            momentum=0.9,
            l2=options.weight_l2,
            global_clipnorm=options.clip_norm or None,
        ),
        {
            Architecture.SCOPE: architecture_adam(options.alpha_lr),
            Communication.SCOPE: architecture_adam(
                options.guidance_lr
                or guidance_rate(
                    options.alpha_lr, options.ggm_width, skeleton.num_cells
                )
            ),
        },
    )
    loss = CrossEntropy(class_weights=weights)
    compile_for_segmentation(model, optimizer, loss, skeleton.num_classes)
    return model
