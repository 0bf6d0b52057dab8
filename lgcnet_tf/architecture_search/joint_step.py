"""The joint step of weights and architecture in each backend's form (Eq. 10).

Each is the same: one batch, one loss, one backward pass, and weights and
architecture stepped on it together. What differs is who keeps the gradients: a tape
on TensorFlow, the tensors themselves on PyTorch, a function of the state on JAX.
"""

from typing import Any

import keras
from keras import ops

from lgcnet_tf.model.normalization import replicas


def joint_step(model: keras.Model, *arguments: Any) -> Any:
    """One step of a compiled search model whose optimiser is built.

    Args:
        model: its `compute_loss` has the latency's share, its optimiser steps every
            group of variables.
        arguments: what Keras hands to `train_step`: a pair of uint8 images (batch,
            height, width, 3) and int32 labels (batch, height, width); on JAX the
            state before it.

    Returns:
        The metrics by name; on JAX the new state too.
    """
    return _STEPS[keras.backend.backend()](model, *arguments)


def _tensorflow_step(model, data):
    import tensorflow as tf

    images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = model.compute_loss(x=images, y=labels, y_pred=logits, training=True)
    gradients = tape.gradient(loss, variables)
    # Under a strategy this sums them over the replicas, for each group's clipping too.
    model.optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return _metrics(model, loss, images, labels, logits)


def _torch_step(model, data):
    import torch

    images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
    variables = model.trainable_variables
    logits = model(images, training=True)
    loss = model.compute_loss(x=images, y=labels, y_pred=logits, training=True)
    gradients = torch.autograd.grad(
        loss, [v.value for v in variables], allow_unused=True
    )
    with torch.no_grad():
        model.optimizer.apply(list(gradients), variables)
        return _metrics(model, loss, images, labels, logits)


def _jax_step(model, state, data):
    """Keras' own, which differentiates a function of the state and returns a new one."""
    return keras.Model.train_step(model, state, data)


def _metrics(model, loss, images, labels, logits):
    """Updates every metric; a replica's share of the loss counts as a whole one."""
    if (count := replicas()) > 1:
        loss = ops.multiply(loss, ops.cast(count, loss.dtype))
    for metric in model.metrics:
        if metric.name == "loss":
            metric.update_state(loss, sample_weight=ops.shape(images)[0])
    return model.compute_metrics(images, labels, logits)


_STEPS = {"tensorflow": _tensorflow_step, "torch": _torch_step, "jax": _jax_step}
