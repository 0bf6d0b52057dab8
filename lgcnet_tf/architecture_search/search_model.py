"""The supernet with its architecture: what a search trains."""

import threading

import keras
from keras import ops

from lgcnet_tf.architecture_search.architecture import Architecture
from lgcnet_tf.architecture_search.joint_step import joint_step
from lgcnet_tf.latency.estimate import CostModel, LatencyLoss
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.normalization import own_part, replicas


class SearchModel(keras.Model):
    """One loss, one backward pass for weights and architecture (Eq. 10).

    `call` draws Z once per step (Eq. 3, 4) or for each image and runs the supernet;
    `compute_loss` adds the latency loss. `train_step` differentiates the sum and a
    `JointOptimizer` steps weights and architecture on the same batch.
    Under a strategy every replica draws the same noise, that of all images, and has
    its share of the latency loss, as the replicas' gradients are summed. Where each
    image has its Z, their mean is charged.

    Args:
        network: the supernet.
        architecture: α and the communication between cells.
        cost_model: expected latency of Z (Eq. 8, 9).
        latency_loss: turns it into a loss; its weight becomes a variable.

    Attributes:
        latency_weight: λ, a scalar variable.
        latency_multiplier: what `LatencyTarget` keeps from step to step.
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
        self.latency_weight = self._scalar("latency_weight", latency_loss.weight)
        self.latency_multiplier = self._scalar("latency_multiplier", 0.0)
        self.latency_loss = LatencyLoss(
            self.latency_weight, latency_loss.form, latency_loss.target_us
        )
        self.temperature = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="temperature"
        )
        # What `call` leaves to `compute_loss`. Each replica is a thread: Keras'
        # `add_loss` has one list for all of them, whose losses pile up.
        self._step = threading.local()
        self.latency_tracker = keras.metrics.Mean(name="expected_latency_ms")
        self.latency_loss_tracker = keras.metrics.Mean(name="latency_loss")
        self.built = True

    def _scalar(self, name, value):
        return self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(value),
            trainable=False,
            autocast=False,
            name=name,
        )

    def call(self, images, training=None, noise=None):
        z = self.architecture(
            ops.convert_to_tensor(self.temperature),
            training=training,
            noise=noise,
            batch=ops.shape(images)[0] * replicas(),
        )
        mean = z
        if len(z.shape) == 3:  # of each image
            mean = ops.mean(z, axis=0)
            z = ops.moveaxis(own_part(z), 0, -1)[..., None, None, None]
        if training:
            self._step.latency_us = self.cost_model.expected_latency(mean)
        return self.network(images, weights=z, training=training)

    def compute_loss(self, *args, training=True, **kwargs):
        loss = super().compute_loss(*args, training=training, **kwargs)
        if not training:
            return loss
        latency_loss = self.latency_loss(self._step.latency_us)
        self.latency_tracker.update_state(self._step.latency_us / 1000.0)
        self.latency_loss_tracker.update_state(latency_loss)
        return loss + latency_loss / replicas()

    def train_step(self, *arguments):
        """One batch, one loss, one backward pass, both groups stepped."""
        return joint_step(self, *arguments)

    def get_metrics_result(self):
        """Also the cross-entropy, which is what the latency leaves of the loss."""
        results = super().get_metrics_result()
        difference = results["loss"] - results["latency_loss"]
        return results | {"cross_entropy": difference}
