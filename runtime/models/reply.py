"""What the ledger's readable body says of a model's answer: numbers, the model's name and why it ended.

Everything else of an answer is content, which is encrypted and can be erased; so nothing free-form is taken from it.
"""

from typing import Annotated, Any

import msgspec

_Word = Annotated[str, msgspec.Meta(max_length=200)]
_DATA = b"data:"


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class _Choice(msgspec.Struct):
    finish_reason: _Word | None = None


class _Answer(msgspec.Struct):
    model: _Word | None = None
    usage: _Usage | None = None
    choices: list[_Choice] = []

    @property
    def finish_reason(self) -> str | None:
        return self.choices[0].finish_reason if self.choices else None


_answers = msgspec.json.Decoder(_Answer)


def describe(status: int, content: bytes, *, stream: bool) -> dict[str, Any]:
    """``status``, and of a success ``model``, ``usage`` and ``finish_reason``; ``unreadable`` where it is not JSON."""
    if status >= 300:
        return {"status": status}
    try:
        answer = _last_of(content) if stream else _answers.decode(content)
    except msgspec.DecodeError:
        return {"status": status, "unreadable": True}
    return {"status": status, "model": answer.model, "usage": answer.usage, "finish_reason": answer.finish_reason}


def _last_of(events: bytes) -> _Answer:
    """The end of an event stream, or of what came of it: the usage follows the reason, where there is any."""
    model, usage = None, None
    for line in reversed(events.split(b"\n")):
        event = _event(line)
        model, usage = model or event.model, usage or event.usage
        if event.finish_reason is not None:
            return _Answer(model, usage, event.choices)
    return _Answer(model, usage)


def _event(line: bytes) -> _Answer:
    """What a line of the stream says; nothing where it is another line, or cut."""
    try:
        return _answers.decode(line[len(_DATA) :]) if line.startswith(_DATA) else _Answer()
    except msgspec.DecodeError:
        return _Answer()
