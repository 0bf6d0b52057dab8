"""What can be chosen: operations, skeleton, fusion cell, genotype."""

from lgcnet_tf.space.cells import CELL_EDGE_NAMES, CELL_EDGES, CellSpec
from lgcnet_tf.space.fusion import CAS, DENSE, FUSION_CELLS, FUSION_HEADS, FUSIONS
from lgcnet_tf.space.fusion_table import FusionHead, FusionTable
from lgcnet_tf.space.genotype import Genotype, random_genotype, uniform
from lgcnet_tf.space.operations import (
    CELL_OPERATIONS,
    FUSION_OPERATIONS,
    UP_OPERATIONS,
)
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.workloads import Workload, Workloads, space_id, workloads
