"""Commands about tasks, their traces, approvals and hand-overs."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from scripts.cli.api import Api
from scripts.cli.place import CommandError, Place
from scripts.cli.trace import Story

WAITS = frozenset({"awaiting_approval", "handed_over"})
ENDS = frozenset({"finished", "taken_over", "stopped"})

Stack = Annotated[str, typer.Option("--stack", "-s", help="The stack, by the name of its file.")]
Txn = Annotated[str, typer.Argument(help="The task's id, or its beginning.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the gateway answered.")]

console = Console()
tasks = typer.Typer(no_args_is_help=True, help="Open tasks and look at them; choose what becomes of a handed-over one.")
approvals = typer.Typer(no_args_is_help=True, help="Consent to exactly one action, or decline it.")


@tasks.command("send")
def send(
    text: Annotated[str, typer.Argument(help="The event's text; `-` reads a file from standard input.")] = "-",
    agent: Annotated[str, typer.Option(help="Who shall take it.")] = "order-desk",
    trigger: Annotated[str, typer.Option(help="By which of the agent's triggers.")] = "mail",
    sender: Annotated[str, typer.Option("--from", help="Whom the event is from; its data subject.")] = "",
    subject: Annotated[str, typer.Option(help="The event's subject line.")] = "",
    wait: Annotated[bool, typer.Option(help="Follow the task until it ends or waits for a person.")] = True,
    stack: Stack = "local",
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
def list_tasks(stack: Stack = "local", as_json: AsJson = False) -> None:
    """All tasks, newest first."""
    with Api(Place.of(stack)) as api:
        found = api.get("/tasks")
    if as_json:
        console.print_json(data=found)
        return
    table = Table("task", "agent", "state", "turn", "outcome", box=None)
    for task in found:
        table.add_row(task["txn"], task["agent"], task["state"], str(task["step"]), task["outcome"])
    console.print(table)


@tasks.command("show")
def show(txn: Txn, stack: Stack = "local") -> None:
    """One task; for a handed-over one all that a person needs to go on."""
    with Api(Place.of(stack)) as api:
        task = api.task(txn)
        console.print_json(data=task)
        if task["state"] == "handed_over":
            console.print_json(data=api.get(f"/tasks/{task['txn']}/hand-over"))


@tasks.command("choose")
def choose(
    txn: Txn,
    choice: Annotated[str, typer.Argument(help="continue, take_over or stop")],
    iterations: Annotated[int, typer.Option(help="Further model turns; 0: the limit once more.")] = 0,
    stack: Stack = "local",
) -> None:
    """Decide what becomes of a handed-over task."""
    with Api(Place.of(stack)) as api:
        task = api.task(txn)
        body: dict[str, Any] = {"choice": choice.replace("-", "_")}
        if iterations:
            body["iterations"] = iterations
        api.post(f"/tasks/{task['txn']}/choice", body)
        follow(api, task["txn"], leave=frozenset({"handed_over"}))
        show_trace(api, task["txn"])
        show_waiting(api, task["txn"])


@tasks.command("revoke")
def revoke(txn: Txn, stack: Stack = "local") -> None:
    """Kill every token of the task, now."""
    with Api(Place.of(stack)) as api:
        api.post(f"/tasks/{api.task(txn)['txn']}/revoke", {})
    console.print("revoked")


def trace(txn: Txn, stack: Stack = "local", as_json: AsJson = False) -> None:
    """What the model thought, the raw data it read, and the action that followed."""
    with Api(Place.of(stack)) as api:
        if as_json:
            console.print_json(data=api.get(f"/tasks/{api.task(txn)['txn']}/trace"))
        else:
            show_trace(api, api.task(txn)["txn"])


@approvals.command("list")
def list_approvals(stack: Stack = "local", as_json: AsJson = False) -> None:
    """What waits for a person."""
    with Api(Place.of(stack)) as api:
        found = api.get("/approvals")
    if as_json:
        console.print_json(data=found)
        return
    table = Table("approval", "state", "task", "action", "expires", box=None)
    for approval in found:
        table.add_row(approval["id"], approval["state"], approval["txn"], action(approval), approval["expires_at"])
    console.print(table)


@approvals.command("show")
def show_approval(approval: Annotated[str, typer.Argument()], stack: Stack = "local") -> None:
    """The exact action, its digest, and who asks."""
    with Api(Place.of(stack)) as api:
        console.print_json(data=api.get(f"/approvals/{approval}"))


@approvals.command("approve")
def approve(approval: Annotated[str, typer.Argument()], stack: Stack = "local") -> None:
    """Consent to exactly this action, once."""
    _decide(approval, "approve", stack)


@approvals.command("decline")
def decline(approval: Annotated[str, typer.Argument()], stack: Stack = "local") -> None:
    """Refuse this action; the agent is told."""
    _decide(approval, "decline", stack)


def _decide(approval: str, decision: str, stack: str) -> None:
    with Api(Place.of(stack)) as api:
        found = api.get(f"/approvals/{approval}")
        api.post(f"/approvals/{approval}/decision", {"decision": decision, "digest": found["digest"]})
        console.print(f"{decision}d: {action(found)}")
        follow(api, found["txn"], leave=frozenset({"awaiting_approval"}))
        show_trace(api, found["txn"])
        show_waiting(api, found["txn"])


def action(approval: dict[str, Any]) -> str:
    """One line for the action that an approval is about."""
    described = approval["action"]
    return f"{described['tool']} {json.dumps(described['arguments'], ensure_ascii=False)}"


def follow(api: Api, txn: str, *, leave: frozenset[str] = frozenset(), seconds: float = 900) -> None:
    """Show where the task is until it ends or waits for a person. ``leave``: states it is just leaving."""
    deadline, left = time.monotonic() + seconds, not leave
    with Live(Spinner("dots", f"task {txn}"), console=console, transient=True) as live:
        while time.monotonic() < deadline:
            task = api.task(txn)
            left = left or task["state"] not in leave
            live.update(Spinner("dots", f"task {txn}: turn {task['step']}, {task['state']}"))
            if task["state"] in ENDS or (task["state"] in WAITS and left):
                return
            time.sleep(0.3)
    raise CommandError(
        f"Task {txn} is still {task['state']} after {seconds:g} s; `loomstead trace {txn}` shows how far it came, "
        f"{os.path.relpath(Path(api.place.folder, 'logs'))} what its processes say."
    )


def show_trace(api: Api, txn: str) -> None:
    """Print the task's story."""
    task, told = api.task(txn), api.get(f"/tasks/{txn}/trace")
    console.print(Story(task, told))


def show_waiting(api: Api, txn: str) -> None:
    """Print what the task waits for, and the commands that answer it."""
    task = api.task(txn)
    if task["state"] == "awaiting_approval":
        for approval in _waiting(api, lambda a: a["txn"] == txn):
            console.print(f"\n[yellow]waits for a person:[/] {action(approval)}")
            console.print(
                f"  loomstead approvals approve {approval['id']}\n  loomstead approvals decline {approval['id']}"
            )
    elif task["state"] == "handed_over":
        console.print(f"\n[magenta]handed over to a person[/] ({task['reason']}); choose:")
        console.print(f"  loomstead task choose {txn} continue\n  loomstead task choose {txn} take-over")
        console.print(f"  loomstead task choose {txn} stop\n  loomstead task show {txn}   # goal, last steps, raw data")


def _waiting(api: Api, fits: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    return [a for a in api.get("/approvals") if a["state"] == "waiting" and fits(a)]
