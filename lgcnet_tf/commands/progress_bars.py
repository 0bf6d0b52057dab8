"""How commands show how far a measurement is."""

from lgcnet_tf.terminal import Bar

UNITS = {
    "compiling": "operation",
    "measuring": "round",
    "compiling networks": "network",
    "measuring networks": "round",
}
"""What is counted in the stages of a measurement."""


class ProgressBars:
    """A bar for each stage; one line each in files."""

    def __init__(self):
        self.stage, self.bar = None, None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage:
            self.stage, self.bar = stage, Bar(stage, total, UNITS.get(stage, "step"))
        self.bar.update(done)
