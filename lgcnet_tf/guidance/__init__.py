"""Communication between the architectures of adjacent cells."""

from lgcnet_tf.guidance.communication import COMMUNICATIONS, Communication
from lgcnet_tf.guidance.ggm import GAMMA, WIDTH, GCNGuidedModule
