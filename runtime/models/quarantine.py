"""Endpoints that may not be used any more, because a reply showed another place or another version than it should.

In this process at once, in PostgreSQL for the others and for the next start: a gateway reads the table again before a
call when it last did so more than ``TTL`` seconds ago. What could not be written yet is kept and written first.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from regions.manifest import Manifest, ModelEndpoint
from runtime.errors import Refused
from runtime.ledger.record import Entry, Kind
from runtime.ledger.writer import Ledger
from runtime.models.record import Call
from runtime.models.reply import Answer
from runtime.models.signals import Cause, Finding, Headers, at_end, at_head, of_version
from runtime.single_flight import SingleFlight

log = logging.getLogger(__name__)

TTL = 0.5
"""Seconds; the rest of the second is for a slow answer of the database."""
_HOLD = """
INSERT INTO model_endpoints AS held (name, model, quarantined_at, cause, expected, seen, txn)
VALUES ($1, $2, now(), $3, $4, $5, $6)
ON CONFLICT (name, model) DO UPDATE SET quarantined_at = now(), cause = excluded.cause, expected = excluded.expected,
    seen = excluded.seen, txn = excluded.txn
WHERE held.quarantined_at IS NULL OR (held.cause = 'version' AND excluded.cause <> 'version')
RETURNING quarantined_at
"""
_LEARN = """
INSERT INTO model_endpoints AS known (name, model, version) VALUES ($1, $2, $3)
ON CONFLICT (name, model) DO UPDATE SET version = coalesce(known.version, excluded.version) RETURNING version
"""
_COMPARED = """
INSERT INTO model_endpoints (name, model, compared_version, compared_at) VALUES ($1, $2, $3, now())
ON CONFLICT (name, model) DO UPDATE SET compared_version = excluded.compared_version, compared_at = now()
"""
_RELEASE = """
UPDATE model_endpoints SET quarantined_at = NULL, version = CASE cause WHEN 'version' THEN seen ELSE version END,
    released_at = now(), released_by = $3, release_reason = $4
WHERE name = $1 AND model = $2
"""


@dataclass(frozen=True)
class Held:
    """A quarantine: since when, what was found, and the task whose reply showed it."""

    since: datetime
    finding: Finding
    txn: str

    def __str__(self) -> str:
        return f"quarantined since {self.since.isoformat(timespec='seconds')}: {self.finding}"

    def told(self) -> dict[str, Any]:
        """As JSON."""
        finding = self.finding
        return {
            "since": self.since.isoformat(timespec="seconds"),
            "cause": finding.cause,
            "expected": finding.expected,
            "seen": finding.seen,
            "txn": self.txn,
        }


class Quarantine:
    """``held``: by endpoint name."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, manifest: Manifest) -> None:
        self._pool, self._ledger, self._policy = pool, ledger, manifest.boundary_digest
        self._models = {endpoint.name: endpoint.upstream_model for endpoint in manifest.models}
        self.held: dict[str, Held] = {}
        self.versions: dict[str, str] = {}
        """Seen first, by endpoint name."""
        self.comparisons: dict[str, tuple[str | None, datetime]] = {}
        """Which version was compared last, and when, by endpoint name."""
        self._unsaved: dict[str, tuple[Call, Held]] = {}
        self._noted, self._until = 0, 0.0
        self._flights: SingleFlight[None] = SingleFlight()

    async def current(self) -> Mapping[str, Held]:
        """``held``, at most ``TTL`` seconds old; raises ``Refused`` (database_unavailable)."""
        if self._until <= time.monotonic():
            await self._flights.run("read", self._read)
        return self.held

    def check_head(self, call: Call, endpoint: ModelEndpoint, headers: Headers, *, success: bool) -> Finding | None:
        """Quarantines by what the headers show; the caller ends with ``save``."""
        return self._noting(call, endpoint, at_head(endpoint, headers, success=success))

    async def check_end(self, call: Call, endpoint: ModelEndpoint, answer: Answer, *, whole: bool) -> Finding | None:
        """Quarantines by what the body of a success shows; the caller ends with ``save``."""
        finding = at_end(endpoint, answer, whole=whole)
        if finding is None:
            seen_first = self.versions.get(endpoint.name) or await self._learn(endpoint, answer)
            finding = of_version(endpoint, seen_first, answer, whole=whole)
        return self._noting(call, endpoint, finding)

    async def save(self) -> None:
        """Write what was noted, each with a record in its task; what the database does not take now is kept."""
        try:
            await self._save()
        except Refused as refused:
            log.error("a quarantine holds in this process only, until it can be written: %s", refused)

    async def compared(self, endpoint: ModelEndpoint, version: str | None) -> None:
        """Somebody has seen how this version of it acts: a quarantine for it may be released."""
        await self._pool.execute(_COMPARED, endpoint.name, endpoint.upstream_model, version)
        self._until = 0.0

    async def release(self, endpoint: ModelEndpoint, by: str, reason: str) -> None:
        """Use it again, in the version that it has now; raises ``Refused`` (endpoint_not_quarantined,
        endpoint_not_compared, endpoint_pinned)."""
        async with self._pool.acquire() as conn, conn.transaction():
            row = await conn.fetchrow(
                "SELECT * FROM model_endpoints WHERE name = $1 AND model = $2 FOR UPDATE",
                endpoint.name,
                endpoint.upstream_model,
            )
            _check_release(endpoint, row)
            await conn.execute(_RELEASE, endpoint.name, endpoint.upstream_model, by, reason)
            body = {"endpoint": endpoint.name, "cause": row["cause"], "seen": row["seen"], "by": by, "reason": reason}
            entry = Entry(txn=row["txn"], kind=Kind.ENDPOINT_RELEASED, actor=by, policy=self._policy, body=body)
            await self._ledger.append(entry, conn=conn)
        self._until = 0.0

    def _noting(self, call: Call, endpoint: ModelEndpoint, finding: Finding | None) -> Finding | None:
        known = self.held.get(endpoint.name)
        if finding is not None and (known is None or (finding.withholds and not known.finding.withholds)):
            held = Held(datetime.now(UTC), finding, call.txn)
            self.held[endpoint.name] = held
            self._unsaved[endpoint.name] = call, held
            self._noted += 1
            log.error("model endpoint %s is quarantined: %s (task %s)", endpoint.name, finding, call.txn)
        return finding

    async def _learn(self, endpoint: ModelEndpoint, answer: Answer) -> str | None:
        if answer.model is None:
            return None
        version: str = await self._pool.fetchval(_LEARN, endpoint.name, endpoint.upstream_model, answer.model)
        self.versions[endpoint.name] = version
        return version

    async def _read(self) -> None:
        await self._save()
        noted = -1
        while noted != self._noted:  # else what was noted and written meanwhile would be lost to this process
            until, noted = time.monotonic() + TTL, self._noted
            rows = [row for row in await self._pool.fetch("SELECT * FROM model_endpoints") if self._is_ours(row)]
        unsaved = {name: held for name, (_, held) in self._unsaved.items()}
        self.held = {row["name"]: _held(row) for row in rows if row["quarantined_at"] is not None} | unsaved
        self.versions = {row["name"]: row["version"] for row in rows if row["version"] is not None}
        self.comparisons = {
            row["name"]: (row["compared_version"], row["compared_at"]) for row in rows if row["compared_at"] is not None
        }
        self._until = until

    async def _save(self) -> None:
        for name, (call, held) in list(self._unsaved.items()):
            finding = held.finding
            async with self._pool.acquire() as conn, conn.transaction():
                new = await conn.fetchval(
                    _HOLD, name, self._models[name], finding.cause, finding.expected, finding.seen, call.txn
                )
                if new is not None:  # else another gateway was first
                    await self._ledger.append(call.quarantined(name, finding), conn=conn)
            if self._unsaved.get(name) == (call, held):
                del self._unsaved[name]

    def _is_ours(self, row: Any) -> bool:
        return self._models.get(row["name"]) == row["model"]


def _held(row: Any) -> Held:
    return Held(row["quarantined_at"], Finding(Cause(row["cause"]), row["expected"], row["seen"]), row["txn"])


def _check_release(endpoint: ModelEndpoint, row: Any) -> None:
    if row is None or row["quarantined_at"] is None:
        raise Refused(
            "endpoint_not_quarantined",
            f"model endpoint {endpoint.name} is in use",
            remedy="`loomstead models status` shows which are quarantined",
        )
    if row["cause"] != Cause.VERSION:
        return
    if endpoint.version not in (None, row["seen"]):
        raise Refused(
            "endpoint_pinned",
            f"the stack file pins {endpoint.name} to {endpoint.version}, and it answers as {row['seen']}",
            remedy="change `version` in the stack file, or have the provider serve the pinned one",
        )
    compared = row["compared_at"] is not None and row["compared_at"] > row["quarantined_at"]
    if not compared or row["compared_version"] != row["seen"]:
        raise Refused(
            "endpoint_not_compared",
            f"{endpoint.name} answers as {row['seen']} instead of {row['expected']}, and nobody has compared the two",
            remedy=f"`loomstead models compare --agent … --candidate {endpoint.name}` shows where its actions differ",
        )
