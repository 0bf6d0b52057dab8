"""Options of a search."""

import dataclasses

from lgcnet_tf.architecture_search.architecture import SAMPLINGS
from lgcnet_tf.architecture_search.temperature import FINAL, INITIAL
from lgcnet_tf.config import option
from lgcnet_tf.errors import InputError
from lgcnet_tf.guidance import COMMUNICATIONS, GAMMA, WIDTH
from lgcnet_tf.latency.estimate import FORMS, LATENCY_WEIGHT
from lgcnet_tf.space.options import SpaceOptions
from lgcnet_tf.training.options import TrainingOptions

STRATEGIES = ("differentiable", "random")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchOptions(SpaceOptions, TrainingOptions):
    """Options of a search; the defaults are the paper's."""

    search_strategy: str = option(
        STRATEGIES[0], "Search by gradients, or draw a random network.", STRATEGIES
    )
    min_latency_ms: float = option(
        0.0, "Predicted latency a random network has at least; 0 for any.", minimum=0
    )
    max_latency_ms: float = option(
        0.0, "Predicted latency a random network has at most; 0 for any.", minimum=0
    )
    latency_table: str = option("", "Latency table of the space at --input_size.")
    epochs: int = option(50, "Epochs of the search.", minimum=1)
    batch_size: int = option(16, "Global batch size.", minimum=1)
    communication: str = option("ggm", "Between cells.", COMMUNICATIONS)
    ggm_width: int = option(
        WIDTH, "d, width of the GCN-guided modules (Table VIII).", minimum=1
    )
    gamma: float = option(GAMMA, "γ of Eq. 5.")
    sampling: str = option(
        SAMPLINGS[0],
        "Mix all operations of an edge, or draw one (in less memory and time).",
        SAMPLINGS,
    )
    latency_weight: float = option(LATENCY_WEIGHT, "λ of Eq. 10.", minimum=0)
    latency_form: str = option(FORMS[0], "λ·log(LAT in µs), or λ·LAT in ms.", FORMS)
    target_latency_ms: float = option(
        0.0,
        "Predicted latency of the network to be found, met within 5 %; λ is then "
        "steered and --latency_weight is where it starts. 0 for none.",
        minimum=0,
    )
    weight_lr: float = option(
        0.025, "Initial rate of the weights' SGD (cosine).", above=0
    )
    weight_lr_final: float = option(0.001, "Its final rate.", minimum=0)
    weight_l2: float = option(1e-3, "L2 of the weights, coupled.")
    alpha_lr: float = option(1e-3, "Rate of the architecture's Adam.", above=0)
    guidance_lr: float = option(
        0.0, "Rate of the modules between cells; 0 for alpha_lr / ggm_width.", minimum=0
    )
    alpha_l2: float = option(1e-4, "L2 of the architecture, coupled.")
    temperature: float = option(INITIAL, "τ of Eq. 4 in the first epoch.", above=0)
    temperature_final: float = option(FINAL, "τ in the last epoch.", above=0)

    def check(self) -> None:
        super().check()
        _check_strategy(self)


def _check_strategy(options: SearchOptions) -> None:
    """Refuses options that the search strategy cannot heed.

    Raises:
        InputError: names the option and what it goes with.
    """
    low, high = options.min_latency_ms, options.max_latency_ms
    if options.search_strategy != "random":
        if low or high:
            raise InputError(
                "--min_latency_ms and --max_latency_ms go with "
                "--search_strategy=random; a differentiable search has --latency_weight."
            )
        return
    if options.target_latency_ms:
        raise InputError(
            "--target_latency_ms steers a differentiable search; --search_strategy=random "
            "takes --min_latency_ms and --max_latency_ms."
        )
    if high and high < low:
        raise InputError(f"--max_latency_ms={high} is below --min_latency_ms={low}.")
    if options.communication == "shared":
        raise InputError(
            "--search_strategy=random draws every cell on its own; it cannot have "
            "--communication=shared."
        )
