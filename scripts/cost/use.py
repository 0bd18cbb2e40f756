"""What a fabric uses in a month: least, typical and most of each thing that is paid for."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.parity import Capability
from components.spec import FabricSpec

HOURS = 730
"""Of a month: a twelfth of a year."""
GPU_HOURS = 176
"""In which models are typically asked: eight hours of 22 working days. Else no node with a GPU is there."""
TASKS = (1_000, 20_000, 200_000)
"""Of agents in a month: least, typical, most."""
TRAFFIC_GB = (10, 200, 2_000)
"""Out to other networks in a month."""
LOGS_GB = (5, 50, 500)
"""Written in a month."""
ASSUMPTIONS = (
    f"a month has {HOURS} hours",
    "least, typical and most: tasks of agents {:,}, {:,} and {:,}; ".format(*TASKS)
    + "traffic out {:,}, {:,} and {:,} GB; ".format(*TRAFFIC_GB)
    + "logs {:,}, {:,} and {:,} GB".format(*LOGS_GB),
    f"nodes with GPUs: none; one for {GPU_HOURS} hours (eight of each working day); all of them, always",
    "other nodes: the fewest, those at first, the most; storage: at first, at first, grown as far as it may",
    "list prices on demand, before tax; no reserved machines, savings plans or free tiers",
)


@dataclass(frozen=True)
class Use:
    """``item``: in the table of prices. The amounts are of its unit. ``idle``: of ``most``, what nobody has asked for
    where nodes with GPUs are left on."""

    capability: Capability
    what: str
    item: str
    least: float
    typical: float
    most: float
    idle: float = 0.0


def always(capability: Capability, what: str, item: str, amount: float) -> Use:
    """As much of it whatever happens."""
    return Use(capability, what, item, amount, amount, amount)


def grown(capability: Capability, what: str, item: str, amounts: tuple[float, float, float], of_each: float = 1) -> Use:
    least, typical, most = (amount * of_each for amount in amounts)
    return Use(capability, what, item, least, typical, most)


def tokens(spec: FabricSpec, provider: str) -> Iterator[Use]:
    """Of managed models; nobody keeps their prices here."""
    named = dict.fromkeys(each.model for each in spec.managed() if each.provider == provider)
    for model in named:
        yield always(Capability.MODELS, f"tokens of {model}", f"{provider}.{model}", 1)
