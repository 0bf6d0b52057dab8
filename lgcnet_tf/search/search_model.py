"""The supernet with its architecture: what a search trains."""

import keras
from keras import ops

from lgcnet_tf.latency.estimate import CostModel, LatencyLoss
from lgcnet_tf.model.network import Network
from lgcnet_tf.search.architecture import Architecture


class SearchModel(keras.Model):
    """One loss, one backward pass for weights and architecture (Eq. 10).

    `call` draws Z once per step (Eq. 3, 4), runs the supernet with it and adds
    the latency loss; Keras' `train_step` then differentiates both losses and a
    `JointOptimizer` steps weights and architecture on the same batch. Under a
    strategy every replica draws the same noise, and Keras divides the added
    loss by the replicas.

    Args:
        network: the supernet.
        architecture: α and the communication between cells.
        cost_model: expected latency of Z (Eq. 8, 9).
        latency_loss: turns it into a loss.
    """

    def __init__(
        self,
        network: Network,
        architecture: Architecture,
        cost_model: CostModel,
        latency_loss: LatencyLoss,
    ):
        super().__init__(name="search")
        self.network = network
        self.architecture = architecture
        self.cost_model = cost_model
        self.latency_loss = latency_loss
        self.temperature = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="temperature"
        )
        # From `call` to `compute_loss`: on JAX a metric cannot change in `call`.
        self.step_latency_ms = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="mean",
            name="step_latency_ms",
        )
        self.latency_tracker = keras.metrics.Mean(name="expected_latency_ms")
        self.built = True

    def call(self, images, training=None):
        z = self.architecture(
            ops.convert_to_tensor(self.temperature), training=training
        )
        latency_us = self.cost_model.expected_latency(z)
        if training:
            self.add_loss(self.latency_loss(latency_us))
            self.step_latency_ms.assign(latency_us / 1000.0)
        return self.network(images, weights=z, training=training)

    def compute_loss(self, *args, training=True, **kwargs):
        if training:
            self.latency_tracker.update_state(
                ops.convert_to_tensor(self.step_latency_ms)
            )
        return super().compute_loss(*args, training=training, **kwargs)
