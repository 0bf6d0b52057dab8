"""Pictures of networks, trainings and predictions."""

from lgcnet_tf.figures.charts import (
    alpha_heatmap,
    choices_course,
    latency_bars,
    per_class_iou,
    training_curves,
)
from lgcnet_tf.figures.graphs import draw_fusion_cell, draw_genotype
from lgcnet_tf.figures.pictures import side_by_side
from lgcnet_tf.figures.style import png_bytes

__all__ = [
    "alpha_heatmap",
    "choices_course",
    "draw_fusion_cell",
    "draw_genotype",
    "latency_bars",
    "per_class_iou",
    "png_bytes",
    "side_by_side",
    "training_curves",
]
