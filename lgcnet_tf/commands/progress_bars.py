"""How commands show how far a measurement is."""

import sys


class ProgressBars:
    """Keras' progress bar, a new one for each stage; one line each in files."""

    def __init__(self):
        self.stage, self.bar = None, None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage:
            import keras

            print(f"{stage}:", file=sys.stderr)
            notebook = "ipykernel" in sys.modules
            verbose = 1 if notebook or sys.stdout.isatty() else 2
            self.stage, self.bar = stage, keras.utils.Progbar(total, verbose=verbose)
        self.bar.update(done)
