"""Options of test-time augmentation."""

import dataclasses
from collections.abc import Iterator

from lgcnet_tf.config import Options, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentedOptions(Options):
    """Options of test-time augmentation."""

    flip: bool = option(
        False,
        "Measure a second accuracy, of the mean prediction for an image and its mirror "
        "image. Papers often quote such figures; the network takes twice the time for "
        "them, and latency and fps stay those of the plain network.",
    )
    scales: tuple[float, ...] = option(
        (),
        "As --flip, with the image at these scales, such as 0.75,1,1.25; the network "
        "is run at each of them.",
    )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if any(not 0.0 < scale <= 4.0 for scale in self.scales):
            yield (
                "--scales must be above 0 and at most 4. Received: "
                f"{','.join(map(str, self.scales))}"
            )
        if len(set(self.scales)) < len(self.scales):
            yield (f"--scales names one twice: {','.join(map(str, self.scales))}")
