"""The outbox: rows reach a real Temporal, through its absence and through two gateways at once."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from runtime.tasks.dispatch import Dispatcher, NotTaken, TemporalOrchestrator
from runtime.tasks.messages import ApprovalDecision, HandOverChoice
from tests.fakes.model_server import finish
from tests.fixtures import temporal
from tests.fixtures.desk import Desk, delivering, working


@dataclass
class Recorder:
    """Takes what it is brought, after refusing it ``refusals`` times."""

    refusals: int = 0
    taken: list[str] = field(default_factory=list)

    async def ready(self) -> bool:
        return True

    async def start(self, txn: str) -> None:
        await asyncio.sleep(0.01)
        if self.refusals > 0:
            self.refusals -= 1
            raise NotTaken("not now")
        self.taken.append(txn)

    async def decide(self, txn: str, delivery: str, decision: ApprovalDecision) -> None:
        self.taken.append(f"{decision.decision} {decision.approval}")

    async def choose(self, txn: str, delivery: str, choice: HandOverChoice) -> None:
        self.taken.append(choice.choice)

    async def revoke(self, txn: str) -> None:
        self.taken.append(f"revoke {txn}")


async def test_several_gateways_bring_each_task_once(desk: Desk) -> None:
    txns = [await desk.mail(f"mail {number}") for number in range(5)]
    recorder = Recorder()
    gateways = [Dispatcher(desk.stack.pool, recorder) for _ in range(3)]
    await asyncio.gather(*(gateway.deliver() for gateway in gateways))
    assert sorted(recorder.taken) == sorted(txns)


async def test_what_is_not_taken_is_brought_again_and_holds_nothing_else_up(desk: Desk) -> None:
    txns = [await desk.mail(f"mail {number}") for number in range(3)]
    recorder = Recorder(refusals=1)
    dispatcher = Dispatcher(desk.stack.pool, recorder)
    await dispatcher.deliver()
    assert len(recorder.taken) == 2
    await dispatcher.deliver()
    await dispatcher.deliver()
    assert sorted(recorder.taken) == sorted(txns)


async def test_a_choice_and_a_revocation_are_brought_once(desk: Desk) -> None:
    txn = await desk.mail("4711")
    recorder = Recorder()
    dispatcher = Dispatcher(desk.stack.pool, recorder)
    await dispatcher.deliver()
    for seq, event, source, target in [(1, "started", "opened", "thinking"), (2, "refused", "thinking", "handed_over")]:
        row = {"seq": seq, "step": 1, "from": source, "event": event, "to": target}
        (await desk.as_worker("POST", f"/tasks/{txn}/transitions", row)).raise_for_status()
    await desk.post(f"/tasks/{txn}/choice", {"choice": "take_over"})
    await desk.post(f"/tasks/{txn}/revoke", {})
    await dispatcher.deliver()
    await dispatcher.deliver()
    assert recorder.taken == [txn, "take_over", f"revoke {txn}"]


async def test_a_mail_that_comes_while_temporal_is_down_is_worked_on_when_it_is_back(
    desk: Desk, tmp_path: Path
) -> None:
    """The webhook is answered at once; the workflow exists as soon as there is a server to hold it."""
    port = temporal.free_port()
    address = f"127.0.0.1:{port}"
    desk.model.script["4711"] = [finish("nothing to do")]
    desk.dispatcher = Dispatcher(desk.stack.pool, TemporalOrchestrator(address, 60, desk.queue))
    async with delivering(desk):
        txn = await desk.mail("4711")
        await asyncio.sleep(1)
        assert (await desk.get(f"/tasks/{txn}"))["state"] == "opened"
        server = temporal.start(port, "--db-filename", str(tmp_path / "temporal.db"))
        try:
            async with working(desk, await temporal.connect(address)):
                await desk.until(txn, "finished")
        finally:
            server.terminate()
            server.wait(30)


async def test_an_unreachable_temporal_is_not_ready() -> None:
    assert not await TemporalOrchestrator(f"127.0.0.1:{temporal.free_port()}", 60).ready()
