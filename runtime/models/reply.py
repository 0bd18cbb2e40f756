"""What is read of a model's answer: numbers, the model's name, where it says it was made, and why it ended.

Everything else of an answer is content, which is encrypted and can be erased; so nothing free-form is taken from it.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

_Word = Annotated[str, msgspec.Meta(max_length=200)]
_DATA = b"data:"


class Usage(msgspec.Struct):
    """``inference_geo``: the geography that Anthropic answered in."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    inference_geo: _Word | UnsetType | None = UNSET


class _Choice(msgspec.Struct):
    finish_reason: _Word | None = None


class Answer(msgspec.Struct):
    model: _Word | None = None
    usage: Usage | None = None
    choices: list[_Choice] = []

    @property
    def finish_reason(self) -> str | None:
        return self.choices[0].finish_reason if self.choices else None

    @property
    def inference_geo(self) -> str | None:
        return None if self.usage is None or self.usage.inference_geo is UNSET else self.usage.inference_geo


UNREADABLE = Answer()
_answers = msgspec.json.Decoder(Answer)


def read_answer(content: bytes, *, stream: bool) -> Answer:
    """What a success says; ``UNREADABLE`` where it is not JSON."""
    try:
        return _last_of(content) if stream else _answers.decode(content)
    except msgspec.DecodeError:
        return UNREADABLE


def describe(status: int, answer: Answer | None) -> dict[str, Any]:
    """``status``, and of a success ``model``, ``usage`` and ``finish_reason``; ``unreadable`` where it is not JSON."""
    if answer is None:
        return {"status": status}
    if answer is UNREADABLE:
        return {"status": status, "unreadable": True}
    return {"status": status, "model": answer.model, "usage": answer.usage, "finish_reason": answer.finish_reason}


def _last_of(events: bytes) -> Answer:
    """The end of an event stream, or of what came of it: the usage follows the reason, where there is any."""
    model, usage = None, None
    for line in reversed(events.split(b"\n")):
        event = _event(line)
        model, usage = model or event.model, usage or event.usage
        if event.finish_reason is not None:
            return Answer(model, usage, event.choices)
    return Answer(model, usage)


def _event(line: bytes) -> Answer:
    """What a line of the stream says; nothing where it is another line, or cut."""
    try:
        return _answers.decode(line[len(_DATA) :]) if line.startswith(_DATA) else Answer()
    except msgspec.DecodeError:
        return Answer()
