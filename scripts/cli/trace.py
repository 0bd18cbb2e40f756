"""A task's ledger as a story: what was offered, what the model thought and picked, what the rails bound, what was read.

Everything shown comes from ledger records (docs/contract.md §8); the model's own summary is labelled as its words.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from runtime.ledger.record import Kind
from runtime.ledger.trace import ContentState
from runtime.tasks.states import State
from scripts.cli.plain import plain

Record = Mapping[str, Any]
"""As ``GET /tasks/{txn}/trace`` gives it: ``runtime.ledger.trace.TraceRecord``."""
Row = tuple[str, Text]
"""A label and what it says."""

STATE_STYLES = MappingProxyType(
    {
        State.FINISHED: "green",
        State.AWAITING_APPROVAL: "yellow",
        State.HANDED_OVER: "magenta",
        State.TAKEN_OVER: "cyan",
        State.STOPPED: "red",
    }
)
LABEL_WIDTH = 9
LONGEST = 600
"""Characters of one piece of raw data; ``--json`` has the rest."""
_WITHOUT_CONTENT = {
    ContentState.ERASED: Text("erased: the data subject's key is gone", "dim"),
    ContentState.DAMAGED: Text("damaged: `loomstead ledger verify` says more", "bold red"),
}


@dataclass
class Told:
    """What later records need of earlier ones.

    ``proposed``: the arguments that the model gave last. ``effects``: of the tools that were called, read or write.
    """

    offered: str = ""
    proposed: Mapping[str, Any] = field(default_factory=dict)
    effects: dict[str, str] = field(default_factory=dict)


class Story:
    """Rich renderable of one task, as ``GET /tasks/{txn}`` gives it, and its records."""

    def __init__(self, task: Mapping[str, Any], records: Sequence[Record]) -> None:
        self._task, self._records = task, records

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        task = self._task
        state = Text(task["state"], STATE_STYLES.get(task["state"], "bold"))
        yield Text.assemble((f"Task {task['txn']}", "bold"), f" · {task['agent']} version {task['version']} · ", state)
        told = Told()
        for step, records in _turns(self._records).items():
            rows = [row for record in records for row in _rows(record, told)]
            if step and rows:
                yield Text(f"\nTurn {step}", "bold")
            yield _grid(rows)
        yield Rule(style="dim")
        yield _grid(self._end())

    def _end(self) -> Iterator[Row]:
        effects = plain(self._task["outcome"]).replace("; ", "\n") or "no write was asked for"
        yield "outcome", _noted(Text(effects), "from the ledger's rows")
        if self._task.get("model_summary"):
            yield "summary", _noted(_text(self._task["model_summary"], "italic"), "the model's own words")


def arguments(given: Mapping[str, Any]) -> str:
    """``order_id="4711" amount_cents=12900``."""
    return " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.items())


def _turns(records: Sequence[Record]) -> dict[int, list[Record]]:
    """By step; a record that belongs to none (a token, a word about the grant) is told where it happened."""
    turns: dict[int, list[Record]] = {0: []}
    for record in records:
        step = max(record["step"], *turns)
        turns.setdefault(step, []).append(record)
    return turns


def _grid(rows: Iterable[Row]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=LABEL_WIDTH, style="dim", justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(label, text)
    return grid


def _rows(record: Record, told: Told) -> Iterable[Row]:
    describe = _copy if record["body"].get("shadow") else _DESCRIBE.get(record["kind"])
    return describe(record, told) if describe else ()


def _text(value: Any, style: str = "", longest: int = LONGEST) -> Text:
    """Text as it is, anything else as JSON; both without what a terminal would obey."""
    text = plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).strip()
    return Text(text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)", style)


def _noted(text: Text, note: str) -> Text:
    return text.append(f"\n({plain(note)})", "not italic not bold dim")


def _missing(record: Record) -> Text | None:
    """What is said where the record has no content to show."""
    return _WITHOUT_CONTENT.get(record["content_state"])


def _opened(record: Record, told: Told) -> Iterator[Row]:
    event = record["content"]
    if not isinstance(event, dict):
        yield "event", _missing(record) or _text(event)
        return
    head = [str(event[key]) for key in ("from", "subject") if event.get(key)]
    text = _text(event.get("text", ""), "cyan", 2 * LONGEST)
    yield record["body"]["trigger"], _noted(text, " · ".join(["untrusted", *head]))


def _model_call(record: Record, told: Told) -> Iterator[Row]:
    """What was offered and where the model is; said again when it changes."""
    body = record["body"]
    if record["decision"] == "refused":
        reason = f": {body['reason']}" if "reason" in body else ""
        yield "refused", _text(f"no model was asked: {body.get('code')}, by {record['rule']}{reason}", "bold red")
        return
    where = f"{body['endpoint']} in {', '.join(body['countries'])}, allowed by {record['rule']}"
    offered = _missing(record) or _text(", ".join(_offered(record["content"])) or "an answer in words")
    row = _noted(offered.copy(), where)
    if row.plain != told.offered:
        told.offered = row.plain
        yield "offered", row


def _offered(request: Any) -> list[str]:
    """Tool names out of the request's response schema; empty where it has none."""
    try:
        choices = request["response_format"]["json_schema"]["schema"]["anyOf"]
        return [str(choice["properties"]["tool"]["const"]) for choice in choices]
    except (KeyError, TypeError):
        return []


def _model_reply(record: Record, told: Told) -> Iterator[Row]:
    answer = _answer(record["content"])
    if isinstance(answer, dict) and "tool" in answer:
        given = answer.get("arguments")
        told.proposed = given if isinstance(given, dict) else {}
        yield "thought", _text(answer.get("reason", ""), "italic")
        yield "picked", _text(f"{answer['tool']} {arguments(told.proposed)}", "bold")
    else:
        yield "thought", _missing(record) or _text(answer, "italic")
    if code := record["body"].get("code"):
        yield "cut", _text(f"the reply is not whole: {code}", "red")


def _copy(record: Record, told: Told) -> Iterator[Row]:
    """What an endpoint that is only compared would have done."""
    if record["kind"] == Kind.MODEL_REPLY:
        answer = _answer(record["content"])
        said = record["body"].get("code") or "an answer in words"
        if isinstance(answer, dict) and "tool" in answer:
            given = answer.get("arguments")
            said = f"{answer['tool']} {arguments(given if isinstance(given, dict) else {})}"
        yield "copy", _text(f"{record['body']['endpoint']}, compared only: {said}", "dim")


def _quarantined(record: Record, told: Told) -> Iterator[Row]:
    body = record["body"]
    said = f"said {body['seen']}" if body["seen"] else "did not say"
    yield "alarm", _text(f"{body['endpoint']} {said}, expected {body['expected']}: quarantined", "bold red")


def _released(record: Record, told: Told) -> Iterator[Row]:
    body = record["body"]
    yield "release", _text(f"{body['endpoint']} by {body['by']}: {body['reason']}", "yellow")


def _answer(reply: Any) -> Any:
    """The model's answer: an object where it is one, else its words, else the whole reply."""
    try:
        words = reply["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return reply
    try:
        return json.loads(words)
    except (ValueError, TypeError):
        return words


def _tool_call(record: Record, told: Told) -> Iterator[Row]:
    body, content = record["body"], record["content"] or {}
    if record["decision"] == "refused":
        detail = _missing(record) or _text(content.get("detail", ""))
        yield "refused", Text.assemble((plain(f"{body['code']} "), "bold red"), detail)
        return
    told.effects[body["tool"]] = body["effect"]
    for name, source in body["bound"].items():
        used = _missing(record) or _change(name, content["proposed"], content["arguments"])
        yield "rails", Text.assemble(used, (f"  from {plain(source)}", "dim"))


def _change(name: str, proposed: Mapping[str, Any], used: Mapping[str, Any]) -> Text:
    """The value that was used, and in red the one that the model had wanted."""
    text = Text(plain(arguments({name: used.get(name)})))
    if proposed.get(name) != used.get(name):
        said = json.dumps(proposed[name], ensure_ascii=False) if name in proposed else "nothing"
        text.append(f"  the model said {plain(said)}", "bold red")
    return text


def _tool_result(record: Record, told: Told) -> Iterator[Row]:
    body = record["body"]
    succeeded = body["state"] == "succeeded"
    label = "read" if told.effects.get(body["tool"]) == "read" else "did"
    head = (f"{body['tool']} ", "green") if succeeded else (f"{body['tool']} {body['state']} {body['status']} ", "red")
    yield label if succeeded else "answer", Text.assemble(head, _missing(record) or _text(record["content"]))


def _requested(record: Record, told: Told) -> Iterator[Row]:
    action = record["content"]
    if not isinstance(action, dict):
        yield "asks for", _missing(record) or _text(action)
    else:
        for name, value in action["arguments"].items():
            if told.proposed.get(name) != value:
                yield "rails", _change(name, told.proposed, action["arguments"])
        yield "asks for", _text(f"{action['tool']} {arguments(action['arguments'])}", "yellow")
    yield "approval", _text(f"{record['body']['approval']} requested by {record['actor']}", "dim")


def _decided(record: Record, told: Told) -> Iterator[Row]:
    body = record["body"]
    refused = record["decision"] == "refused"
    said = f"{'declined' if refused else 'approved'} by {body['by']}" if body["decision"] else "used, once"
    yield "approval", _text(f"{body['approval']} {said}", "red" if refused else "green")


def _transition(record: Record, told: Told) -> Iterator[Row]:
    body = record["body"]
    reason = f", {body['reason']}" if body["reason"] else ""
    if body["to"] not in (State.THINKING, State.ACTING):
        change = f"{body['from']} → {body['to']} ({body['event']}{reason})"
        yield "state", _text(change, STATE_STYLES.get(body["to"], ""))
    elif body["event"] in ("unusable", "continued", "resumed"):
        yield "state", _text(f"{body['from']} → {body['to']} ({body['event']}{reason})", "magenta")


def _grant(record: Record, told: Told) -> Iterator[Row]:
    body = record["body"]
    if body["what"] != "closed":
        turns = f", {body['iterations']} more turns" if body.get("iterations") else ""
        yield "grant", _text(f"{body['what']} by {body['by']}{turns}", "yellow")


_DESCRIBE = MappingProxyType(
    {
        Kind.TASK_OPENED: _opened,
        Kind.MODEL_CALL: _model_call,
        Kind.MODEL_REPLY: _model_reply,
        Kind.TOOL_CALL: _tool_call,
        Kind.TOOL_RESULT: _tool_result,
        Kind.APPROVAL_REQUESTED: _requested,
        Kind.APPROVAL_DECIDED: _decided,
        Kind.APPROVAL_CONSUMED: _decided,
        Kind.TRANSITION: _transition,
        Kind.GRANT_CHANGED: _grant,
        Kind.ENDPOINT_QUARANTINED: _quarantined,
        Kind.ENDPOINT_RELEASED: _released,
    }
)
"""``token_issued`` is left out on purpose: one every few minutes, and ``--json`` shows it."""
