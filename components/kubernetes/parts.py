"""Parts of a fabric on a cluster, a namespace each, and what their objects are labelled with."""

from enum import StrEnum
from typing import Final

PART_LABEL: Final = "loomstead/part"
STACK_LABEL: Final = "loomstead/stack"
APP_LABEL: Final = "app.kubernetes.io/name"
REGION_LABEL: Final = "topology.kubernetes.io/region"
"""What every cloud's nodes carry, and others are given (kubernetes.io, Well-Known Labels)."""
ZONE_LABEL: Final = "topology.kubernetes.io/zone"
PROVISION: Final = "provision"
"""Name of the Job that writes the fabric's secrets, and of its ServiceAccount."""


class Part(StrEnum):
    """``runtime``: gateway and worker. ``tools``: what runs the agents' tools. ``observability``: the collector."""

    RUNTIME = "runtime"
    TOOLS = "tools"
    ORCHESTRATOR = "orchestrator"
    MODELS = "models"
    PRIMARY = "primary"
    REPLICA = "replica"
    CACHE = "cache"
    OBSERVABILITY = "observability"


HTTP, POSTGRES, TEMPORAL, VLLM, VALKEY, OTLP = 8080, 5432, 7233, 8000, 6379, 4318
INSTANCES = 8000
"""Where CloudNativePG's instances answer it, and each other."""
TEMPORAL_SERVICES = {
    "frontend": (TEMPORAL, 6933),
    "history": (7234, 6934),
    "matching": (7235, 6935),
    "worker": (7239, 6939),
}
"""Where each of its services answers the others, and where they find each other."""
