"""One stack of a project on the real engine, with a backend, a passphrase and a home that are thrown away.

The project itself is only read: its program is run from where it lies, by a copy of its ``Pulumi.yaml``. The program
finds the stack file that is in force, a copy too, by ``LOOMSTEAD_STACK_FILE``.
"""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import yaml

from scripts.command import StepFailed, run
from scripts.engine import Engine, environment
from scripts.rehearsal.sdk import BYTECODE

STEP_SECONDS = 600
_LAST_LINES = 20
_NO_CHECKPOINTS = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
_REPLACING = frozenset({"replace", "create-replacement", "delete-replaced"})


@dataclass(frozen=True)
class Resource:
    """Of the stack's state. ``id``: empty for a component. ``kept``: retained in the cloud when it is destroyed.
    ``goes_with``: URN of what takes it along when it is deleted, or empty."""

    urn: str
    token: str
    id: str
    protect: bool
    kept: bool
    goes_with: str


@dataclass(frozen=True)
class Outcome:
    """``changes``: operation → number of resources. ``replaced``: URNs. ``said``: the engine's errors, or the end of
    its output where it named none."""

    ok: bool
    seconds: float
    changes: Mapping[str, int]
    replaced: tuple[str, ...]
    said: str


class Stack:
    """``name``: the stack's. ``port``: where the recording provider listens for ``packages``. ``more``: variables of
    the program's environment."""

    def __init__(
        self,
        project: Path,
        name: str,
        engine: Engine,
        folder: Path,
        packages: tuple[str, ...],
        port: int,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        folder.mkdir(parents=True)
        self._folder, self._name = folder, name
        self._environment = {
            **os.environ,
            **environment(engine, folder / "home"),
            "PULUMI_HOME": str(folder / "pulumi-home"),
            "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(),
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{package}:{port}" for package in packages),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # --event-log is one of them
            "LOOMSTEAD_STACK_FILE": str(self._stack_file),
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(BYTECODE),
            **more,
        }
        copied = _project(project)
        self._project = copied["name"]
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(copied))
        self._pulumi("stack", "init", name)
        self._salt = yaml.safe_load(self._stack_file.read_text())

    def configure(self, config: Mapping[str, Any]) -> None:
        self._stack_file.write_text(yaml.safe_dump({**self._salt, "config": dict(config)}))

    def run(self, command: str, *options: str) -> Outcome:
        """To its end, which is when the engine writes its state: after each step it would take most of the time."""
        return self.outcome(self.start(command, *options, more=_NO_CHECKPOINTS))

    def start(self, command: str, *options: str, more: Mapping[str, str] = MappingProxyType({})) -> "Running":
        """The engine writes its state after each step, as it does in life. ``more``: variables of its environment."""
        started = time.monotonic()
        events, output = (self._folder / f"{started:.6f}.{kind}" for kind in ("events", "output"))
        preview = [] if command == "preview" else ["--yes", "--skip-preview"]
        told = ["--stack", self._name, "--event-log", str(events), "--non-interactive"]
        argv = ["pulumi", command, *preview, *told, *options]
        with output.open("w") as written:
            process = subprocess.Popen(
                argv,
                cwd=self._folder,
                env={**self._environment, **more},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        return Running(process, events, output, started)

    def outcome(self, running: "Running") -> Outcome:
        try:
            code = running.process.wait(STEP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            raise StepFailed(f"the engine did not end in {STEP_SECONDS} s: {running.end()}") from None
        seconds = time.monotonic() - running.started
        events = running.said()
        errors = [
            event["diagnosticEvent"]["message"].strip()
            for event in events
            if event.get("diagnosticEvent", {}).get("severity") == "error"
        ]
        changes = next((event["summaryEvent"]["resourceChanges"] for event in events if "summaryEvent" in event), {})
        done = [event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event]
        replaced = dict.fromkeys(step["urn"] for step in done if step["op"] in _REPLACING)
        return Outcome(code == 0, seconds, changes or {}, tuple(replaced), "\n".join(errors) or running.end())

    def cancel(self) -> None:
        """Drop the lock of an engine that was killed."""
        self._pulumi("cancel", self._name, "--yes")

    def unprotect(self) -> None:
        self._pulumi("state", "unprotect", "--all", "--yes", "--stack", self._name)

    def resources(self) -> tuple[Resource, ...]:
        return tuple(
            Resource(
                urn=resource["urn"],
                token=resource["type"],
                id=resource.get("id", ""),
                protect=resource.get("protect", False),
                kept=resource.get("retainOnDelete", False),
                goes_with=resource.get("deletedWith", ""),
            )
            for resource in self._latest()
        )

    def naming(self, text: str) -> tuple[str, ...]:
        """URNs of the resources in whose state this is in clear."""
        return tuple(resource["urn"] for resource in self._latest() if text in json.dumps(resource))

    def take_keys(self) -> dict[str, str]:
        """Take the deployer's keys away, so that the next `up` makes others. Name → ``kid`` of each that went."""
        taken = {}
        for file in sorted(file for file in self._keys.glob("*.jwk") if not file.match("*.public.jwk")):
            taken[file.stem] = json.loads(file.read_text())["kid"]
            file.unlink()
        return taken

    def state(self) -> str:
        """As the backend keeps it: secrets are ciphertext."""
        return self._pulumi("stack", "export", "--stack", self._name)

    def _pulumi(self, *arguments: str) -> str:
        argv = ["pulumi", *arguments, "--non-interactive", "--cwd", str(self._folder)]
        return run(argv, timeout=STEP_SECONDS, environment=self._environment)

    def _latest(self) -> list[dict[str, Any]]:
        return (json.loads(self._state_file.read_text())["checkpoint"].get("latest") or {}).get("resources") or []

    @property
    def _keys(self) -> Path:
        return self._folder / "home" / self._name / "secrets"

    @property
    def _state_file(self) -> Path:
        """Of the file backend (pulumi, backend/diy): to ask the engine for it takes it most of a second."""
        return self._folder / "home" / "pulumi" / ".pulumi" / "stacks" / self._project / f"{self._name}.json"

    @property
    def _stack_file(self) -> Path:
        return self._folder / f"Pulumi.{self._name}.yaml"


@dataclass(frozen=True)
class Running:
    """An engine at work, and the files it writes to: ``events``, one a line. ``started``: monotonic seconds."""

    process: subprocess.Popen[bytes]
    events: Path
    output: Path
    started: float

    def kill(self) -> None:
        """SIGKILL. Its plugins, which a killed engine leaves behind, follow once it is gone."""
        left = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        for each in left:
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def end(self) -> str:
        return "\n".join(self.output.read_text().splitlines()[-_LAST_LINES:])

    def said(self) -> list[dict[str, Any]]:
        """What it wrote; a last line that it was killed in is left out.

        The file goes with it: among the SDK's debug messages in it are secret outputs of the stack in clear.
        """
        text = self.events.read_text() if self.events.exists() else ""
        self.events.unlink(missing_ok=True)
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _project(folder: Path) -> dict[str, Any]:
    """The project file with its program's place made absolute, and its stack files left where they are."""
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    runtime = project["runtime"]
    return {
        "name": project["name"],
        "main": str((folder / project.get("main", ".")).resolve()),
        "runtime": runtime["name"] if isinstance(runtime, dict) else runtime,
    }
