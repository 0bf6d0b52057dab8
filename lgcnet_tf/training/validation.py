"""The mIoU of a split at full size, now and then while training."""

from lgcnet_tf.data import Samples
from lgcnet_tf.evaluation import evaluate, mask_function
from lgcnet_tf.model.network import Network
from lgcnet_tf.space.skeleton import Size


class Validation:
    """Called at each epoch's end; evaluates every few epochs and at the last.

    Args:
        network: in training, at the size of the crops.
        samples: what to evaluate on, or None for never.
        input_size: (height, width) of evaluation.
        every: epochs from one evaluation to the next.
        epochs: epochs of the whole run.
    """

    def __init__(
        self,
        network: Network,
        samples: Samples | None,
        input_size: Size,
        every: int,
        epochs: int,
    ):
        self.samples = samples
        self.every = every
        self.epochs = epochs
        self.network = network
        if samples is not None:
            config = network.get_config() | {"input_size": input_size}
            self.full_size = Network.from_config(config)
            self.predict_mask = mask_function(self.full_size)

    def __call__(self, epoch: int) -> dict[str, float]:
        """Figures of `epoch`, counted from 0: `val_miou`, a fraction, or none."""
        done = epoch + 1
        if self.samples is None or (done % self.every and done != self.epochs):
            return {}
        self.full_size.set_weights(self.network.get_weights())
        result = evaluate(self.predict_mask, self.samples, progress=False)
        return {"val_miou": result.miou}
