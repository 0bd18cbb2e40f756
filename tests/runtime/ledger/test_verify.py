"""Tampering, first with the database as its owner could, then with any byte or row of an export."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from runtime.ledger.checkpoint import Checkpoint, Checkpointer, sign
from runtime.ledger.content import SubjectKeys
from runtime.ledger.record import GENESIS, hash_of, mac_of, now, parse
from runtime.ledger.source import Row, export
from runtime.ledger.verify import FINDINGS, Report, Trust, Verdict, verify, verify_export
from runtime.ledger.writer import Ledger
from tests.fixtures.postgres import Database
from tests.runtime.ledger.conftest import ISSUER_KEY, LEDGER_KEY, SUBJECTS_KEY, step

on_one_export = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


async def check(pool: asyncpg.Pool, trust: Trust) -> Report:
    async with pool.acquire() as conn:
        return await verify(conn, trust)


def verdicts(report: Report) -> tuple[bool, bool]:
    return report.integrity, report.completeness


async def test_an_untouched_ledger_has_both_verdicts(recorded: Ledger, pool: asyncpg.Pool, trust: Trust) -> None:
    assert await check(pool, trust) == Report(tasks=3, records=12, contents=6, checkpoints=2)


async def test_a_role_that_may_only_read_is_enough(
    recorded: Ledger, database: Database, trust: Trust, tmp_path: Path
) -> None:
    conn = await asyncpg.connect(database.dsn("auditor"))
    try:
        assert await verify(conn, trust) == Report(tasks=3, records=12, contents=6, checkpoints=2)
        await export(conn, tmp_path / "export.db", LEDGER_KEY, trust.checkpoints)
    finally:
        await conn.close()


async def test_records_after_the_last_checkpoint_are_no_fault(
    recorded: Ledger, pool: asyncpg.Pool, trust: Trust
) -> None:
    await recorded.append(step("a", 5), step("new", 1))
    assert verdicts(await check(pool, trust)) == (True, True)


async def test_an_erased_person_is_counted_and_no_fault(recorded: Ledger, pool: asyncpg.Pool, trust: Trust) -> None:
    async with pool.acquire() as conn:
        await SubjectKeys(SUBJECTS_KEY).erase(conn, "a@example.com")
    await recorded.append(step("a", 5, b"she is back", "a@example.com"))
    assert await check(pool, trust) == Report(tasks=3, records=13, contents=7, erased=2, checkpoints=2)


CHANGED, MISSING = Verdict.INTEGRITY, Verdict.COMPLETENESS

TAMPERED = {
    "record edited": (
        "UPDATE ledger SET record = replace(record, '\"n\":2', '\"n\":3') WHERE txn = 'a' AND seq = 2",
        "integrity: task a record 2: the hash is not that of the record",
    ),
    "record is no JSON": (
        "UPDATE ledger SET record = 'x' WHERE txn = 'a' AND seq = 2",
        "integrity: task a record 2: is no record: JSON is malformed: invalid character (byte 0)",
    ),
    "record nested too deep to be read": (
        "UPDATE ledger SET record = '{\"body\":' || repeat('{\"a\":', 20000) WHERE txn = 'a' AND seq = 2",
        "integrity: task a record 2: is no record: maximum recursion depth exceeded while deserializing an object",
    ),
    "mac of another record": (
        "UPDATE ledger SET mac = (SELECT mac FROM ledger WHERE txn = 'b' AND seq = 2) WHERE txn = 'a' AND seq = 2",
        "integrity: task a record 2: the MAC is not one of the ledger's key",
    ),
    "two records swapped": (
        "UPDATE ledger SET record = o.record, hash = o.hash, mac = o.mac FROM ledger o WHERE ledger.txn = 'a'"
        " AND o.txn = 'a' AND ledger.seq IN (2, 3) AND o.seq = 5 - ledger.seq",
        "integrity: task a record 3: does not follow the record before",
    ),
    "record moved to another task": (
        "UPDATE ledger SET record = o.record, hash = o.hash, mac = o.mac FROM ledger o"
        " WHERE ledger.txn = 'a' AND ledger.seq = 1 AND o.txn = 'b' AND o.seq = 1",
        "integrity: task a record 1: belongs to task b record 1",
    ),
    "contents swapped": (
        "UPDATE ledger_content c SET nonce = o.nonce, ciphertext = o.ciphertext FROM ledger_content o"
        " WHERE c.txn = 'a' AND o.txn = 'a' AND c.seq = 1 AND o.seq = 3",
        "integrity: task a record 1: content of a record 1 does not open",
    ),
    "content added": (
        "INSERT INTO ledger_content VALUES ('a', 2, '', '')",
        "integrity: task a record 2: has content that the record does not know",
    ),
    "content removed": (
        "DELETE FROM ledger_content WHERE txn = 'a' AND seq = 1",
        "completeness: task a record 1: the content is missing",
    ),
    "content of no record": (
        "INSERT INTO ledger_content VALUES ('a', 9, '', '')",
        "completeness: task a record 9: content without its record",
    ),
    "content of no task": (
        "INSERT INTO ledger_content VALUES ('z', 1, '', '')",
        "completeness: task z record 1: content without its record",
    ),
    "first record removed": (
        "DELETE FROM ledger WHERE txn = 'a' AND seq = 1",
        "completeness: task a record 2: is the next after 0",
    ),
    "record removed in the middle": (
        "DELETE FROM ledger WHERE txn = 'a' AND seq = 3",
        "completeness: task a record 4: is the next after 2",
    ),
    "tail cut": (
        "DELETE FROM ledger WHERE txn = 'a' AND seq = 4",
        "completeness: task a record 4: is missing: the chain's head is at 4",
    ),
    "head removed": ("DELETE FROM ledger_heads WHERE txn = 'a'", "completeness: task a: the chain's head is missing"),
    "head changed": (
        "UPDATE ledger_heads SET hash = '' WHERE txn = 'a'",
        "integrity: task a: the head (at 4) is not the last record (4)",
    ),
    "head set back": (
        "UPDATE ledger_heads SET seq = 3 WHERE txn = 'a'",
        "integrity: task a: the head (at 3) is not the last record (4)",
    ),
    "head marked as signed": (
        "UPDATE ledger_heads SET checkpointed = true WHERE txn = 'new'",
        "completeness: task new record 1: is marked as signed, but no checkpoint lists it",
    ),
    "checkpoint removed": (
        "DELETE FROM ledger_checkpoints WHERE n = 1",
        "completeness: checkpoint 2: is the next in the table after 0",
    ),
    "last checkpoint removed": (
        "DELETE FROM ledger_checkpoints WHERE n = 2",
        "completeness: checkpoint 2: is in the folder, but the table ends before it",
    ),
    "checkpoint replaced by another": (
        "UPDATE ledger_checkpoints SET jws = (SELECT jws FROM ledger_checkpoints WHERE n = 1) WHERE n = 2",
        "integrity: checkpoint 2: says that it is 1",
    ),
}


@pytest.mark.parametrize(("statement", "finding"), TAMPERED.values(), ids=TAMPERED)
async def test_what_the_owner_of_the_database_does_shows(
    statement: str,
    finding: str,
    recorded: Ledger,
    pool: asyncpg.Pool,
    owner_pool: asyncpg.Pool,
    trust: Trust,
) -> None:
    await recorded.append(step("new", 1))
    assert verdicts(await check(pool, trust)) == (True, True)
    assert (await owner_pool.execute(statement)).split()[-1] != "0"
    assert finding in [str(found) for found in (await check(pool, trust)).findings]


@pytest.mark.parametrize("tamper", ["wrapped = wrapped || '\\x00'", "subject = 'x'"])
async def test_a_key_that_was_changed_is_not_taken_for_an_erased_one(
    tamper: str, recorded: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool, trust: Trust
) -> None:
    await owner_pool.execute(f"UPDATE subject_keys SET {tamper} WHERE subject = 'a@example.com'")  # noqa: S608
    report = await check(pool, trust)
    assert (report.faults[Verdict.INTEGRITY], report.erased) == (2, 0)


async def test_one_record_rewritten_with_the_ledgers_key_breaks_the_chain(
    ledger: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool, trust: Trust
) -> None:
    await ledger.append(*(step("a", n) for n in range(3)))
    text = (await pool.fetchval("SELECT record FROM ledger WHERE seq = 2")).replace('"n":1', '"n":9').encode()
    forged = text.decode(), hash_of(text), mac_of(LEDGER_KEY, hash_of(text))
    await owner_pool.execute("UPDATE ledger SET record = $1, hash = $2, mac = $3 WHERE seq = 2", *forged)
    findings = (await check(pool, trust)).findings
    assert [str(found) for found in findings] == ["integrity: task a record 3: does not follow the record before"]


async def test_a_checkpoint_signed_anew_does_not_follow_the_one_before(
    recorded: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool, trust: Trust
) -> None:
    again = sign(Checkpoint(2, now(), "", []), ISSUER_KEY)
    await owner_pool.execute("UPDATE ledger_checkpoints SET jws = $1 WHERE n = 2", again)
    write(trust.checkpoints / "2.jws", again)
    found = [str(finding) for finding in (await check(pool, trust)).findings]
    assert found[0] == "integrity: checkpoint 2: does not follow the one before"
    assert found[1] == "completeness: task a record 4: is marked as signed, but no checkpoint lists it"


@pytest.mark.parametrize("txn", ["a", "c"])
async def test_a_tail_cut_with_its_head_is_seen_by_the_checkpoint(
    txn: str, recorded: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool, trust: Trust
) -> None:
    await owner_pool.execute("DELETE FROM ledger WHERE txn = $1 AND seq = 4", txn)
    await owner_pool.execute(
        "UPDATE ledger_heads h SET seq = 3, hash = l.hash FROM ledger l WHERE h.txn = $1 AND l.txn = $1 AND l.seq = 3",
        txn,
    )
    report = await check(pool, trust)
    assert [str(finding) for finding in report.findings] == [
        f"completeness: task {txn} record 4: is missing, and a checkpoint has signed it"
    ]


async def test_a_whole_task_removed_is_seen_by_the_checkpoint(
    recorded: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool, trust: Trust
) -> None:
    await owner_pool.execute("DELETE FROM ledger WHERE txn = 'b'")
    await owner_pool.execute("DELETE FROM ledger_content WHERE txn = 'b'")
    await owner_pool.execute("DELETE FROM ledger_heads WHERE txn = 'b'")
    report = await check(pool, trust)
    assert [str(finding) for finding in report.findings] == [
        "completeness: task b: the whole task is missing, with the 4 records that a checkpoint has signed"
    ]


async def rewrite(owner_pool: asyncpg.Pool, key: bytes) -> None:
    """Task a with another second record, and everything after it recomputed under ``key``."""
    prev = GENESIS
    for row in await owner_pool.fetch("SELECT * FROM ledger WHERE txn = 'a' ORDER BY seq"):
        record = msgspec.structs.replace(parse(row["record"]), prev=prev.hex())
        if row["seq"] == 2:
            record = msgspec.structs.replace(record, body={"n": 99})
        text = msgspec.json.encode(record, order="deterministic")
        prev = hash_of(text)
        await owner_pool.execute(
            "UPDATE ledger SET record = $3, hash = $4, mac = $5 WHERE txn = $1 AND seq = $2",
            *("a", row["seq"], text.decode(), prev, mac_of(key, prev)),
        )
    await owner_pool.execute("UPDATE ledger_heads SET hash = $1 WHERE txn = 'a'", prev)


@pytest.mark.parametrize(("key", "what"), [(bytes(32), "MAC"), (LEDGER_KEY, "checkpoint has signed")])
async def test_a_chain_recomputed_without_both_keys_does_not_pass(
    key: bytes, what: str, recorded: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool, trust: Trust
) -> None:
    await rewrite(owner_pool, LEDGER_KEY if what == "MAC" else key)
    await rewrite(owner_pool, key)
    report = await check(pool, trust)
    assert verdicts(report) == (False, True)
    assert any(what in finding.what for finding in report.findings)


def write(path: Path, text: str) -> None:
    path.write_text(text)


def remove(folder: Path) -> None:
    (folder / "1.jws").unlink()


def change(folder: Path) -> None:
    (folder / "2.jws").write_text((folder / "1.jws").read_text())


def add(folder: Path) -> None:
    (folder / "3.jws").write_text((folder / "1.jws").read_text())


@pytest.mark.parametrize(("tamper", "expected"), [(remove, MISSING), (change, CHANGED), (add, MISSING)])
async def test_the_folder_of_checkpoints_must_be_as_the_table(
    tamper: Callable[[Path], None],
    expected: Verdict,
    recorded: Ledger,
    pool: asyncpg.Pool,
    trust: Trust,
) -> None:
    tamper(trust.checkpoints)
    report = await check(pool, trust)
    assert [(finding.verdict, finding.txn) for finding in report.findings] == [(expected, None)]


async def test_checkpoints_of_a_key_that_nobody_trusts_are_worth_nothing(
    recorded: Ledger, pool: asyncpg.Pool, trust: Trust
) -> None:
    other = ECKey.generate_key("P-256")
    foreign = Trust(LEDGER_KEY, SUBJECTS_KEY, {other.thumbprint(): other}, trust.checkpoints)
    assert not (await check(pool, foreign)).integrity


@pytest.fixture
async def exported(recorded: Ledger, pool: asyncpg.Pool, tmp_path: Path, trust: Trust) -> Path:
    path = tmp_path / "export.db"
    async with pool.acquire() as conn:
        await export(conn, path, LEDGER_KEY, trust.checkpoints)
    return path


async def tampered(exported: Path, trust: Trust, tamper: Callable[[sqlite3.Connection], Any]) -> Report:
    """The report on a copy that ``tamper`` has changed."""
    copy = exported.with_suffix(".tampered")
    shutil.copy(exported, copy)
    with closing(sqlite3.connect(copy)) as file, file:
        tamper(file)
    return await verify_export(copy, trust)


async def test_an_export_verifies_without_the_database(exported: Path, trust: Trust) -> None:
    assert await verify_export(exported, trust) == Report(tasks=3, records=12, contents=6, checkpoints=2)


async def test_an_export_never_overwrites(exported: Path, pool: asyncpg.Pool, trust: Trust) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(FileExistsError):
            await export(conn, exported, LEDGER_KEY, trust.checkpoints)


async def test_an_export_older_than_the_folder_is_whole_as_of_its_checkpoint(
    exported: Path, recorded: Ledger, checkpointer: Checkpointer, trust: Trust
) -> None:
    await recorded.append(step("a", 5), step("new", 1))
    await checkpointer.write()
    assert await verify_export(exported, trust) == Report(tasks=3, records=12, contents=6, checkpoints=2, newer=1)


async def test_an_export_of_which_a_person_is_erased_is_whole(exported: Path, trust: Trust) -> None:
    with closing(sqlite3.connect(exported)) as file:
        file.execute("DELETE FROM subject_keys WHERE subject = 'a@example.com'")
        file.commit()
        file.execute("VACUUM")
    assert await verify_export(exported, trust) == Report(tasks=3, records=12, contents=6, erased=2, checkpoints=2)


OTHER = "integrity: export: is not what the ledger's key says that it is a copy of"
NO_CLAIM = "integrity: export: makes no claim of what it is a copy of, as older ones do: make it anew"


async def test_an_older_exports_claim_does_not_let_a_newer_one_be_cut_to_it(
    exported: Path, recorded: Ledger, pool: asyncpg.Pool, checkpointer: Checkpointer, trust: Trust
) -> None:
    """What is left fits together; only with its own claim is the folder allowed to be newer."""
    await recorded.append(step("a", 5), step("new", 1))
    await checkpointer.write()
    newer = exported.with_name("newer.db")
    async with pool.acquire() as conn:
        await export(conn, newer, LEDGER_KEY, trust.checkpoints)
    assert await verify_export(newer, trust) == Report(tasks=4, records=14, contents=6, checkpoints=3)

    def cut(file: sqlite3.Connection) -> None:
        file.execute("ATTACH ? AS older", [str(exported)])
        file.executescript("""
        DELETE FROM made_at;
        INSERT INTO made_at SELECT * FROM older.made_at;
        DELETE FROM checkpoints WHERE n = 3;
        DELETE FROM rows WHERE txn = 'new';
        UPDATE rows SET checkpointed = 0 WHERE txn = 'a';
        """)

    assert [str(found) for found in (await tampered(newer, trust, cut)).findings] == [
        OTHER,
        "completeness: checkpoint 3: is in the folder, but the table ends before it",
    ]


FALSE_CLAIMS = {
    "no proof": ("UPDATE made_at SET mac = NULL", OTHER),
    "a proof of text": ("UPDATE made_at SET mac = 'proof'", OTHER),
    "no checkpoint": ("UPDATE made_at SET checkpoint = NULL", OTHER),
    "a checkpoint of text": ("UPDATE made_at SET checkpoint = 'two'", OTHER),
    "a checkpoint of bytes": ("UPDATE made_at SET checkpoint = x'ff'", OTHER),
    "a newer checkpoint": ("UPDATE made_at SET checkpoint = 3", OTHER),
    "two claims": ("INSERT INTO made_at SELECT * FROM made_at", OTHER),
    "one claim more to it": ("ALTER TABLE made_at ADD COLUMN more", OTHER),
    "none": ("DELETE FROM made_at", NO_CLAIM),
    "no table, as in exports of before": ("DROP TABLE made_at", NO_CLAIM),
    "rows that a view makes": (
        "ALTER TABLE rows RENAME TO kept; CREATE VIEW rows AS SELECT rowid, * FROM kept WHERE random()",
        OTHER,
    ),
    "rows in another order": ("UPDATE rows SET rowid = 100 WHERE rowid = 1", OTHER),
}


@pytest.mark.parametrize(("statements", "finding"), FALSE_CLAIMS.values(), ids=FALSE_CLAIMS)
async def test_a_claim_that_does_not_fit_is_a_finding(
    statements: str, finding: str, exported: Path, trust: Trust
) -> None:
    report = await tampered(exported, trust, lambda file: file.executescript(statements))
    assert str(report.findings[0]) == finding


LAST = "DELETE FROM checkpoints WHERE n = 2"
CLAIMS = {
    "the claim stands": [],
    "an older claim": ["UPDATE made_at SET checkpoint = 1"],
    "no claim": ["DELETE FROM made_at"],
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
async def test_an_export_cut_to_an_older_checkpoint_is_told_from_an_older_export(
    claim: list[str], exported: Path, trust: Trust
) -> None:
    """The cutter has no key: records, heads and marks fit what the first checkpoint signed, no claim does."""
    cut = [
        LAST,
        "DELETE FROM rows WHERE seq > 2",
        """UPDATE rows SET head_seq = 2, head_hash = (SELECT hash FROM rows AS last WHERE last.txn = rows.txn
        AND last.seq = 2)""",
    ]

    def tamper(file: sqlite3.Connection) -> None:
        for statement in [*cut, *claim]:
            file.execute(statement)

    report = await tampered(exported, trust, tamper)
    assert "completeness: checkpoint 2: is in the folder, but the table ends before it" in map(str, report.findings)
    assert not report.integrity


async def test_an_export_of_a_database_cut_before_it_fails(
    recorded: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool, trust: Trust, tmp_path: Path
) -> None:
    await owner_pool.execute("DELETE FROM ledger_checkpoints WHERE n = 2")
    async with pool.acquire() as conn:
        await export(conn, tmp_path / "export.db", LEDGER_KEY, trust.checkpoints)
    assert not (await verify_export(tmp_path / "export.db", trust)).completeness


async def test_a_checkpoint_written_while_the_database_is_verified_is_no_fault(
    recorded: Ledger, pool: asyncpg.Pool, checkpointer: Checkpointer, trust: Trust
) -> None:
    """It reaches table and folder after the verifier's look at the database, in the middle of its work."""
    await recorded.append(step("new", 1))
    async with pool.acquire() as conn:
        meddled = _Meddled(conn, checkpointer.write)
        assert verdicts(await verify(meddled, trust)) == (True, True)
    assert (trust.checkpoints / "3.jws").exists()


async def test_a_checkpoint_on_its_way_to_the_folder_is_no_fault(
    recorded: Ledger, pool: asyncpg.Pool, trust: Trust
) -> None:
    late = trust.checkpoints / "2.jws"
    text = late.read_text()
    late.unlink()

    async def arrive() -> None:
        await asyncio.sleep(0.2)
        write(late, text)

    async with asyncio.TaskGroup() as group:
        group.create_task(arrive())
        assert verdicts(await check(pool, trust)) == (True, True)


async def test_a_last_checkpoint_that_never_reaches_the_folder_is_missing(
    recorded: Ledger, pool: asyncpg.Pool, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.ledger.verify._ARRIVES_SECONDS", 0.1)
    (trust.checkpoints / "2.jws").unlink()
    assert verdicts(await check(pool, trust)) == (True, False)


class _Meddled:
    """A connection, and what happens once its transaction has looked at the database."""

    def __init__(self, conn: Any, meddle: Callable[[], Awaitable[None]]) -> None:
        self._conn, self._meddle = conn, meddle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    async def _cursor(self, query: str) -> AsyncIterator[Any]:
        async for row in self._conn.cursor(query):
            await self._meddle()
            yield row

    def cursor(self, query: str, **options: Any) -> AsyncIterator[Any]:
        return self._cursor(query) if "ledger_checkpoints" in query else self._conn.cursor(query, **options)


def beside_the_claim(report: Report) -> set[Verdict]:
    """Which verdicts would fail had the claim been proven."""
    return {finding.verdict for finding in report.findings if str(finding) != OTHER}


CELLS = [("rows", column) for column in ("record", "hash", "mac", "nonce", "ciphertext")] + [
    ("subject_keys", "nonce"),
    ("subject_keys", "wrapped"),
    ("checkpoints", "jws"),
]


@on_one_export
@given(cell=st.sampled_from(CELLS), row=st.integers(0, 999), position=st.integers(0, 9999), flip=st.integers(1, 127))
async def test_one_changed_byte_anywhere_shows(
    cell: tuple[str, str], row: int, position: int, flip: int, exported: Path, trust: Trust
) -> None:
    table, column = cell

    def change_byte(file: sqlite3.Connection) -> None:
        cells = file.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} NOTNULL").fetchall()  # noqa: S608
        rowid, value = cells[row % len(cells)]
        changed = bytearray(value.encode() if isinstance(value, str) else value)
        changed[position % len(changed)] ^= flip
        new = bytes(changed).decode() if isinstance(value, str) else bytes(changed)
        file.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", [new, rowid])  # noqa: S608

    assert CHANGED in beside_the_claim(await tampered(exported, trust, change_byte))


@on_one_export
@given(rows=st.sets(st.integers(0, 11), min_size=1))
async def test_any_removed_rows_show(rows: set[int], exported: Path, trust: Trust) -> None:
    def remove_rows(file: sqlite3.Connection) -> None:
        rowids = [rowid for (rowid,) in file.execute("SELECT rowid FROM rows ORDER BY rowid")]
        file.executemany("DELETE FROM rows WHERE rowid = ?", [[rowids[row]] for row in rows])

    report = await tampered(exported, trust, remove_rows)
    assert not report.completeness


@on_one_export
@given(pair=st.sets(st.integers(0, 11), min_size=2, max_size=2))
async def test_any_two_records_swapped_show(pair: set[int], exported: Path, trust: Trust) -> None:
    def swap(file: sqlite3.Connection) -> None:
        rows = file.execute("SELECT rowid, record, hash, mac FROM rows ORDER BY rowid").fetchall()
        one, other = (rows[index] for index in pair)
        for (rowid, *_), (_, *cells) in ((one, other), (other, one)):
            file.execute("UPDATE rows SET record = ?, hash = ?, mac = ? WHERE rowid = ?", [*cells, rowid])

    assert CHANGED in beside_the_claim(await tampered(exported, trust, swap))


# Not a key's id: under another one it is erased.
COLUMNS = [
    *(("rows", column) for column in (*Row._fields, "rowid")),
    *(("checkpoints", column) for column in ("n", "jws")),
    *(("subject_keys", column) for column in ("subject", "nonce", "wrapped")),
    *(("made_at", column) for column in ("checkpoint", "mac")),
]
VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.binary() | st.text()


@on_one_export
@given(
    cell=st.sampled_from(COLUMNS), row=st.integers(0, 999), value=VALUES, form=st.sampled_from(["?", "CAST(? AS TEXT)"])
)
async def test_any_other_value_in_any_cell_shows(
    cell: tuple[str, str], row: int, value: object, form: str, exported: Path, trust: Trust
) -> None:
    table, column = cell

    def change(file: sqlite3.Connection) -> None:
        rowids = file.execute(f"SELECT rowid FROM {table} ORDER BY rowid").fetchall()  # noqa: S608
        seen = f"SELECT typeof({column}), CAST({column} AS BLOB) FROM {table} ORDER BY rowid"  # noqa: S608
        if column == "rowid":
            seen = "SELECT txn, seq FROM rows ORDER BY rowid"
        before = file.execute(seen).fetchall()
        try:
            file.execute(f"UPDATE {table} SET {column} = {form} WHERE rowid = ?", [value, *rowids[row % len(rowids)]])  # noqa: S608
        except sqlite3.IntegrityError:
            reject()
        assume(file.execute(seen).fetchall() != before)

    assert not (await tampered(exported, trust, change)).integrity


@on_one_export
@given(table=st.sampled_from(["rows", "checkpoints", "made_at"]), row=st.integers(0, 999))
async def test_any_removed_row_is_a_change_of_the_export(table: str, row: int, exported: Path, trust: Trust) -> None:
    def remove_row(file: sqlite3.Connection) -> None:
        rowids = file.execute(f"SELECT rowid FROM {table}").fetchall()  # noqa: S608
        file.execute(f"DELETE FROM {table} WHERE rowid = ?", rowids[row % len(rowids)])  # noqa: S608

    assert not (await tampered(exported, trust, remove_row)).integrity


async def test_a_report_lists_the_first_findings_and_counts_all(
    ledger: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool, checkpointer: Checkpointer, trust: Trust
) -> None:
    for start in range(0, FINDINGS + 500, 500):
        await ledger.append(*(step("a", start + n) for n in range(500)))
    await owner_pool.execute("UPDATE ledger SET mac = ''")
    report = await check(pool, trust)
    assert len(report.findings) == FINDINGS
    assert report.faults == {Verdict.INTEGRITY: FINDINGS + 500, Verdict.COMPLETENESS: 0}
