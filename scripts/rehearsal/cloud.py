"""The pretend cloud: what is there, a journal of all that was asked of it, and what is to go wrong.

journal.jsonl   one line for each call, in order; no secret is in it
cloud.json      what was there when ``Cloud.write`` was called last; no secret is in it
control.json    what is to go wrong (``Control``); may be written at any time, by hand too
"""

import json
import re
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from scripts.rehearsal.wire import Properties, leaves, redacted


class Op(StrEnum):
    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"


class Way(StrEnum):
    FAIL = "fail"
    """The call fails and nothing is done."""
    PARTIAL = "partial"
    """Create only: the resource is there, and its creation failed."""
    HOLD = "hold"
    """The call waits for its caller's end, and nothing is done."""
    LOSE = "lose"
    """It is done, and then the call waits for its caller's end: the answer never comes."""


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fault(_Told):
    """``urn``: a part of the URN. It happens ``times`` times, after the first ``after`` such calls."""

    op: Op
    urn: str
    way: Way = Way.FAIL
    times: int = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0)
    message: str = "injected by the rehearsal"


class Control(_Told):
    """``drift``: part of a URN → properties that were changed by another hand. ``gone``: parts of URNs that were
    deleted by another hand. ``outputs``, ``invokes``: by token, what the cloud answers. ``existing``: ids and ARNs that
    are there without being recorded."""

    faults: tuple[Fault, ...] = ()
    drift: Mapping[str, Mapping[str, Any]] = {}
    gone: tuple[str, ...] = ()
    outputs: Mapping[str, Mapping[str, Any]] = {}
    invokes: Mapping[str, Mapping[str, Any]] = {}
    existing: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Recorded:
    """``inputs``, ``outputs`` as the engine gave and got them, secrets marked."""

    token: str
    id: str
    urn: str
    inputs: Properties
    outputs: Properties


def _is_name(text: str) -> bool:
    """An id or an ARN, by its looks."""
    return text.startswith(("arn:", "/subscriptions/")) or re.fullmatch(r"[a-z]+-[0-9a-f]{8,17}", text) is not None


@dataclass
class Cloud:
    """``folder`` holds the three files; ``held`` is set while a call waits for its caller's end."""

    folder: Path
    held: threading.Event = field(default_factory=threading.Event)
    _resources: dict[tuple[str, str], Recorded] = field(default_factory=dict)
    _calls: dict[Fault, int] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _serial: int = 0
    _asked: int = 0
    _shut: bool = False
    _making: int = 0
    _told: str = ""
    _control: Control = field(default_factory=Control)
    _named: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def control(self) -> Control:
        """As the file is now; one that was changed counts its faults anew. Raises ``ValueError`` where it is wrong."""
        with self._lock:
            text = self._control_file.read_text() if self._control_file.exists() else "{}"
            if text != self._told:
                self._control = Control.model_validate_json(text)
                self._told = text
                self._calls.clear()
            return self._control

    def tell(self, control: Control) -> None:
        """Say what is to go wrong from now on; the faults told before are forgotten."""
        with self._lock:
            self._replace(self._control_file, control.model_dump_json(indent=1))
            self._told = ""
            self._shut = False
            self.held.clear()

    def fault(self, op: Op, urn: str) -> Fault | None:
        """What goes wrong with this call."""
        with self._lock:
            for fault in self.control().faults:
                if fault.op is op and fault.urn in urn:
                    calls = self._calls[fault] = self._calls.get(fault, 0) + 1
                    if fault.after < calls <= fault.after + fault.times:
                        self.note("fault", urn, of=op, way=fault.way)
                        return fault
        return None

    def shut(self) -> None:
        """Nothing more begins to be made, until the next ``tell``."""
        with self._lock:
            self._shut = True

    @contextmanager
    def making(self) -> Generator[bool]:
        """Whether a resource may be made now; ``busy`` meanwhile."""
        with self._lock:
            may = not self._shut
            self._making += may
        try:
            yield may
        finally:
            with self._lock:
                self._making -= may

    def busy(self) -> bool:
        with self._lock:
            return self._making > 0

    def serial(self) -> int:
        with self._lock:
            self._serial += 1
            return self._serial

    def put(self, resource: Recorded) -> None:
        with self._lock:
            self._resources[resource.token, resource.id] = resource
            texts = (text for _, text in leaves(resource.outputs) if isinstance(text, str))
            self._named[resource.token, resource.id] = frozenset([resource.id, *filter(_is_name, texts)])

    def take(self, token: str, rid: str) -> bool:
        with self._lock:
            self._named.pop((token, rid), None)
            return self._resources.pop((token, rid), None) is not None

    def get(self, token: str, rid: str) -> Recorded | None:
        with self._lock:
            return self._resources.get((token, rid))

    def resources(self) -> tuple[Recorded, ...]:
        with self._lock:
            return tuple(self._resources.values())

    def known(self) -> frozenset[str]:
        """The ids and ARNs that may be pointed at: of what is there, and of what that has made in its turn."""
        with self._lock:
            return self.control().existing.union(*self._named.values())

    def note(self, event: str, urn: str, **more: Any) -> None:
        line = {"at": round(time.time(), 3), "event": event, "urn": urn, **redacted(more)}
        with self._lock, (self.folder / "journal.jsonl").open("a") as journal:
            self._asked += 1
            journal.write(json.dumps(line) + "\n")

    def calls(self) -> int:
        """How many were asked so far."""
        with self._lock:
            return self._asked

    def journal(self) -> list[dict[str, Any]]:
        file = self.folder / "journal.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def _control_file(self) -> Path:
        return self.folder / "control.json"

    def write(self) -> None:
        there = {
            f"{found.token} {found.id}": {"urn": found.urn, "inputs": found.inputs, "outputs": found.outputs}
            for found in self.resources()
        }
        self._replace(self.folder / "cloud.json", json.dumps(redacted(there), indent=1))

    def _replace(self, file: Path, text: str) -> None:
        making = file.with_suffix(".making")
        making.write_text(text)
        making.replace(file)
