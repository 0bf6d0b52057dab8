"""The closing table and the HTML report of a run."""

from lgcnet_tf.report.html import write_html
from lgcnet_tf.report.run import plot_run, read_run
from lgcnet_tf.report.summary import summary_table

__all__ = ["plot_run", "read_run", "summary_table", "write_html"]
