"""What every platform's keys take and give. Nothing secret is ever an output."""

from typing import Any, TypedDict

import pulumi
from pulumi import Input


class KeysArgs(TypedDict):
    """``home``: the folder of the stack's state."""

    home: Input[str]


class Keys(pulumi.ComponentResource):
    """``secrets``: the folder of docs/contract.md §7. ``public``: public JWK of manifest, issuer, worker, operator.

    ``manifest_key``: the file with the key that verifies the Manifest. ``generation``: counted up when lost secrets
    were made anew; an input for what must learn of new ones.
    """

    secrets: pulumi.Output[str]
    public: pulumi.Output[dict[str, dict[str, Any]]]
    manifest_key: pulumi.Output[str]
    generation: pulumi.Output[int]

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:keys:Keys", name, None, opts)
