"""Times the models beside this file, for a latency table that another machine makes.

    python time_models.py [--threads=N] [--device=NAME]

Needs Python 3.9 or newer, NumPy and the runtime that plan.json names, and nothing else.
Let the device do nothing else meanwhile. It may be interrupted: the same command goes
on. What it writes is samples.json, in this folder; bring that back to where the folder
was made.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import sys
import time

PLAN, SAMPLES = "plan.json", "samples.json"
MOST_THREADS = 1024  # more would only exhaust the system
SAVE_EVERY_S = 5.0
SAY_EVERY_S = 10.0


def main(arguments=None):
    options = parse(arguments)
    here = os.path.dirname(os.path.abspath(__file__))
    if here not in sys.path:  # an isolated Python leaves it out
        sys.path.insert(0, here)
    plan, reason = read_plan(here)
    if reason:
        return reason
    threads = options.threads or plan["threads"]
    try:
        import machine
        import sessions

        threads = threads or machine.available_cpus()
        if plan["runtime"] not in sessions.SESSIONS:
            return (
                f"{PLAN}: 'runtime' must be one of {', '.join(sessions.SESSIONS)}. "
                f"Received: {plan['runtime']}"
            )
        if threads > MOST_THREADS:
            return f"{PLAN}: 'threads' must be 0 to {MOST_THREADS}. Received: {threads}"
        kind = sessions.SESSIONS[plan["runtime"]]
        runtime = kind(threads, plan["precision"])
    except ImportError as error:
        package = {"litert": "ai-edge-litert"}.get(plan["runtime"], plan["runtime"])
        return f"time_models.py: {error}; pip install numpy {package}"
    if plan["precision"] not in runtime.precisions:
        return (
            f"time_models.py: {plan['runtime']} computes here in "
            f"{' or '.join(runtime.precisions)}, not in {plan['precision']}."
        )
    facts = {name: plan[name] for name in plan["facts"]}
    facts["runtime_version"] = runtime.version
    facts["threads"] = threads
    facts["device"] = options.device or runtime.accelerator or machine.cpu_description()
    kept = Samples(os.path.join(here, SAMPLES), facts)
    reason = kept.read()
    if reason:
        return reason
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    stopped = ""
    try:
        try:
            time_all(here, plan, runtime, kept)
        except KeyboardInterrupt:
            stopped = "\ntime_models.py: stopped; the same command goes on."
        kept.save()
    except CannotLoad as error:
        return f"time_models.py: {error}"
    except OSError as error:
        return f"{kept.path}: cannot be written: {error.strerror}; make room there."
    if stopped:
        return stopped
    print(f"{kept.path}: done; bring it back to where this folder was made.")
    return None


def parse(arguments):
    text = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="time_models.py", description=text)
    parser.add_argument(
        "--threads", type=int, default=0, help="of the CPU; 0 for plan.json's, or all."
    )
    parser.add_argument(
        "--device", default="", help="its name in the table, in place of the CPU's."
    )
    options = parser.parse_args(arguments)
    if not 0 <= options.threads <= MOST_THREADS:
        parser.error(f"--threads must be 0 to {MOST_THREADS}: {options.threads}")
    return options


def read_plan(here):
    """The plan, and one line of what is wrong with it or its models."""
    try:
        with open(os.path.join(here, PLAN)) as file:
            plan = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"{PLAN}: cannot be read: {error}; copy the whole folder again."
    reason = wrong_in_plan(plan)
    if reason:
        return {}, f"{PLAN}: {reason}; copy it again from where it was made."
    models = [plan["empty"], plan["reference"]]
    models += [*plan["operations"].values(), *plan["networks"].values()]
    for name in models:
        if not os.path.isfile(os.path.join(here, name)):
            return plan, f"{name}: is missing; copy the whole folder again."
    return plan, ""


def wrong_in_plan(plan):
    """What is not as it was written, in a few words."""
    if not isinstance(plan, dict):
        return "is no JSON object"
    for name, check, wanted in ENTRIES:
        if name not in plan:
            return f"{name!r} is missing"
        if not check(plan[name]):
            return f"{name!r} must be {wanted}. Received: {str(plan[name])[:80]}"
    absent = [name for name in plan["facts"] if name not in plan]
    return f"{absent[0]!r} is missing, which 'facts' names" if absent else ""


def is_text(value):
    return isinstance(value, str) and bool(value)


def is_count(least):
    """What tells whole numbers from `least` on."""
    return lambda value: type(value) is int and value >= least


def is_models(value):
    return isinstance(value, dict) and all(map(is_text, value.values()))


def is_texts(value):
    return isinstance(value, list) and all(map(is_text, value))


def are_times(groups):
    """Whether a file's times are lists of numbers by name."""
    return isinstance(groups, dict) and all(map(is_times, groups.values()))


def is_times(value):
    return isinstance(value, list) and all(type(v) in (int, float) for v in value)


ENTRIES = (
    ("runtime", is_text, "a runtime's name"),
    ("precision", is_text, "a precision's name"),
    ("facts", is_texts, "a list of names"),
    ("threads", is_count(0), "a whole number, 0 for all"),
    ("repeats", is_count(1), "a whole number of at least 1"),
    ("network_repeats", is_count(1), "a whole number of at least 1"),
    ("warmup", is_count(0), "a whole number of at least 0"),
    ("together", is_count(1), "a whole number of at least 1"),
    ("empty", is_text, "a model's file"),
    ("reference", is_text, "a model's file"),
    ("operations", is_models, "files of models by name"),
    ("networks", is_models, "files of models by name"),
)
"""What a plan has: name, what tells a right value, and that in words."""


class CannotLoad(Exception):
    """The runtime does not take a model."""


class Samples:
    """Times in µs by what was timed, kept in a file.

    Args:
        path: the file.
        facts: what the times are of; a file with others is refused.

    Attributes:
        operations, networks: lists of times, by the plan's names.
        reference: times of one operation, taken over and over in between.
    """

    def __init__(self, path, facts):
        self.path, self.facts = path, facts
        self.operations, self.networks, self.reference = {}, {}, []
        self._saved = time.monotonic()

    def read(self):
        """Takes what the file has; one line of why it cannot, if so."""
        if not os.path.exists(self.path):
            return ""
        try:
            with open(self.path) as file:
                found = json.load(file)
            before = {name: found["facts"].get(name) for name in self.facts}
            self.operations, self.networks = found["operations"], found["networks"]
            self.reference = found["reference"]
            if not (are_times(self.operations) and are_times(self.networks)):
                raise ValueError("its times are no lists of numbers")
            if not is_times(self.reference):
                raise ValueError("its reference is no list of numbers")
        except (
            OSError,
            ValueError,
            KeyError,
            AttributeError,
            TypeError,
            RecursionError,
        ) as error:
            return f"{self.path}: cannot be read: {error!r}; remove it to begin anew."
        for name, now in self.facts.items():
            if before[name] != now:
                return (
                    f"{self.path}: begun with {name} {before[name]}, now it is {now}; "
                    "remove the file to begin anew."
                )
        return ""

    def add(self, group, round_us):
        """Keeps a whole round, one time of each; saves now and then."""
        kept = getattr(self, group)
        for key, taken_us in round_us.items():
            kept.setdefault(key, []).append(round(float(taken_us), 3))
        if time.monotonic() - self._saved > SAVE_EVERY_S:
            self.save()

    def rounds(self, group, keys):
        """How many rounds all of these have."""
        kept = getattr(self, group)
        return min(len(kept.get(key, ())) for key in keys)

    def save(self):
        """Writes the file, whole or not at all."""
        now = datetime.datetime.now(datetime.timezone.utc)  # noqa: UP017 - of 3.11
        found = {
            "facts": {**self.facts, "date": now.isoformat(timespec="seconds")},
            "operations": self.operations,
            "networks": self.networks,
            "reference": self.reference,
        }
        temporary = f"{self.path}.new"
        with open(temporary, "w") as file:
            json.dump(found, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)
        self._saved = time.monotonic()


def time_all(here, plan, runtime, kept):
    """Operations in turns, then the networks, each as the package does."""
    import timing

    def load(name):
        try:
            return runtime.ready(os.path.join(here, name))
        except Exception as error:  # runtimes have no base class for these
            reason = " ".join(str(error).split())[:300]
            raise CannotLoad(
                f"{name}: {plan['runtime']} {runtime.version} cannot load it: {reason}"
            ) from None

    def load_all(kind, models, keys):
        runs = {}
        for key in keys:
            runs[key] = load(models[key])
            say(f"loading {kind}", len(runs), len(keys))
        return runs

    def reference():
        return timing.Reference(load(plan["reference"]), kept.reference)

    def time_rounds(kind, group, turns, keys, repeats):
        say = Progress()
        done = kept.rounds(group, keys)
        for index in range(done, repeats):
            kept.add(group, turns.round())
            say(f"timing {kind}", index + 1, repeats)

    say = Progress()
    warmup, repeats = plan["warmup"], plan["repeats"]
    pending = [
        k for k in plan["operations"] if kept.rounds("operations", [k]) < repeats
    ]
    if pending:
        runs = load_all("operations", plan["operations"], pending)
        loops = {key: timing.repeated(run) for key, run in runs.items()}
        overhead_us = timing.empty_call_us(load(plan["empty"]))
        between = reference()
        turns = timing.ChainedTurns(
            loops, warmup, between=between, overhead_us=overhead_us
        )
        time_rounds("operations", "operations", turns, pending, repeats)
        del runs, loops, turns
    repeats = plan["network_repeats"]
    pending = [k for k in plan["networks"] if kept.rounds("networks", [k]) < repeats]
    for first in range(0, len(pending), plan["together"]):
        keys = pending[first : first + plan["together"]]
        runs = load_all("networks", plan["networks"], keys)
        turns = timing.Turns(runs, warmup, between=reference())
        time_rounds("networks", "networks", turns, keys, repeats)
        del runs, turns


class Progress:
    """Says how far a stage is and what is left of it: one line that changes, or some."""

    def __init__(self):
        self._stage, self._said = None, 0.0

    def __call__(self, stage, done, total):
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._first = stage, now, done
        last, here = done == total, sys.stdout.isatty()
        if not last and now - self._said < (0.2 if here else SAY_EVERY_S):
            return
        self._said = now
        line = f"{stage}: {done} of {total}"
        if done > self._first and not last:
            each_s = (now - self._began) / (done - self._first)
            line += f", {in_words(each_s * (total - done))} left of this"
        if here:
            print(f"\r{line:<70}", end="\n" if last else "", flush=True)
        else:
            print(line, flush=True)


def in_words(seconds):
    """For example `3 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    sys.exit(main())
