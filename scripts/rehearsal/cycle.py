"""The rehearsal: what happens to a stack in its life, made to happen on the real engine within a minute."""

import signal
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.engine import Engine
from scripts.rehearsal.cloud import Cloud, Control, Fault, Op, Way
from scripts.rehearsal.provider import serving
from scripts.rehearsal.replacing import replacing
from scripts.rehearsal.stack import Outcome, Stack

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Plan:
    """``project``: a folder with ``Pulumi.yaml``. ``change``: what the configuration becomes half-way, over ``config``.

    ``breaks``: a part of one resource's URN; at its creation the engine is killed, then it fails, and so does its
    deletion. ``control``: what the cloud answers and what is there already.
    """

    project: Path
    packages: tuple[str, ...]
    breaks: str
    config: Mapping[str, Any] = field(default_factory=dict)
    change: Mapping[str, Any] = field(default_factory=dict)
    control: Control = field(default_factory=Control)


@dataclass(frozen=True)
class Step:
    """``seconds``: wall time of the engine, the program's included."""

    name: str
    seconds: float
    changes: Mapping[str, int]


@dataclass(frozen=True)
class Rehearsal:
    """``resources``: in state before the change. ``replaced``: URNs that the change replaced. ``undecided``: types that
    the change touched and of which nobody says here what replaces them. ``kept``: URNs that stay in the cloud on
    purpose. Without ``problems`` it went as it should."""

    steps: tuple[Step, ...]
    resources: int
    replaced: tuple[str, ...]
    undecided: tuple[str, ...]
    kept: tuple[str, ...]
    problems: tuple[str, ...]

    def table(self) -> str:
        """One line a step, and the sum."""
        lines = [f"{step.name:<32} {step.seconds:5.1f} s  {_counted(step.changes)}" for step in self.steps]
        total = sum(step.seconds for step in self.steps)
        return "\n".join([*lines, f"{'all':<32} {total:5.1f} s  {self.resources} resources"])


def rehearse(plan: Plan, engine: Engine) -> Rehearsal:
    """Raises ``StepFailed`` where the engine cannot be made to work at all; what the stack does wrong is a problem."""
    with tempfile.TemporaryDirectory(prefix="loomstead-rehearsal-") as folder:
        cloud = Cloud(Path(folder))
        cloud.tell(plan.control)
        with serving(cloud) as port:
            stack = Stack(plan.project, engine, Path(folder, "stack"), plan.packages, port)
            cycle = _Cycle(plan, cloud, stack)
            with suppress(_Stopped):
                cycle.go()
            return cycle.rehearsal()


class _Stopped(Exception):
    """A step went so that those after it would say nothing."""


class _Cycle:
    def __init__(self, plan: Plan, cloud: Cloud, stack: Stack) -> None:
        self._plan, self._cloud, self._stack = plan, cloud, stack
        self._steps: list[Step] = []
        self._problems: list[str] = []
        self._replaced: tuple[str, ...] = ()
        self._undecided: tuple[str, ...] = ()
        self._kept: tuple[str, ...] = ()
        self._count = 0

    def rehearsal(self) -> Rehearsal:
        return Rehearsal(
            tuple(self._steps), self._count, self._replaced, self._undecided, self._kept, tuple(self._problems)
        )

    def go(self) -> None:
        self._stack.configure(self._plan.config)
        self._kill()
        self._breaks("up, a creation fails", "up", Op.CREATE)
        self._works("up, resumed", "up")
        self._find_orphans("up")
        self._count = len(self._stack.resources())
        self._stays("up again", "up")
        self._change()
        self._stays("refresh", "refresh")
        self._destroy()

    def _kill(self) -> None:
        """End the engine by SIGKILL while a creation is under way; what it was told of by then is in its state."""
        with self._fault(Op.CREATE, Way.HOLD):
            running = self._stack.start("up")
            while not self._cloud.held.is_set() and running.process.poll() is None:
                time.sleep(_POLL_SECONDS)
            if running.process.poll() is None:
                running.process.send_signal(signal.SIGKILL)
            outcome = self._stack.outcome(running)
            if not self._cloud.held.is_set():
                self._fail(f"up: nothing was created whose URN has {self._plan.breaks!r} in it. {outcome.said}")
        self._note("up, the engine is killed", outcome)
        self._stack.cancel()

    def _change(self) -> None:
        before = len(self._cloud.journal())
        self._stack.configure({**self._plan.config, **self._plan.change})
        outcome = self._works("change", "up")
        self._find_orphans("change")
        tokens = {resource.urn: resource.token for resource in self._stack.resources()}
        self._replaced = outcome.replaced
        self._problems += [
            f"change: {urn} holds data and is replaced" for urn in outcome.replaced if tokens.get(urn) in replacing()
        ]
        touched = [line for line in self._cloud.journal()[before:] if line["event"] == "diff" and line["changed"]]
        self._undecided = tuple(sorted({tokens[line["urn"]] for line in touched if not line["known"]}))

    def _destroy(self) -> None:
        there = self._stack.resources()
        self._kept = tuple(resource.urn for resource in there if resource.kept and resource.id)
        if any(resource.protect for resource in there):
            if self._run("destroy, protected", "destroy").ok:
                self._fail("destroy: it went through although resources are protected")
            self._stack.unprotect()
        self._breaks("destroy, a deletion fails", "destroy", Op.DELETE)
        self._works("destroy, resumed", "destroy")
        left = [resource.urn for resource in self._stack.resources() if resource.id]
        self._problems += [f"destroy: {urn} is left in the state" for urn in left]
        self._find_orphans("destroy")

    def _find_orphans(self, step: str) -> None:
        """What the cloud has and no state knows of: nobody would ever delete it."""
        known = {resource.id for resource in self._stack.resources()}
        self._problems += [
            f"{step}: {resource.id} is in the cloud and in no state ({resource.urn})"
            for resource in self._cloud.resources()
            if resource.id not in known and resource.urn not in self._kept
        ]

    def _breaks(self, name: str, command: str, op: Op) -> None:
        with self._fault(op, Way.FAIL):
            outcome = self._run(name, command)
            happened = any(line["event"] == "fault" and line["of"] == op for line in self._cloud.journal())
        if outcome.ok and happened:
            self._problems.append(f"{name}: the engine says that all went well")
        elif not outcome.ok and "injected by the rehearsal" not in outcome.said:
            self._fail(f"{name}: it failed of something else. {outcome.said}")

    def _works(self, name: str, command: str) -> Outcome:
        outcome = self._run(name, command)
        if not outcome.ok:
            self._fail(f"{name}: {outcome.said}")
        return outcome

    def _stays(self, name: str, command: str) -> None:
        changes = {op: count for op, count in self._works(name, command).changes.items() if op != "same"}
        if changes:
            self._problems.append(f"{name}: nothing should change, and the engine says {_counted(changes)}")

    def _run(self, name: str, command: str) -> Outcome:
        outcome = self._stack.run(command)
        self._note(name, outcome)
        return outcome

    def _note(self, name: str, outcome: Outcome) -> None:
        self._steps.append(Step(name, outcome.seconds, outcome.changes))

    def _fail(self, problem: str) -> None:
        self._problems.append(problem)
        raise _Stopped

    @contextmanager
    def _fault(self, op: Op, way: Way) -> Generator[None]:
        told = self._plan.control
        fault = Fault(op=op, urn=self._plan.breaks, way=way)
        self._cloud.tell(told.model_copy(update={"faults": (*told.faults, fault)}))
        yield
        self._cloud.tell(told)


def _counted(changes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {op}" for op, count in sorted(changes.items())) or "nothing"
