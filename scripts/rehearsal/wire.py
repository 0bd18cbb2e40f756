"""Values as the engine sends them: secrets and unknowns are marked objects inside plain JSON.

The marks are the engine's own (pulumi, sdk/go/common/resource/sig); here they come from the SDK.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2
from pulumi.runtime import rpc

SIGNATURE = rpc._special_sig_key
UNKNOWN = rpc.UNKNOWN
_SECRET = rpc._special_secret_sig

Properties = dict[str, Any]


def plain(message: struct_pb2.Struct) -> Properties:
    return json_format.MessageToDict(message)


def struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(dict(properties))
    return message


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(SIGNATURE) == _SECRET


def is_marked(value: Any) -> bool:
    """A secret, an asset, an archive or a reference to a resource: no plain object."""
    return isinstance(value, dict) and SIGNATURE in value


def revealed(value: Any) -> Any:
    """The value with the marks of its secrets taken off: to compare, never to write."""
    if is_secret(value):
        return revealed(value.get("value"))
    return _mapped(value, revealed)


def redacted(value: Any) -> Any:
    """What may be written to a file: ``[secret]`` stands for each secret."""
    return "[secret]" if is_secret(value) else _mapped(value, redacted)


def as_text(value: Any) -> Any:
    """A document as the JSON text that a cloud gives back for it; a secret again where a part of it was one."""
    text = json.dumps(revealed(value), sort_keys=True)
    return {SIGNATURE: _SECRET, "value": text} if redacted(value) != value else text


def holds_unknown(value: Any) -> bool:
    return any(leaf == UNKNOWN for _, leaf in leaves(revealed(value)))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar with its path, such as ``tags.owner`` or ``rules[0].id``; what is inside a secret is left out."""
    if is_marked(value):
        return
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def _mapped(value: Any, function: Any) -> Any:
    if isinstance(value, dict):
        return {name: function(item) for name, item in value.items()}
    if isinstance(value, list):
        return [function(item) for item in value]
    return value
