"""A task's ledger as a story: what was offered, what the model thought and picked, what the rails bound, what was read.

Everything shown comes from ledger records; the model's own summary is labelled as its words.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

Record = dict[str, Any]
"""One ledger record as ``GET /tasks/{txn}/trace`` gives it: contract §8, ``content`` decrypted (None where erased)."""

_STATE_STYLES = {
    "finished": "green",
    "awaiting_approval": "yellow",
    "handed_over": "magenta",
    "stopped": "red",
    "taken_over": "cyan",
}


class Story:
    """Rich renderable of one task and its records."""

    def __init__(self, task: dict[str, Any], records: Sequence[Record]) -> None:
        self._task, self._records = task, records

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        task = self._task
        state = Text(task["state"], style=_STATE_STYLES.get(task["state"], "bold"))
        yield Text.assemble(("Task ", "bold"), (task["txn"], "bold"), f" · {task['agent']} · ", state)
        for step, records in groupby(self._records, key=lambda record: record["step"]):
            yield from _step(step, list(records))
        yield Rule(style="dim")
        yield _row("outcome", Text(task["outcome"] or "nothing done yet"), note="from the ledger")
        if task.get("model_summary"):
            yield _row("summary", Text(task["model_summary"], style="italic"), note="the model's own words")


def _step(step: int, records: list[Record]) -> Iterable[RenderableType]:
    if step:
        yield Text(f"Turn {step}", style="bold")
    for record in records:
        describe = _DESCRIBE.get(record["kind"])
        if describe is not None:
            yield from describe(record)


def _row(label: str, value: RenderableType, note: str = "") -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=10, style="dim", justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(label, Group(value, Text(f"({note})", style="dim")) if note else value)
    return Padding(grid, (0, 0, 0, 1))


def _content(record: Record) -> Any:
    """The record's content as JSON where it is JSON, as text elsewhere, None where it was erased."""
    content = record.get("content")
    if not isinstance(content, str):
        return content
    try:
        return json.loads(content)
    except ValueError:
        return content


def _compact(value: Any, limit: int = 400) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _opened(record: Record) -> Iterable[RenderableType]:
    event = _content(record)
    if not isinstance(event, dict):
        yield _row("event", Text("erased" if event is None else _compact(event)))
        return
    head = " · ".join(str(event[key]) for key in ("from", "subject") if event.get(key))
    yield _row(
        "mail", Text(_compact(event.get("text", ""), 1200), style="cyan"), note=f"untrusted · {head}".rstrip(" ·")
    )


def _model_call(record: Record) -> Iterable[RenderableType]:
    body, content = record["body"], _content(record)
    where = f"{body.get('endpoint', '?')} in {', '.join(body.get('countries', []))}"
    if record["decision"] == "refused":
        yield _row("model", Text(f"refused: {record['rule']}", style="red"))
        return
    offered = ", ".join(_offered(content)) or "no tools"
    yield _row("offered", Text(offered), note=f"{where}, allowed by {record['rule']}")


def _offered(request: Any) -> list[str]:
    """Tool names out of the request's response schema."""
    try:
        choices = request["response_format"]["json_schema"]["schema"]["anyOf"]
        return [choice["properties"]["tool"]["const"] for choice in choices]
    except (KeyError, TypeError):
        return []


def _model_reply(record: Record) -> Iterable[RenderableType]:
    answer = _answer(_content(record))
    if not isinstance(answer, dict):
        yield _row("thought", Text("erased" if answer is None else _compact(answer), style="italic"))
        return
    yield _row("thought", Text(str(answer.get("reason", "")), style="italic"))
    yield _row("picked", Text(f"{answer.get('tool')} {_compact(answer.get('arguments', {}))}", style="bold"))


def _answer(reply: Any) -> Any:
    try:
        words = reply["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return reply
    try:
        return json.loads(words)
    except ValueError:
        return words


def _tool_call(record: Record) -> Iterable[RenderableType]:
    content = _content(record)
    if isinstance(content, dict):
        proposed, used = content.get("proposed") or {}, content.get("arguments") or {}
        for argument, source in record["body"].get("bound", {}).items():
            before, after = proposed.get(argument), used.get(argument)
            changed = Text(f"{argument} = {after!r} from {source}")
            if before != after:
                changed.append(f"  (the model said {before!r})", style="red")
            yield _row("rails", changed)
    if record["decision"] == "refused":
        yield _row("refused", Text(f"{record['body'].get('code', record['rule'])}", style="red"))


def _tool_result(record: Record) -> Iterable[RenderableType]:
    style = "green" if record["body"].get("state") == "succeeded" else "red"
    label = "read" if record["body"].get("effect") == "read" else "did"
    content = _content(record)
    text = "erased" if content is None else _compact(content)
    yield _row(label, Text.assemble((f"{record['body'].get('tool')} ", style), text))


def _approval(record: Record) -> Iterable[RenderableType]:
    body = record["body"]
    kind = record["kind"].removeprefix("approval_")
    by = f" by {body['by']}" if body.get("by") else ""
    decision = f": {body['decision']}" if body.get("decision") else ""
    yield _row("approval", Text(f"{kind}{decision}{by} · {body.get('approval')}", style="yellow"))


def _transition(record: Record) -> Iterable[RenderableType]:
    body = record["body"]
    if body["to"] in ("thinking", "acting"):
        return
    reason = f" ({body['reason']})" if body.get("reason") else ""
    yield _row("state", Text(f"{body['from']} → {body['to']}{reason}", style=_STATE_STYLES.get(body["to"], "")))


def _grant(record: Record) -> Iterable[RenderableType]:
    yield _row("grant", Text(f"{record['body'].get('what')} by {record['body'].get('by')}", style="yellow"))


_DESCRIBE = {
    "task_opened": _opened,
    "model_call": _model_call,
    "model_reply": _model_reply,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "approval_requested": _approval,
    "approval_decided": _approval,
    "approval_consumed": _approval,
    "transition": _transition,
    "grant_changed": _grant,
}
"""``token_issued`` is left out on purpose: one a turn, and ``--json`` shows it."""
