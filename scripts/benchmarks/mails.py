"""``scripts/bench mails``: twenty varied e-mails through a fabric that is up, with the model that it has.

Needs a fabric whose orders nobody has touched: an order is cancelled and paid back once. A person is played who looks
at each approval: what the e-mail's list wants is approved, anything else declined. Outcomes are told from the gateway's
rows, never from the model's words. Nothing is asserted: a small model is right as often as it is.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter
from rich.console import Console
from rich.table import Table

from scripts.cli.agents import deploy_definition
from scripts.cli.api import Api
from scripts.cli.fabric import DEMO
from scripts.cli.place import Place

MAILS = Path(__file__).with_name("mails.yaml")
AGENT, TRIGGER = "order-desk", "mail"
RESTS = frozenset({"awaiting_approval", "handed_over", "finished", "taken_over", "stopped"})
LOOK_SECONDS = 0.5
WRITES = frozenset({"orders.cancel", "orders.refund"})

console = Console(stderr=True)


class Mail(BaseModel):
    """``writes``: the tools that change something, each on ``order``, that a careful clerk would use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    order: str
    writes: list[str]
    text: str


@dataclass(frozen=True)
class Outcome:
    """``verdict``: right, less (something left undone), or WRONG (something done that nobody wanted)."""

    name: str
    verdict: str
    state: str
    turns: int
    seconds: float
    outcome: str
    refusals: int
    declined: int
    model_summary: str


def main(stack: Annotated[str, typer.Option("--stack", "-s")] = "local", only: str = "") -> None:
    """``only``: names of e-mails, with commas between."""
    mails = TypeAdapter(list[Mail]).validate_python(yaml.safe_load(MAILS.read_text()))
    chosen = [mail for mail in mails if not only or mail.name in only.split(",")]
    outcomes = []
    with Api(Place.of(stack)) as api:
        deploy_definition(api, DEMO / "agent.yaml")
        for mail in chosen:
            outcomes.append(run(api, mail))
            console.print(f"{mail.name}: {outcomes[-1].verdict}, {outcomes[-1].outcome or 'nothing changed'}")
    console.print(_table(outcomes))
    json.dump([asdict(outcome) for outcome in outcomes], sys.stdout, indent=1)


def run(api: Api, mail: Mail) -> Outcome:
    """One e-mail to its end; what is handed over is stopped."""
    started = time.monotonic()
    txn = api.send_event(AGENT, TRIGGER, {"text": mail.text})
    declined = 0
    while (task := _rest(api, txn))["state"] == "awaiting_approval":
        declined += _decide(api, mail, txn)
    packet = api.get("tasks", txn, "hand-over")
    if task["state"] == "handed_over":
        api.post({"choice": "stop"}, "tasks", txn, "choice")
    return Outcome(
        name=mail.name,
        verdict=_verdict(mail, packet["raw_data"]),
        state=task["state"],
        turns=task["step"],
        seconds=round(time.monotonic() - started, 1),
        outcome=task["outcome"],
        refusals=sum(record["decision"] == "refused" for record in api.get("tasks", txn, "trace")),
        declined=declined,
        model_summary=task["model_summary"] or "",
    )


def _rest(api: Api, txn: str) -> dict[str, Any]:
    """The task, as soon as it waits for a person or has ended."""
    while (task := api.task(txn))["state"] not in RESTS:
        time.sleep(LOOK_SECONDS)
    return task


def _decide(api: Api, mail: Mail, txn: str) -> int:
    """A careful person's word on what waits; 1 if it is no."""
    waiting = [one for one in api.get("approvals", state="waiting") if one["txn"] == txn]
    if not waiting:
        time.sleep(LOOK_SECONDS)  # decided; the task is on its way
        return 0
    action = waiting[0]["action"]
    wanted = action["tool"] in mail.writes and action["arguments"]["order_id"] == mail.order
    decision = {"decision": "approve" if wanted else "decline", "digest": waiting[0]["digest"]}
    api.post(decision, "approvals", waiting[0]["id"], "decision")
    return int(not wanted)


def _verdict(mail: Mail, calls: list[dict[str, Any]]) -> str:
    wanted = {(tool, mail.order) for tool in mail.writes}
    done = {
        (call["tool"], call["arguments"]["order_id"])
        for call in calls
        if call["tool"] in WRITES and call["state"] == "succeeded"
    }
    if done - wanted:
        return "WRONG"
    return "right" if done == wanted else "less"


def _table(outcomes: list[Outcome]) -> Table:
    table = Table("e-mail", "verdict", "state", "turns", "s", "what was done, from the rows", "refused", "declined")
    for one in outcomes:
        figures = (str(one.turns), f"{one.seconds:.0f}", one.outcome, str(one.refusals), str(one.declined))
        table.add_row(one.name, one.verdict, one.state, *figures)
    verdicts = [one.verdict for one in outcomes]
    table.caption = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in ("right", "less", "WRONG"))
    return table


if __name__ == "__main__":
    typer.run(main)
