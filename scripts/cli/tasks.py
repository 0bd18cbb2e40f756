"""Commands about tasks, their traces, approvals and hand-overs."""

import os
import time
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from runtime.tasks.states import FINAL, State
from scripts.cli.api import Api
from scripts.cli.failure import CommandError
from scripts.cli.options import AsJson, Stack
from scripts.cli.output import console, print_json, print_table
from scripts.cli.place import DEFAULT_STACK, Place
from scripts.cli.plain import plain
from scripts.cli.pulumi import INTERRUPTED
from scripts.cli.trace import STATE_STYLES, Story, arguments

WAITS = frozenset({State.AWAITING_APPROVAL, State.HANDED_OVER})
Rest = tuple[State, int]
"""A state that waits for a person, and the step in which it was reached."""
LONGEST = 900.0
"""Seconds that a task is followed."""
LOOK_EVERY = 0.3


class Choice(StrEnum):
    """What may become of a handed-over task."""

    CONTINUE = "continue"
    TAKE_OVER = "take-over"
    STOP = "stop"


def _choice(text: str) -> Choice:
    try:
        return Choice(text.replace("_", "-"))
    except ValueError:
        raise typer.BadParameter(f"expected {', '.join(Choice)}, got {text!r}") from None


Txn = Annotated[str, typer.Argument(help="The task's id, or its beginning.")]
ApprovalId = Annotated[str, typer.Argument(metavar="ID", help="The approval's id.")]

tasks = typer.Typer(no_args_is_help=True, help="Open tasks and look at them; choose what becomes of a handed-over one.")
approvals = typer.Typer(no_args_is_help=True, help="Consent to exactly one action, or decline it.")


@tasks.command("send")
def send(
    text: Annotated[str, typer.Argument(help="The event's text; without it, standard input.")] = "-",
    agent: Annotated[str, typer.Option(help="Who shall take it.")] = "order-desk",
    trigger: Annotated[str, typer.Option(help="By which of the agent's triggers.")] = "mail",
    sender: Annotated[str, typer.Option("--from", help="Whom the event is from.")] = "",
    subject: Annotated[str, typer.Option(help="The event's subject line.")] = "",
    wait: Annotated[bool, typer.Option(help="Follow the task until it ends or waits for a person.")] = True,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Send an event to an agent's webhook, signed as the vendor would."""
    with Api(Place.of(stack)) as api:
        if text == "-":
            text = typer.get_text_stream("stdin").read()
        txn = api.send_event(agent, trigger, {"text": text, "from": sender, "subject": subject})
        if not wait:
            console.print(txn)
            return
        follow(api, txn)
        show_trace(api, txn)
        show_waiting(api, txn)


@tasks.command("list")
def list_tasks(stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """The last tasks, newest first."""
    with Api(Place.of(stack)) as api:
        found = api.get("tasks")
    if as_json:
        print_json(found)
        return
    rows = [
        (task["txn"], task["agent"], task["state"], task["step"], task["outcome"].replace("; ", "\n")) for task in found
    ]
    print_table(("task", "agent", "state", "turn", "outcome"), rows, dict(STATE_STYLES))


@tasks.command("show")
def show(txn: Txn, stack: Stack = DEFAULT_STACK) -> None:
    """One task as JSON; for a handed-over one with all that a person needs to go on."""
    with Api(Place.of(stack)) as api:
        task = api.task(txn)
        print_json(api.get("tasks", task["txn"], "hand-over") if task["state"] == State.HANDED_OVER else task)


@tasks.command("choose")
def choose(
    txn: Txn,
    choice: Annotated[Choice, typer.Argument(parser=_choice, metavar="CHOICE", help=", ".join(Choice))],
    iterations: Annotated[
        int | None, typer.Option(min=1, max=100, help="With `continue`: further model turns; else the limit once more.")
    ] = None,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Decide what becomes of a handed-over task."""
    body: dict[str, Any] = {"choice": choice.name.lower()} | ({"iterations": iterations} if iterations else {})
    with Api(Place.of(stack)) as api:
        task = api.task(txn)
        found = task["txn"]
        api.post(body, "tasks", found, "choice")
        follow(api, found, leaving=(State.HANDED_OVER, task["step"]))
        show_trace(api, found)
        show_waiting(api, found)


@tasks.command("revoke")
def revoke(txn: Txn, stack: Stack = DEFAULT_STACK) -> None:
    """Kill every token of the task, now."""
    with Api(Place.of(stack)) as api:
        found = api.task(txn)["txn"]
        api.post({}, "tasks", found, "revoke")
    console.print(f"revoked: no token of task {found} is good any more")


def trace(txn: Txn, stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """What the model thought, the raw data it read, and the action that followed."""
    with Api(Place.of(stack)) as api:
        found = api.task(txn)["txn"]
        if as_json:
            print_json(api.get("tasks", found, "trace"))
        else:
            show_trace(api, found)


@approvals.command("list")
def list_approvals(
    all_: Annotated[bool, typer.Option("--all", help="Also those that are decided or ran out.")] = False,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """What waits for a person, the oldest first."""
    with Api(Place.of(stack)) as api:
        found = api.get("approvals") if all_ else _waiting(api)
    if as_json:
        print_json(found)
        return
    rows = [(one["id"], one["state"], one["expires_at"][:16], f"{action(one)}\ntask {one['txn']}") for one in found]
    print_table(("approval", "state", "expires, UTC", "action"), rows)


@approvals.command("show")
def show_approval(approval: ApprovalId, stack: Stack = DEFAULT_STACK) -> None:
    """The exact action, its digest, and who asks."""
    with Api(Place.of(stack)) as api:
        print_json(api.get("approvals", approval))


@approvals.command("approve")
def approve(approval: ApprovalId, stack: Stack = DEFAULT_STACK) -> None:
    """Consent to exactly this action, once."""
    _decide(approval, "approve", stack)


@approvals.command("decline")
def decline(approval: ApprovalId, stack: Stack = DEFAULT_STACK) -> None:
    """Refuse this action; the agent is told."""
    _decide(approval, "decline", stack)


def _decide(approval: str, decision: str, stack: str) -> None:
    with Api(Place.of(stack)) as api:
        found = api.get("approvals", approval)
        api.post({"decision": decision, "digest": found["digest"]}, "approvals", approval, "decision")
        console.print(f"{decision}d: {action(found)}", soft_wrap=True)
        follow(api, found["txn"], leaving=(State.AWAITING_APPROVAL, found["step"]))
        show_trace(api, found["txn"])
        show_waiting(api, found["txn"])


def action(approval: dict[str, Any]) -> str:
    """One line for the action that an approval is about."""
    described = approval["action"]
    return plain(f"{described['tool']} {arguments(described['arguments'])}")


def follow(api: Api, txn: str, leaving: Rest | None = None) -> None:
    """Show where the task is until it ends or waits for a person; ``leaving``: where it waited, and was answered."""
    try:
        _follow(api, txn, leaving)
    except KeyboardInterrupt:
        raise CommandError(
            f"Task {txn} goes on without you; `loomstead trace{api.place.option} {txn}` shows how far it is.",
            INTERRUPTED,
        ) from None


def _follow(api: Api, txn: str, leaving: Rest | None) -> None:
    deadline = time.monotonic() + LONGEST
    with Live(console=console, transient=True) as live:
        while time.monotonic() < deadline:
            task = api.task(txn)
            state = State(task["state"])
            live.update(Spinner("dots", Text(f"task {txn}: turn {task['step']}, {state}")))
            if (state, task["step"]) != leaving:
                leaving = None
            if leaving is None and (state in WAITS or state in FINAL):
                return
            time.sleep(LOOK_EVERY)
    raise CommandError(
        f"Task {txn} has not come to rest after {LONGEST:g} s; `loomstead trace{api.place.option} {txn}` shows how far "
        f"it came, {os.path.relpath(api.place.folder / 'logs')} what its processes say."
    )


def show_trace(api: Api, txn: str) -> None:
    """Print the task's story."""
    console.print(Story(api.task(txn), api.get("tasks", txn, "trace")))


def show_waiting(api: Api, txn: str) -> None:
    """Print what the task waits for, and the commands that answer it."""
    task, option = api.task(txn), api.place.option
    if task["state"] == State.AWAITING_APPROVAL:
        for approval in (one for one in _waiting(api) if one["txn"] == txn):
            _print_choice(Text.assemble(("waits for a person: ", "yellow"), action(approval)))
            for decision in ("approve", "decline"):
                console.print(f"  loomstead approvals {decision}{option} {approval['id']}", soft_wrap=True)
    elif task["state"] == State.HANDED_OVER:
        _print_choice(Text.assemble(("handed over to a person", "magenta"), f" ({task['reason']}); choose:"))
        for choice in Choice:
            console.print(f"  loomstead task choose{option} {txn} {choice}", soft_wrap=True)
        console.print(f"  loomstead task show{option} {txn}   # goal, last steps, raw data", soft_wrap=True)


def _print_choice(text: Text) -> None:
    console.print(Text("\n").append_text(text), soft_wrap=True)


def _waiting(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("approvals", state="waiting")
    return found
