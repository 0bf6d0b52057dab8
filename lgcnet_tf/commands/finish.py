"""The end of a run: its results, then its page."""

from typing import Any

from lgcnet_tf.run_folder import RunFolder


def finish(
    folder: RunFolder, results: dict[str, Any], made: Any = "", draw: bool = False
) -> dict:
    """`RunFolder.finish`, and `report.html` with all that the folder holds.

    The log's last line names `made`, or the page where the run is for that.

    With `draw` the folder gets the figures of `lgcnet-plot` too. A report that cannot be
    written takes nothing from a run that has finished.
    """
    try:
        from lgcnet_tf.report.run import REPORT, plot_run, write_report
    except ModuleNotFoundError as error:  # a look at data needs no Keras, its page does
        done = folder.finish(results, made)
        folder.log.warning("no report: %s is not installed.", error.name)
        return done
    done = folder.finish(results, made or folder / REPORT)
    try:
        plot_run(folder.path) if draw else write_report(folder.path)
    except Exception as error:  # of whatever lies in the folder
        folder.log.warning("no report: %s: %s", type(error).__name__, error)
    return done
