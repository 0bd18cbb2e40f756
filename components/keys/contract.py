"""What every platform's keys give; what they take is its platform's own Args. Nothing secret is ever an output."""

from collections.abc import Mapping
from typing import Any

import pulumi


class Keys(pulumi.ComponentResource):
    """``secrets``: where the secrets of docs/contract.md §7 lie: a folder, what their names in a store begin with, or
    the name of a Secret. ``public``: public JWK of manifest and operator, and of the others whose key Pulumi makes.

    ``manifest_key``: what verifies the Manifest: a file, a key's id, or the key itself as JSON. ``generation``: counted
    up when lost secrets were made anew; an input for what must learn of new ones.
    """

    secrets: pulumi.Output[str]
    public: pulumi.Output[dict[str, dict[str, Any]]]
    manifest_key: pulumi.Output[str]
    generation: pulumi.Output[int]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:keys:Keys", name, None, opts)
