"""What every dynamic resource of platform ``local`` has in common."""

import logging
from typing import Any

from pulumi.dynamic import ConfigureRequest, DiffResult, ResourceProvider

PROVIDER_KEY = "__provider"


class LocalProvider(ResourceProvider):
    """An input that changed is an update, and so is a live object that is not as it should be (``healthy``).

    Every resource has the input ``home``, the stack's folder; another home is another resource. Creates adopt what they
    find, because an interrupted ``pulumi up`` leaves things that no state knows of.
    """

    serialize_as_secret_always = False
    identity = ("home",)
    """Inputs that make it another object: the old one is deleted first."""

    def configure(self, req: ConfigureRequest) -> None:
        # An error reaches the engine as the call's status; grpc would print its traceback as well.
        logging.getLogger("grpc._server").setLevel(logging.CRITICAL)

    def healthy(self, wanted: dict[str, Any], seen: dict[str, Any]) -> bool:
        """Whether the live object is what its inputs ask for; ``seen``: the last outputs. Must be quick."""
        return True

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        wanted = {key: value for key, value in _news.items() if key != PROVIDER_KEY}
        changed = [key for key, value in wanted.items() if _olds.get(key) != value]
        other = [key for key in self.identity if key in changed]
        return DiffResult(
            changes=bool(changed) or not self.healthy(wanted, _olds),
            replaces=other,
            delete_before_replace=True,
        )
