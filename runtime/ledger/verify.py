"""Has the ledger been changed, and is it whole? Two verdicts, because they have different causes.

integrity     nothing that is there was changed: hash, MAC, order of the chain, content, signatures of checkpoints
completeness  nothing is missing: no gap, no cut tail, no task or checkpoint gone

Without the ledger's key nobody can forge a record, without the issuer's no checkpoint. Content whose key was erased
is counted, not found fault with. What happened after the last checkpoint and was removed together with its head
leaves no trace here: that is what the period of checkpoints is for.

The folder grows meanwhile. A checkpoint is in the table before it is in the folder: the folder is listed before the
database is looked at, and a newer checkpoint has a while to get there. An export says, under the ledger's key, which
checkpoint the folder was at when it was made, and that this is what there was: what came later is not held against
it, and ``Report.newer`` counts it.
"""

import asyncio
import hmac
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from joserfc.jwk import ECKey

from runtime.ledger.checkpoint import CheckpointError, digest_of, numbers, read
from runtime.ledger.content import ContentError, SubjectKey, SubjectKeys
from runtime.ledger.record import GENESIS, Record, hash_of, mac_of, parse
from runtime.ledger.source import DatabaseSource, ExportSource, Row, Source, open_export

FINDINGS = 1000
"""Findings that a report lists; it counts all of them."""
_ARRIVES_SECONDS = 5.0
_POLL_SECONDS = 0.05


class Verdict(StrEnum):
    INTEGRITY = "integrity"
    COMPLETENESS = "completeness"


@dataclass(frozen=True)
class Finding:
    """``txn`` is None for a checkpoint, whose number is ``seq`` then, and both are for the export itself."""

    verdict: Verdict
    txn: str | None
    seq: int | None
    what: str

    def __str__(self) -> str:
        checkpoint = "export" if self.seq is None else f"checkpoint {self.seq}"
        place = checkpoint if self.txn is None else f"task {self.txn}"
        record = f" record {self.seq}" if self.txn is not None and self.seq is not None else ""
        return f"{self.verdict}: {place}{record}: {self.what}"


@dataclass
class Report:
    """``erased``: contents whose key is gone. ``newer``: checkpoints of the folder from after the export: what they
    signed is not judged. ``faults``: findings of each verdict, listed or not."""

    tasks: int = 0
    records: int = 0
    contents: int = 0
    erased: int = 0
    checkpoints: int = 0
    newer: int = 0
    findings: list[Finding] = field(default_factory=list)
    faults: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))

    @property
    def integrity(self) -> bool:
        return not self.faults[Verdict.INTEGRITY]

    @property
    def completeness(self) -> bool:
        return not self.faults[Verdict.COMPLETENESS]

    def changed(self, txn: str | None, seq: int | None, what: str) -> None:
        self._add(Finding(Verdict.INTEGRITY, txn, seq, what))

    def missing(self, txn: str | None, seq: int | None, what: str) -> None:
        self._add(Finding(Verdict.COMPLETENESS, txn, seq, what))

    def _add(self, finding: Finding) -> None:
        self.faults[finding.verdict] += 1
        if len(self.findings) < FINDINGS:
            self.findings.append(finding)


@dataclass(frozen=True)
class Trust:
    """What the verifier knows from elsewhere. ``issuer_keys``: every public key that ever signed checkpoints."""

    ledger_key: bytes
    subjects_key: bytes
    issuer_keys: Mapping[str, ECKey]
    checkpoints: Path


async def verify(conn: Any, trust: Trust) -> Report:
    """The ledger of the database that ``conn`` is on, as it is at this moment; ``conn`` may not be in a transaction."""
    there = numbers(trust.checkpoints)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        return await _verify(DatabaseSource(conn), trust, there, Report())


async def verify_export(path: Path, trust: Trust) -> Report:
    """The ledger in a file of ``source.export``; needs no database."""
    with closing(open_export(path)) as file:
        source, report, there = ExportSource(file), Report(), numbers(trust.checkpoints)
        known = there
        match source.claims():
            case []:
                report.changed(None, None, "makes no claim of what it is a copy of, as older ones do: make it anew")
            case [(int(number), bytes(mac))] if hmac.compare_digest(source.proof(trust.ledger_key, number), mac):
                known = [n for n in there if n <= number]
                report.newer = len(there) - len(known)
            case _:
                report.changed(None, None, "is not what the ledger's key says that it is a copy of")
        try:
            return await _verify(source, trust, known, report)
        except (msgspec.ValidationError, UnicodeError) as error:
            report.missing(None, None, f"has a row that is none, and is read no further: {error}")
            return report


async def _verify(source: Source, trust: Trust, there: Sequence[int], report: Report) -> Report:
    """``there``: the checkpoints that the folder had before the ledger was looked at."""
    with closing(_Signed()) as signed:
        await _check_checkpoints(source, trust, there, signed, report)
        keys = SubjectKeys(trust.subjects_key)
        chain: _Chain | None = None
        async for row in source.rows():
            if chain is None or chain.txn != row.txn:
                if chain:
                    chain.end()
                report.tasks += 1
                chain = _Chain(row, source, keys, trust.ledger_key, signed.take(row.txn), report)
            await chain.check(row)
        if chain:
            chain.end()
        for txn, seq in signed.rest():
            report.missing(txn, None, f"the whole task is missing, with the {seq} records that a checkpoint has signed")
    return report


class _Signed:
    """The heads that checkpoints have signed. In a temporary file: there are more of them than of tasks."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("")
        self._file.execute("CREATE TABLE heads (txn, seq, hash, PRIMARY KEY (txn, seq, hash)) WITHOUT ROWID")

    def add(self, heads: list[tuple[str, int, str]]) -> None:
        self._file.executemany("INSERT OR IGNORE INTO heads VALUES (?, ?, ?)", heads)

    def take(self, txn: str) -> dict[int, set[str]]:
        """The task's signed hashes by seq, which the rest no longer has."""
        heads: dict[int, set[str]] = {}
        for seq, signed_hash in self._file.execute("SELECT seq, hash FROM heads WHERE txn = ? ORDER BY seq", [txn]):
            heads.setdefault(seq, set()).add(signed_hash)
        self._file.execute("DELETE FROM heads WHERE txn = ?", [txn])
        return heads

    def rest(self) -> list[tuple[str, int]]:
        return self._file.execute("SELECT txn, max(seq) FROM heads GROUP BY txn").fetchall()

    def close(self) -> None:
        self._file.close()


async def _check_checkpoints(
    source: Source, trust: Trust, there: Sequence[int], signed: _Signed, report: Report
) -> None:
    number, before, newest = 0, "", max(there, default=0)
    deadline = time.monotonic() + _ARRIVES_SECONDS
    async for n, text in source.checkpoints():
        report.checkpoints += 1
        if n != number + 1:
            report.missing(None, n, f"is the next in the table after {number}")
        try:
            checkpoint = read(text, trust.issuer_keys)
        except CheckpointError as error:
            report.changed(None, n, str(error))
        else:
            if checkpoint.n != n:
                report.changed(None, n, f"says that it is {checkpoint.n}")
            if n == number + 1 and checkpoint.prev != before:
                report.changed(None, n, "does not follow the one before")
            signed.add(checkpoint.heads)
        file = trust.checkpoints / f"{n}.jws"
        while n > newest and not file.exists() and time.monotonic() < deadline:  # noqa: ASYNC110  another process writes it
            await asyncio.sleep(_POLL_SECONDS)
        _check_file(file, n, text, report)
        number, before = n, digest_of(text)
    for n in there:
        if n > number:
            report.missing(None, n, "is in the folder, but the table ends before it")


def _check_file(path: Path, n: int, text: str, report: Report) -> None:
    try:
        if path.read_bytes() != text.encode():
            report.changed(None, n, f"{path} is not what the table has")
    except FileNotFoundError:
        report.missing(None, n, f"{path} is missing")


class _Chain:
    """The check of one task's chain, row by row."""

    def __init__(
        self,
        first: Row,
        source: Source,
        keys: SubjectKeys,
        ledger_key: bytes,
        signed: dict[int, set[str]],
        report: Report,
    ) -> None:
        self.txn = first.txn
        self._head = first
        self._source = source
        self._keys = keys
        self._ledger_key = ledger_key
        self._opened: dict[str, SubjectKey | None] = {}
        self._signed = signed
        self._last_signed = max(signed, default=0)
        self._report = report
        self._seq = 0
        self._hash = GENESIS

    async def check(self, row: Row) -> None:
        if row.seq is None:
            return
        if row.record is None or row.hash is None or row.mac is None:
            self._report.missing(self.txn, row.seq, "content without its record")
            return
        self._report.records += 1
        follows = row.seq == self._seq + 1
        if not follows:
            self._report.missing(self.txn, row.seq, f"is the next after {self._seq}")
        record = self._check_text(row.seq, row.record.encode(), row.hash, row.mac)
        if record:
            if (record.txn, record.seq) != (self.txn, row.seq):
                self._report.changed(self.txn, row.seq, f"belongs to task {record.txn} record {record.seq}")
            if follows and record.prev != self._hash.hex():
                self._report.changed(self.txn, row.seq, "does not follow the record before")
            await self._check_content(row.seq, record, row)
        if {row.hash.hex()} != self._signed.pop(row.seq, {row.hash.hex()}):
            self._report.changed(self.txn, row.seq, "is not the record that a checkpoint has signed")
        self._seq, self._hash = row.seq, row.hash

    def end(self) -> None:
        for seq in self._signed:
            self._report.missing(self.txn, seq, "is missing, and a checkpoint has signed it")
        head = self._head
        if head.head_seq is None:
            self._report.missing(self.txn, None, "the chain's head is missing")
        elif head.head_seq > self._seq:
            self._report.missing(self.txn, self._seq + 1, f"is missing: the chain's head is at {head.head_seq}")
        elif (head.head_seq, head.head_hash) != (self._seq, self._hash):
            self._report.changed(self.txn, None, f"the head (at {head.head_seq}) is not the last record ({self._seq})")
        elif head.checkpointed and head.head_seq > self._last_signed:
            self._report.missing(self.txn, head.head_seq, "is marked as signed, but no checkpoint lists it")

    def _check_text(self, seq: int, text: bytes, record_hash: bytes, mac: bytes) -> Record | None:
        if hash_of(text) != record_hash:
            self._report.changed(self.txn, seq, "the hash is not that of the record")
        if not hmac.compare_digest(mac_of(self._ledger_key, record_hash), mac):
            self._report.changed(self.txn, seq, "the MAC is not one of the ledger's key")
        try:
            return parse(text)
        except (msgspec.DecodeError, RecursionError) as error:
            self._report.changed(self.txn, seq, f"is no record: {error}")
            return None

    async def _check_content(self, seq: int, record: Record, row: Row) -> None:
        commitment = record.content
        if commitment is None:
            if row.ciphertext is not None:
                self._report.changed(self.txn, seq, "has content that the record does not know")
            return
        self._report.contents += 1
        if row.nonce is None or row.ciphertext is None:
            self._report.missing(self.txn, seq, "the content is missing")
            return
        try:
            key = await self._key(commitment.key)
            if key is None:
                self._report.erased += 1
            else:
                key.open(self.txn, seq, commitment.digest, row.nonce, row.ciphertext)
        except (ContentError, ValueError) as error:
            self._report.changed(self.txn, seq, str(error))

    async def _key(self, key_id: str) -> SubjectKey | None:
        """None where it was erased; a task has few keys, and they are asked for once."""
        if key_id not in self._opened:
            row = await self._source.key(UUID(key_id))
            self._opened[key_id] = self._keys.unwrap(row) if row else None
        return self._opened[key_id]
