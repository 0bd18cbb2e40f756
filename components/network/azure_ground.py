"""What all of a network's resources on Azure stand on."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Ground:
    """``name``: the component's, before each of its children's. ``group``: the resource group's name."""

    name: str
    region: str
    group: pulumi.Output[str]
    child: pulumi.ResourceOptions
