"""What all of a network's resources on Azure stand on."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Ground:
    """``name``: the component's, before each of its children's. ``group``: the resource group's name. ``kept``: the
    options of a child that stays when the stack goes."""

    name: str
    region: str
    group: pulumi.Output[str]
    child: pulumi.ResourceOptions
    kept: pulumi.ResourceOptions
