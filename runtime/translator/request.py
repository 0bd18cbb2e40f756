"""What of a caller's body reaches LiteLLM: the members of OpenAI's API that change the answer, and no others.

LiteLLM takes a region, an address, a key, a callback or a fallback from the same place as a temperature. The gateway
refuses what is not listed; here it is left out, whoever asks.
"""

from typing import Any

from runtime.models.request import OPENAI

PASSED = OPENAI - {"model"}


class Unanswerable(Exception):
    """A request that no endpoint can be asked; ``status`` as OpenAI's API would answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def members(body: Any, required: str) -> dict[str, Any]:
    """Those of the body that may pass; raises ``Unanswerable``."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise Unanswerable(400, "expected a JSON object with `model`, the name of an endpoint")
    if required not in body:
        raise Unanswerable(400, f"expected the member `{required}`")
    return {name: value for name, value in body.items() if name in PASSED}
