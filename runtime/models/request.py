"""What the gateway must know of a model request, without parsing more than that.

The body is passed on as it came. Only ``model``, ``stream`` and ``max_tokens`` are read; ``model`` names a model
class and is replaced by the upstream's own name where the two differ. A body in which one of the three could mean two
things to two readers (a duplicate key, plain or escaped) is refused: the gateway would decide on one and the upstream
act on the other.
"""

import json
import re
from typing import Any

import msgspec

from runtime.errors import Refused

_ESCAPED_KEY = re.compile(rb'\\u00[0-9a-fA-F]{2}[^"\\]*"\s*:')
_MODEL = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"')


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
