"""Measuring, the latency table, and a network's latency from it (Eq. 8-10)."""

from lgcnet_tf.latency.estimate import CostModel, LatencyLoss, one_hot_weights
from lgcnet_tf.latency.runtimes import RUNTIMES, Runtime, get_runtime
from lgcnet_tf.latency.table import LatencyEntry, LatencyTable
