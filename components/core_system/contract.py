"""What every platform's hosted core system takes and gives."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi
from pulumi import Input


class CoreSystemArgs(TypedDict):
    """``primary``, ``replica``: ``host:port``. ``issuer``: whose tokens it takes. ``secrets``: folder of pgpass files.

    ``revision``: another one restarts it. ``after``: what must be there before it starts.
    """

    home: Input[str]
    port: Input[int]
    primary: Input[str]
    replica: Input[str]
    issuer: Input[str]
    secrets: Input[str]
    revision: Input[str]
    after: Sequence[pulumi.Resource]


class CoreSystem(pulumi.ComponentResource):
    """``url``: its base. ``openapi``: URL of its OpenAPI document."""

    url: pulumi.Output[str]
    openapi: pulumi.Output[str]

    def __init__(self, name: str, args: CoreSystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:core_system:CoreSystem", name, None, opts)
