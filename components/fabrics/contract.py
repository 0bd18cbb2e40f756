"""What every platform's fabric takes and gives."""

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Any

import pulumi

from components.publish import Ground
from components.spec import FabricSpec


class Fabric(pulumi.ComponentResource):
    """``outputs``: what the stack exports, by name; nothing in it is secret."""

    outputs: Mapping[str, pulumi.Output[str]]

    @staticmethod
    def check(ground: Ground) -> None:
        """What cannot be made of this spec raises here, before anything is registered."""

    def __init__(self, name: str, ground: Ground, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:fabric:Fabric", name, None, opts)


def chosen(**values: Any) -> dict[str, Any]:
    """Those that the stack file says; what it leaves out is the size's."""
    return {key: value for key, value in values.items() if value is not None}


def unread(spec: FabricSpec, keys: Iterable[str]) -> Iterator[str]:
    """Those of ``keys`` that the stack file says although its platform has no use for them: whoever wrote one expects
    something of it."""
    for key in keys:
        *sections, name = key.split(".")
        holder = reduce(lambda found, section: found and getattr(found, section), sections, spec)
        if holder and getattr(holder, name) != type(holder).model_fields[name].get_default(call_default_factory=True):
            yield f"{key}: nothing reads it on {spec.platform}: leave it out"
