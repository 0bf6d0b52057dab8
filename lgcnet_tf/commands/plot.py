"""Drawing a run folder as a command."""

import dataclasses
import sys

from lgcnet_tf.config import RunOptions, option
from lgcnet_tf.errors import InputError
from lgcnet_tf.space.choices import choice_lines
from lgcnet_tf.terminal import show_table


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlotOptions(RunOptions):
    """Options of the figures."""

    output_dir: str = option(
        "", "Run folder to draw, which gets the figures.", needed="name the run folder."
    )


def plot(options: PlotOptions) -> None:
    """Draws all that the run folder holds, prints the files and the figures.

    Raises:
        InputError: no folder, or nothing in it to draw.
    """
    from lgcnet_tf.report.run import plot_run, read_run
    from lgcnet_tf.report.summary import class_rows, headline, summary_table

    if not options.output_dir:
        raise InputError("--output_dir is missing: name the run folder to draw.")
    for path in plot_run(options.output_dir):
        print(path)
    results = read_run(options.output_dir).results
    if results and headline(results):
        title = str(options.output_dir)
        if sys.stdout.isatty():
            rows = [*headline(results), ("", ""), *class_rows(results)]
            show_table(("", ""), rows, title)
        else:
            print(summary_table(results, title))
    for line in choice_lines(results or {}):
        print(line)
