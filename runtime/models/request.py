"""What the gateway must know of a model request, without parsing more than that.

The body is passed on as it came. Only ``model``, ``stream`` and ``max_tokens`` are read; ``model`` names a model
class and is replaced by the upstream's own name where the two differ. A body in which one of the three could mean two
things to two readers (a duplicate key, plain or escaped) is refused: the gateway would decide on one and the upstream
act on the other.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from runtime.errors import Refused

_ESCAPED_KEY = re.compile(rb'\\u00[0-9a-fA-F]{2}[^"\\]*"\s*:')
_MODEL = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"')


# fmt: off
OPENAI = frozenset({
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p", "n",
    "stop", "seed", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs",
    "response_format", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "verbosity", "prediction",
    "modalities", "user", "safety_identifier", "prompt_cache_key",
    "prompt", "suffix", "echo", "best_of",
    "input", "dimensions", "encoding_format",
})
# fmt: on
"""Members of OpenAI's requests that change the answer alone. Left out: what keeps, routes or looks things up."""
LLAMA_CPP_ONLY = "cache_prompt"
"""The worker sends it for the server that the fabric hosts; others do without."""


class ModelRequest(msgspec.Struct, frozen=True):
    """``model``: a model class. ``max_tokens``: what the caller allows the reply to have, None where unsaid."""

    model: str
    stream: bool = False
    max_tokens: int | None = None


_decoder = msgspec.json.Decoder(ModelRequest)


def read_request(body: bytes) -> ModelRequest:
    """Raises ``Refused`` body_invalid."""
    try:
        request = _decoder.decode(body)
        if _may_repeat(body):
            _strict(body)
    except RecursionError:
        raise _invalid("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(str(error)) from None
    return request


def with_usage(body: bytes) -> bytes:
    """The body of a streamed request, its usage wanted at the end of the stream."""
    members = _strict(body)
    return msgspec.json.encode(members | _usage_wanted(members))


def translated(body: bytes, endpoint: str) -> bytes:
    """The body as the translator of providers may have it: OpenAI's members alone, and nothing in it to be fetched.

    What a translator takes beside them would steer it to another place (``api_base``, ``aws_region_name``,
    ``vertex_location``, ``fallbacks``), and it fetches what a URL in the messages names. Raises ``Refused``
    (body_invalid).
    """
    members = {name: value for name, value in _strict(body).items() if name != LLAMA_CPP_ONLY}
    if unknown := sorted(set(members) - OPENAI):
        raise _invalid(f"{', '.join(map(repr, unknown))} may not be passed on to a provider that needs translation")
    if not all(_stays(part) for part in _parts(members)):
        raise _invalid("it names something to be fetched; send pictures as data: URLs, and tools as functions")
    usage = _usage_wanted(members) if members.get("stream") else {}
    return msgspec.json.encode({**members, **usage, "model": endpoint})


def _usage_wanted(members: dict[str, Any]) -> dict[str, Any]:
    options = members.get("stream_options")
    return {"stream_options": {**(options if isinstance(options, dict) else {}), "include_usage": True}}


def with_model(body: bytes, model: str) -> bytes:
    """The body with another model name; the rest stays byte for byte where the name stands once."""
    name = b'"model":' + msgspec.json.encode(model)
    if _may_repeat(body):
        return msgspec.json.encode({**_strict(body), "model": model})
    return _MODEL.sub(lambda _: name, body, count=1)


def _may_repeat(body: bytes) -> bool:
    """Cheap and never wrong the dangerous way: True also for bodies that only mention the words."""
    count = body.count
    return (
        count(b'"model"') > 1
        or count(b'"stream"') > 1
        or count(b'"max_tokens"') > 1
        or _ESCAPED_KEY.search(body) is not None
    )


def _strict(body: bytes) -> dict[str, Any]:
    """The whole body parsed, duplicate keys refused at any depth."""
    value: dict[str, Any] = json.loads(body, object_pairs_hook=_unique)
    return value


def _parts(members: dict[str, Any]) -> Iterator[Any]:
    """What the messages are made of where it is more than words, and the tools."""
    for message in _listed(members.get("messages")):
        if isinstance(message, dict):
            yield from _listed(message.get("content"))
            yield from _listed(message.get("tool_calls"))
    yield from _listed(members.get("tools"))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _stays(part: Any) -> bool:
    """Whether neither the translator nor the provider goes elsewhere for it."""
    if isinstance(part, str):
        return True
    if not isinstance(part, dict):
        return False
    if part.get("type") == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        return isinstance(url, str) and url.startswith("data:")
    return part.get("type") in ("text", "refusal", "input_audio", "function")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        repeated = next(key for key, _ in pairs if sum(other == key for other, _ in pairs) > 1)
        raise _invalid(f"the key {repeated!r} stands twice in one object")
    return members


def _invalid(cause: str) -> Refused:
    return Refused(
        "body_invalid",
        f"The request is not one that a model can be asked: {cause}",
        remedy="send one JSON object with `model` (a model class of this stack) and the members of OpenAI's API",
    )
