"""Figures, the closing table and the HTML report of a run."""

from lgcnet_tf.report.charts import (
    alpha_heatmap,
    latency_bars,
    per_class_iou,
    training_curves,
)
from lgcnet_tf.report.graphs import draw_fusion_cell, draw_genotype
from lgcnet_tf.report.html import write_html
from lgcnet_tf.report.pictures import side_by_side
from lgcnet_tf.report.run import plot_run, read_run
from lgcnet_tf.report.summary import summary_table

__all__ = [
    "alpha_heatmap",
    "draw_fusion_cell",
    "draw_genotype",
    "latency_bars",
    "per_class_iou",
    "plot_run",
    "read_run",
    "side_by_side",
    "summary_table",
    "training_curves",
    "write_html",
]
