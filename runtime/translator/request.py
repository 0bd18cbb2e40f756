"""What of a caller's body reaches LiteLLM: the members of OpenAI's API that say what to answer, and no others.

LiteLLM takes a region, an address, a key, a callback or a fallback from the same place as a temperature. So the list
is of what may pass; the rest is left out, as servers leave out what they do not know (``cache_prompt`` of llama.cpp).
"""

from typing import Any

CHAT = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
    }
)
COMPLETIONS = (CHAT - {"messages", "tools", "tool_choice", "parallel_tool_calls", "response_format"}) | {
    "best_of",
    "echo",
    "prompt",
    "suffix",
}
EMBEDDINGS = frozenset({"dimensions", "encoding_format", "input", "user"})


class Unanswerable(Exception):
    """A request that no endpoint can be asked; ``status`` as OpenAI's API would answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def members(body: Any, allowed: frozenset[str], required: str) -> dict[str, Any]:
    """Those of the body that may pass; raises ``Unanswerable``."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise Unanswerable(400, "expected a JSON object with `model`, the name of an endpoint")
    if required not in body:
        raise Unanswerable(400, f"expected the member `{required}`")
    return {name: value for name, value in body.items() if name in allowed}
