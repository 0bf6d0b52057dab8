"""Communication between the architectures of adjacent cells."""

from lgcnet_tf.guidance.communication import COMMUNICATIONS, Communication, cell_kinds
from lgcnet_tf.guidance.fully_connected import FullyConnectedModule
from lgcnet_tf.guidance.ggm import GAMMA, WIDTH, GCNGuidedModule
