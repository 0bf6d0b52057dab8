"""The closing table and the HTML report of a run."""

from lgcnet_tf.report.run import plot_run, read_run, write_report
from lgcnet_tf.report.summary import summary_table

__all__ = ["plot_run", "read_run", "summary_table", "write_report"]
