"""Running trials through Ray Tune, on one machine or a cluster."""

import contextlib
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lgcnet_tf.errors import InputError
from lgcnet_tf.sweep.launch import CPUS_PER_TRIAL, THREADS
from lgcnet_tf.sweep.trial import STOPPED, Trial, run_trial


def run_on_ray(
    trials: Sequence[Trial],
    parallel: int,
    stopping: Callable[[], bool],
    report: Callable[[str], None],
) -> Mapping[str, str]:
    """Runs all trials, each as a trial of Ray Tune.

    Joins the cluster that Ray finds (`RAY_ADDRESS`), or starts Ray here. The
    machines must share the folders that the sweep reads and writes. A trial
    asks for `CPUS_PER_TRIAL` CPUs, or what the smallest machine has, and for a
    GPU where the cluster has any. With `parallel`, at most so many run at a
    time, and on machines without GPUs they share the CPUs of the cluster.

    Args:
        stopping: once true no stage starts any more, and the running ones end.
        report: told how a trial ended.

    Returns:
        What `run_trial` returned, by the trial's name.

    Raises:
        InputError: Ray Tune is not installed.
    """
    ray, tune = import_ray()
    if not trials:
        return {}
    own = not ray.is_initialized()
    if own:
        handler = signal.getsignal(signal.SIGTERM)
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray put its own there
    try:
        return _run(ray, tune, trials, parallel, stopping, report)
    finally:
        if own:
            ray.shutdown()


def import_ray() -> tuple[Any, Any]:
    """`ray` and `ray.tune`.

    Raises:
        InputError: they are not installed.
    """
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the sweep reports itself
    try:
        import ray
        from ray import tune
    except ImportError:
        raise InputError(
            "--launcher=ray needs Ray Tune: pip install 'ray[train,tune]'."
        ) from None
    return ray, tune


def _run(ray, tune, trials, parallel, stopping, report) -> Mapping[str, str]:
    resources = _resources(ray, parallel)
    by_name = {trial.name: trial for trial in trials}
    threads = str(max(1, int(resources["cpu"])))
    environment = dict.fromkeys(THREADS, threads)

    def train(config):
        trial = by_name[config["trial"]]
        outcome = run_trial(trial, environment)
        figures = {"outcome": outcome}
        if not outcome:
            evaluated = trial.results("evaluate")
            figures["miou"] = evaluated["miou"]
            figures["predicted_ms"] = evaluated["predicted_latency_ms"]
        tune.report(figures)

    class Report(tune.Callback):
        def on_trial_result(self, iteration, trials, trial, result, **info):
            report(f"{result['config']['trial']}: {result['outcome'] or 'done'}")

    tuner = tune.Tuner(
        tune.with_resources(train, resources),
        param_space={"trial": tune.grid_search(list(by_name))},
        tune_config=tune.TuneConfig(max_concurrent_trials=parallel or None),
        run_config=tune.RunConfig(
            name="ray",
            storage_path=str(_sweep_folder(trials[0])),
            callbacks=[Report()],
            verbose=0,
        ),
    )
    try:
        with _told_to_stop(stopping):
            results = tuner.fit()
    except ValueError as error:
        if "experiment_state" not in str(error):
            raise
        results = ()  # stopped before Tune saved anything of its own
    outcomes = dict.fromkeys(by_name, STOPPED)
    for result in results:
        name = (result.config or {}).get("trial")
        if result.error:
            outcomes[name] = str(result.error).strip().splitlines()[-1]
        elif result.metrics and "outcome" in result.metrics:
            outcomes[name] = result.metrics["outcome"]
    if stopping():
        outcomes = {name: outcome and STOPPED for name, outcome in outcomes.items()}
    return outcomes


@contextlib.contextmanager
def _told_to_stop(stopping: Callable[[], bool]) -> Iterator[None]:
    """Tells Ray Tune once `stopping` is true, by the signal that it listens to.

    It then ends its workers and, without waiting, their stages, which go on
    from their last checkpoint.
    """
    over = threading.Event()

    def watch():
        while not over.wait(0.2):
            # Without Tune's handler this signal would end the process.
            if stopping() and callable(signal.getsignal(signal.SIGUSR1)):
                os.kill(os.getpid(), signal.SIGUSR1)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _resources(ray, parallel) -> dict[str, float]:
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = min(machine.get("CPU", 1.0) for machine in machines)
    if any(machine.get("GPU") for machine in machines):
        return {"cpu": min(cpus, CPUS_PER_TRIAL), "gpu": 1}
    if parallel:
        total = sum(machine.get("CPU", 1.0) for machine in machines)
        return {"cpu": max(1.0, min(cpus, total // parallel))}
    return {"cpu": min(cpus, CPUS_PER_TRIAL)}


def _sweep_folder(trial: Trial) -> pathlib.Path:
    return (trial / "").resolve().parents[1]
