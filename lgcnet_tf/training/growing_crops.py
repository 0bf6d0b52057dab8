"""A network whose crops grow while it is trained."""

import keras

from lgcnet_tf.model.network import Network
from lgcnet_tf.model.sizes import set_input_size
from lgcnet_tf.training.crop_schedule import CropSchedule


class GrowingCrops(keras.callbacks.Callback):
    """Brings the network to the size of each epoch's crops.

    Args:
        network: what is trained, or its part.
        schedule: of the sizes.
        epochs: of the whole run.
    """

    def __init__(self, network: Network, schedule: CropSchedule, epochs: int):
        super().__init__()
        self.network = network
        self.schedule = schedule
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        size = self.schedule.size_at(epoch, self.epochs)
        if size != self.network.input_size:
            set_input_size(self.network, size)
            # What is compiled is for the old size, also where shapes look alike.
            self.model.make_train_function(force=True)
