"""The one exception that stands for a mistake the user can mend."""


class InputError(ValueError):
    """Bad input: one line that says what is wrong, where, and what is right.

    The binaries print its text alone, without a traceback, and exit with 1.
    """
