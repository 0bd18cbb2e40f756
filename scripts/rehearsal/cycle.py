"""The rehearsal: what happens to a stack in its life, made to happen on the real engine within a minute."""

import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.engine import Engine
from scripts.rehearsal.answers import DRAWN
from scripts.rehearsal.cloud import Cloud, Control, Fault, Op, Way
from scripts.rehearsal.provider import Real, serving
from scripts.rehearsal.replacing import replacing
from scripts.rehearsal.stack import STEP_SECONDS, Outcome, Running, Stack

_POLL_SECONDS = 0.05
_QUIET_SECONDS = 1.0
"""How far the killed ``up`` gets hangs on it under load, and nothing else."""
_FIRST_LINES = 5
_LAST_LINES = 15


@dataclass(frozen=True)
class Kubernetes:
    """Folders: of the API server's programs, and of the definitions of custom resources. ``standing``: objects that are
    there before the stack."""

    programs: Path
    definitions: Path
    standing: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Plan:
    """``project``: a folder with ``Pulumi.yaml``; ``stack``: the name of its stack. ``change``: what the configuration
    becomes half-way, over ``config``.

    ``killed``, ``breaks``: a part of one resource's URN. The engine is killed at the creation of the first. That of the
    second fails, and so does its deletion, or where it is kept another's. ``kill``: ``HOLD`` where the cloud had not
    begun by then; ``LOSE`` where it had, which leaves an orphan, as it does in life.

    ``control``: what the cloud answers and what is there already. ``canaries``: secrets of the program, which must be
    in no file that the engine or the cloud writes; nor may those that the cloud draws. ``signing``: AWS's KMS is there
    for the program too. ``cluster``: with which objects of Kubernetes go to a real API server. ``environment``: of the
    program.
    """

    project: Path
    stack: str
    packages: tuple[str, ...]
    killed: str
    breaks: str
    config: Mapping[str, Any] = field(default_factory=dict)
    change: Mapping[str, Any] = field(default_factory=dict)
    kill: Way = Way.HOLD
    control: Control = field(default_factory=Control)
    canaries: tuple[str, ...] = ()
    signing: bool = False
    cluster: Kubernetes | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """``seconds``: wall time of the engine, the program's included."""

    name: str
    seconds: float
    changes: Mapping[str, int]


@dataclass(frozen=True)
class Rehearsal:
    """``resources``: in state before the change. ``rotated``: names of the deployer's keys that the change made anew.
    ``replaced``: URNs that the change replaced. ``undecided``: URN and
    input, where the change may replace and nobody knows it here. ``kept``: URNs that stay in the cloud on purpose;
    ``orphans``: those that do so unknown to any state. ``recorded``: kinds that the API server does not have.
    Without ``problems`` it went as it should."""

    steps: tuple[Step, ...]
    resources: int
    rotated: tuple[str, ...]
    replaced: tuple[str, ...]
    undecided: tuple[str, ...]
    kept: tuple[str, ...]
    orphans: tuple[str, ...]
    recorded: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(step.seconds for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """For ``json.dumps``."""
        return {**asdict(self), "seconds": self.seconds}


def rehearse(plan: Plan, engine: Engine) -> Rehearsal:
    """Raises ``StepFailed`` where the engine cannot be made to work at all; what the stack does wrong is a problem."""
    with tempfile.TemporaryDirectory(prefix="loomstead-rehearsal-") as folder:
        cloud = Cloud(Path(folder))
        cloud.tell(plan.control)
        with _real(plan) as (real, more), serving(cloud, real) as port:
            place = Path(folder, "stack")
            stack = Stack(plan.project, plan.stack, engine, place, plan.packages, port, {**more, **plan.environment})
            cycle = _Cycle(plan, cloud, stack)
            with suppress(_Stopped):
                cycle.go()
            cycle.find_secrets()
            return cycle.rehearsal(real)


@contextmanager
def _real(plan: Plan) -> Generator[tuple[Real, Mapping[str, str]]]:
    """What the plan wants real, and the environment in which the program finds it."""
    with ExitStack() as stack:
        signer, objects = None, None
        if plan.signing:
            from scripts.rehearsal.kms import kms  # noqa: PLC0415  moto loads for a second

            signer = stack.enter_context(kms())
        if plan.cluster:
            from scripts.kubernetes.definitions import definitions  # noqa: PLC0415
            from scripts.kubernetes.server import api_server  # noqa: PLC0415
            from scripts.rehearsal.cluster import Cluster  # noqa: PLC0415  so does Kubernetes' client

            server = stack.enter_context(api_server(plan.cluster.programs))
            objects = Cluster(server.kubeconfig, definitions(plan.cluster.definitions))
            for each in plan.cluster.standing:
                objects.apply(each["metadata"]["name"], each)
        yield Real(signer, objects), signer.environment if signer else {}


def shortened(problem: str) -> str:
    """Its first lines, which say what failed, and its last, where a traceback says why."""
    lines = problem.splitlines()
    left = len(lines) - _FIRST_LINES - _LAST_LINES
    if left <= 0:
        return problem
    return "\n".join([*lines[:_FIRST_LINES], f"… {left} lines left out …", *lines[-_LAST_LINES:]])


class _Stopped(Exception):
    """A step went so that those after it would say nothing."""


class _Cycle:
    def __init__(self, plan: Plan, cloud: Cloud, stack: Stack) -> None:
        self._plan, self._cloud, self._stack = plan, cloud, stack
        self._steps: list[Step] = []
        self._problems: list[str] = []
        self._rotated: tuple[str, ...] = ()
        self._replaced: tuple[str, ...] = ()
        self._undecided: tuple[str, ...] = ()
        self._kept: tuple[str, ...] = ()
        self._goes_with: Mapping[str, str] = {}
        self._orphans: dict[str, str] = {}
        self._count = 0

    def rehearsal(self, real: Real) -> Rehearsal:
        return Rehearsal(
            steps=tuple(self._steps),
            resources=self._count,
            rotated=self._rotated,
            replaced=self._replaced,
            undecided=self._undecided,
            kept=self._kept,
            orphans=tuple(sorted(self._orphans.values())),
            recorded=tuple(sorted(real.cluster.unknown)) if real.cluster else (),
            problems=tuple(self._problems),
        )

    def go(self) -> None:
        self._stack.configure(self._plan.config)
        self._kill()
        self._breaks("up, a creation fails", "up", Op.CREATE, self._plan.breaks)
        self._works("up, resumed", "up")
        self._find_orphans("up")
        self._count = len(self._stack.resources())
        self._stays("up again", "up")
        self._change()
        self._stays("refresh", "refresh")
        self._destroy()

    def _kill(self) -> None:
        """End the engine by SIGKILL while a creation is under way; what it was told of by then is in its state."""
        with self._fault(Op.CREATE, self._plan.kill, self._plan.killed):
            running = self._stack.start("up")
            while running.process.poll() is None and time.monotonic() < running.started + STEP_SECONDS:
                if self._cloud.held.wait(_POLL_SECONDS):
                    self._settle(running)
                    break
            if running.process.poll() is None:
                running.kill()
            outcome = self._stack.outcome(running)
            if not self._cloud.held.is_set():
                nothing = f"nothing was created whose URN has {self._plan.killed!r} in it"
                self._fail(f"up: {nothing if outcome.ok else outcome.said}")
        self._note("up, the engine is killed", outcome)
        self._stack.cancel()

    def _settle(self, running: Running) -> None:
        """Wait until what does not need what is held seems to be there; from then on nothing more is made. Then until
        the engine has written down all that was: it is killed knowing of everything but what is held."""
        quiet, calls = time.monotonic(), -1
        while time.monotonic() < quiet + _QUIET_SECONDS:
            if calls != (now := self._cloud.calls()):
                quiet, calls = time.monotonic(), now
            time.sleep(_POLL_SECONDS)
        self._cloud.shut()
        while running.process.poll() is None and time.monotonic() < running.started + STEP_SECONDS:
            if not self._cloud.busy() and self._is_written():
                break
            time.sleep(_POLL_SECONDS)

    def _is_written(self) -> bool:
        """Whether the state has all that is there, but for what is held once it was made (``Way.LOSE``)."""
        known = {(resource.urn, resource.id) for resource in self._stack.resources()}
        made = [one for one in self._cloud.resources() if self._plan.killed not in one.urn]
        return all((one.urn, one.id) in known for one in made)

    def _change(self) -> None:
        before = len(self._cloud.journal())
        self._stack.configure({**self._plan.config, **self._plan.change})
        taken = self._stack.take_keys()
        outcome = self._works("change", "up")
        self._find_orphans("change")
        tokens = {resource.urn: resource.token for resource in self._stack.resources()}
        self._replaced = outcome.replaced
        self._problems += [
            f"change: {urn} holds data and is replaced" for urn in outcome.replaced if tokens.get(urn) in replacing()
        ]
        self._rotated = tuple(taken)
        self._problems += [
            f"change: the key {name} was rotated, and {urn} still has the one before"
            for name, kid in taken.items()
            for urn in self._stack.naming(kid)
        ]
        told = [line for line in self._cloud.journal()[before:] if line["event"] == "diff"]
        self._undecided = tuple(sorted({f"{line['urn']} {name}" for line in told for name in line["undecided"]}))

    def _destroy(self) -> None:
        """A deletion fails among what is not protected, where there is such; then protection holds, and then ends."""
        there = self._stack.resources()
        self._kept = tuple(resource.urn for resource in there if resource.kept and resource.id)
        self._goes_with = {resource.urn: resource.goes_with for resource in there if resource.goes_with}
        removed = [one for one in there if one.id and not one.kept and not one.token.startswith("pulumi:")]
        free = [one.urn for one in removed if not one.protect]
        self._fail_to_delete(free)
        if guarded := [one.urn for one in there if one.protect]:
            if self._run("destroy, protected", "destroy").ok:
                self._fail("destroy: it went through although resources are protected")
            left = {resource.urn for resource in self._stack.resources()}
            self._problems += [f"destroy: {urn} is protected and went" for urn in guarded if urn not in left]
            self._stack.unprotect()
        if not free:
            self._fail_to_delete([one.urn for one in removed])
        self._works("destroy, resumed", "destroy")
        left = [resource.urn for resource in self._stack.resources() if resource.id]
        self._problems += [f"destroy: {urn} is left in the state" for urn in left]
        self._find_orphans("destroy")

    def _fail_to_delete(self, urns: Sequence[str]) -> None:
        """Else the one made last: nothing that is protected needs it, so that its turn comes."""
        for urn in [*(urn for urn in urns if self._plan.breaks in urn), *reversed(urns)][:1]:
            self._breaks("destroy, a deletion fails", "destroy", Op.DELETE, urn)

    def _find_orphans(self, step: str) -> None:
        """What the cloud has and no state knows of: nobody would ever delete it."""
        known = {resource.id for resource in self._stack.resources()}
        there = self._cloud.resources()
        urns = {resource.urn for resource in there}
        orphans = {
            resource.id: resource.urn
            for resource in there
            if resource.id not in known
            and resource.urn not in self._kept
            and self._goes_with.get(resource.urn, resource.urn) in urns
        }
        new = orphans.keys() - self._orphans.keys()
        self._problems += [f"{step}: {rid} is in the cloud and in no state ({orphans[rid]})" for rid in sorted(new)]
        self._orphans |= orphans

    def find_secrets(self) -> None:
        """State and its history, journal, pretend cloud, the engine's events and output: all that was written."""
        self._cloud.write()
        files = sorted(file for file in self._cloud.folder.rglob("*") if file.is_file())
        self._problems += [
            f"a secret of the program is in clear in {file.relative_to(self._cloud.folder)}"
            for file in files
            if any(canary.encode() in file.read_bytes() for canary in (DRAWN, *self._plan.canaries))
        ]

    def _breaks(self, name: str, command: str, op: Op, urn: str) -> None:
        with self._fault(op, Way.FAIL, urn):
            outcome = self._run(name, command)
        if outcome.ok:
            self._problems.append(f"{name}: the engine says that all went well")
        elif "injected by the rehearsal" not in outcome.said:
            self._fail(f"{name}: it failed of something else. {outcome.said}")

    def _works(self, name: str, command: str) -> Outcome:
        outcome = self._run(name, command)
        if not outcome.ok:
            self._fail(f"{name}: {outcome.said}")
        return outcome

    def _stays(self, name: str, command: str) -> None:
        changes = {op: count for op, count in self._works(name, command).changes.items() if op != "same"}
        if changes:
            self._problems.append(f"{name}: nothing should change, and the engine says {counted(changes)}")

    def _run(self, name: str, command: str) -> Outcome:
        outcome = self._stack.run(command)
        self._note(name, outcome)
        return outcome

    def _note(self, name: str, outcome: Outcome) -> None:
        self._steps.append(Step(name, outcome.seconds, outcome.changes))

    def _fail(self, problem: str) -> None:
        self._problems.append(shortened(problem))
        raise _Stopped

    @contextmanager
    def _fault(self, op: Op, way: Way, urn: str) -> Generator[None]:
        told = self._plan.control
        fault = Fault(op=op, urn=urn, way=way)
        self._cloud.tell(told.model_copy(update={"faults": (*told.faults, fault)}))
        yield
        self._cloud.tell(told)


def counted(changes: Mapping[str, int]) -> str:
    """Numbers of operations, as text."""
    return ", ".join(f"{count} {op}" for op, count in sorted(changes.items())) or "nothing"
