"""Searching a network and training it."""

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from lgcnet_tf.api.models import as_file
from lgcnet_tf.api.run import folder_for, keep, make_options, run_once, with_options
from lgcnet_tf.commands.choose import ChooseOptions
from lgcnet_tf.commands.derive import DeriveOptions
from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.commands.search import SearchOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import ALPHAS, GENOTYPE, LATENCY_TABLE, MODEL
from lgcnet_tf.space.choices import read_probabilities
from lgcnet_tf.space.genotype import Genotype

if TYPE_CHECKING:
    from lgcnet_tf.model.network import Network

_HISTORY, _INITIAL = "history.json", "initial.keras"


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        genotype: the network's architecture.
        predicted_latency_ms: its latency by the table.
        probabilities: softmax(α') of the edges of `genotype.skeleton.edges`, (E, C), 0
            past an edge's candidates; None of a random search.
        history: figures of each epoch; empty for a random search.
        results: all figures of the run, as in its `results.json`.
        folder: the run's, for `initial_model` of a finetuning and for pictures.

    Example:
        With `result` of `search`:

        >>> best = result.probabilities.argmax(-1)
        >>> bool((best == result.genotype.choice).mean() > 0.5)
        True
        >>> round(result.history[0]["derived_latency_ms"] / result.predicted_latency_ms)
        1
    """

    genotype: Genotype
    predicted_latency_ms: float
    probabilities: np.ndarray | None
    history: list[dict[str, Any]]
    results: dict[str, Any]
    folder: pathlib.Path


@with_options(SearchOptions, "output_dir", "latency_table")
def search(
    table: LatencyTable | str | os.PathLike,
    *,
    output_dir: str | os.PathLike | None = None,
    **options: Any,
) -> SearchResult:
    """Searches a network in the space of a latency table.

    Args:
        table: of `measure_latency`, or the path of one. Data set, search space and
            `input_size` are the table's unless they are given.
        output_dir: folder of checkpoints, log, pictures and results, from which the
            same call goes on after an interruption; else temporary.

    Raises:
        InputError: bad arguments, data or table; a loss that became NaN.

    Example:
        With `table` of `measure_latency`:

        >>> import lgcnet_tf as lt
        >>> result = lt.search(
        ...     table, dataset="toy_streets", epochs=1, batch_size=64, ggm_width=4,
        ...     validation_split="")
        >>> result.genotype.skeleton == table.skeleton
        True
        >>> result.genotype.skeleton.of_cells(result.probabilities).shape
        (2, 5, 2)
    """
    from lgcnet_tf.commands import search as command

    folder = folder_for(output_dir)
    if isinstance(table, LatencyTable):
        path = keep(table, folder / LATENCY_TABLE)
    else:
        path = os.fspath(table)
    values = options | {"latency_table": path, "output_dir": str(folder)}
    made = make_options(SearchOptions, values)
    results = run_once(command.search, made, command.resolved)
    return _search_result(folder, results)


@with_options(DeriveOptions, "output_dir", "search_dir", "latency_table")
def derive(
    search: SearchResult | str | os.PathLike,
    *,
    table: LatencyTable | str | os.PathLike | None = None,
    output_dir: str | os.PathLike | None = None,
    **options: Any,
) -> SearchResult:
    """Derives another network from a search: at another latency, for another device.

    Args:
        search: a result of `search`, or the folder of one.
        table: of the same space, or the path of one; by default the search's own.
        output_dir: folder of genotype and results; else temporary. It has no weights:
            a finetuning takes them from the search (`initial_model`), or from another
            network of the same search that has been trained.

    Raises:
        InputError: bad arguments, no such search, a table of another space, a target
            out of its reach.

    Example:
        With `result` of `search`:

        >>> import lgcnet_tf as lt
        >>> again = lt.derive(result)  # no target, as the search had none
        >>> again.genotype.id == result.genotype.id
        True
    """
    from lgcnet_tf.commands import derive as command

    folder = folder_for(output_dir)
    values = options | _of_search(search, table, folder)
    results = run_once(command.derive, make_options(DeriveOptions, values))
    return _search_result(folder, results)


@with_options(ChooseOptions, "output_dir", "search_dir", "latency_table")
def choose(
    search: SearchResult | str | os.PathLike,
    *,
    table: LatencyTable | str | os.PathLike | None = None,
    output_dir: str | os.PathLike | None = None,
    **options: Any,
) -> SearchResult:
    """Trains several networks of a search for a few epochs and keeps the best.

    They are of one latency. Each is trained by a process of its own with the options of
    `finetune`, and measured on the groups left out or the validation split.

    Args:
        search: a result of `search`, or the folder of one.
        table: of the same space, or the path of one; by default the search's own.
        output_dir: folder of genotype, results and trainings, from which the same call
            goes on after an interruption; else temporary.

    Returns:
        The best network. `results["candidates"]` has the figures of all, the search's
        own network first.

    Raises:
        InputError: bad arguments or data, no such search, a table of another space, a
            target out of its reach, or nothing to measure on.

    Example:
        With `result` of `search`:

        >>> import lgcnet_tf as lt
        >>> best = lt.choose(result, candidates=2, epochs=1, batch_size=64)
        >>> len(best.results["candidates"]), best.results["measured"]
        (2, 'val_miou')
    """
    from lgcnet_tf.commands import choose as command

    folder = folder_for(output_dir)
    values = options | _of_search(search, table, folder)
    results = run_once(command.choose, make_options(ChooseOptions, values))
    return _search_result(folder, results)


def _of_search(search, table, folder) -> dict[str, str]:
    """The options that name a search, a table and the folder."""
    path = search.folder if isinstance(search, SearchResult) else search
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(
            "search must be a result of `search`, or the folder of one. "
            f"Received: {search!r}"
        )
    values = {"search_dir": os.fspath(path), "output_dir": str(folder)}
    if isinstance(table, LatencyTable):
        values["latency_table"] = keep(table, folder / LATENCY_TABLE)
    elif table is not None:
        values["latency_table"] = os.fspath(table)
    return values


def _search_result(folder: pathlib.Path, results: dict[str, Any]) -> SearchResult:
    genotype, probabilities = Genotype.load(folder / GENOTYPE), None
    if (folder / ALPHAS).is_file():
        probabilities = read_probabilities(folder / ALPHAS, genotype.skeleton)
    trained = (folder / _HISTORY).is_file()
    return SearchResult(
        genotype,
        results["predicted_latency_ms"],
        probabilities,
        read_json(folder / _HISTORY) if trained else [],
        results,
        folder,
    )


@with_options(FinetuneOptions, "output_dir", "model", "initial_model")
def finetune(
    genotype: Genotype | str | os.PathLike,
    *,
    initial_model: "SearchResult | Network | str | os.PathLike | None" = None,
    output_dir: str | os.PathLike | None = None,
    **options: Any,
) -> "Network":
    """Trains the network of a genotype.

    Args:
        genotype: of a search, the path of one, or a name of `list_models`.
        initial_model: what to take weights from where they fit: a search's result, a
            network, the path of either, or a name of `list_models`; else from scratch.
        output_dir: folder of checkpoints, log, history and `model.keras`, from which
            the same call goes on after an interruption; else temporary.

    Returns:
        The trained network at `input_size`. This and the data set are by default those
        of the genotype's search.

    Raises:
        InputError: bad arguments, data or genotype; a loss that became NaN.

    Example:
        With `result` of `search`:

        >>> import lgcnet_tf as lt
        >>> net = lt.finetune(
        ...     result.genotype, initial_model=result, dataset="toy_streets",
        ...     epochs=1, batch_size=64, validation_split="")
        >>> net.input_size
        (32, 64)
    """
    from lgcnet_tf.commands import finetune as command
    from lgcnet_tf.model.zoo import load_network

    folder = folder_for(output_dir)
    if isinstance(genotype, Genotype):
        path = keep(genotype, folder / GENOTYPE)
    else:
        path = os.fspath(genotype)
    values: dict[str, Any] = {}
    if isinstance(initial_model, SearchResult):
        values["initial_model"] = str(initial_model.folder)
    elif initial_model is not None:
        values["initial_model"] = as_file(initial_model, folder / _INITIAL)
    values |= options | {"model": path, "output_dir": str(folder)}
    made = make_options(FinetuneOptions, values)
    run_once(command.finetune, made, command.resolved)
    return load_network(folder / MODEL)
