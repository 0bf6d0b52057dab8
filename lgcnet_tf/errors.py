"""The exceptions that the binaries know."""


class InputError(ValueError):
    """Bad input: one line that says what is wrong, where, and what is right.

    The binaries print its text alone, without a traceback, and exit with 1.
    """


class NoSuchSplit(InputError):
    """The data are there, but not divided into a split of that name."""


class WorkerLost(RuntimeError):
    """Another machine of a distributed run is gone, and the step with it.

    TensorFlow cannot go on in this process: the binaries say so in one line and
    start themselves again, to meet the others at the last checkpoint.
    """
