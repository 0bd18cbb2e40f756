import asyncio
import hashlib
import shutil
from pathlib import Path

import asyncpg
import pytest
from joserfc.jwk import ECKey

from runtime.ledger.checkpoint import HEADS, Checkpoint, Checkpointer, CheckpointError, numbers, read, sign
from runtime.ledger.record import now
from runtime.ledger.writer import Ledger
from tests.runtime.ledger.conftest import ISSUER_KEY, eventually, step

KEYS = {ISSUER_KEY.thumbprint(): ISSUER_KEY}


async def written(pool: asyncpg.Pool, folder: Path) -> list[Checkpoint]:
    """All checkpoints; folder and table are checked to be the same."""
    rows = await pool.fetch("SELECT n, jws FROM ledger_checkpoints ORDER BY n")
    assert [row["n"] for row in rows] == numbers(folder) == list(range(1, len(rows) + 1))
    for row in rows:
        assert (folder / f"{row['n']}.jws").read_text() == row["jws"]
    return [read(row["jws"], KEYS) for row in rows]


async def test_a_checkpoint_lists_the_heads_that_moved_and_names_the_one_before(
    ledger: Ledger, checkpointer: Checkpointer, pool: asyncpg.Pool, checkpoints: Path
) -> None:
    await ledger.append(step("a"), step("a"), step("b"))
    await checkpointer.write()
    await checkpointer.write()
    await ledger.append(step("b"))
    await checkpointer.write()
    first, second = await written(pool, checkpoints)
    heads = {(row["txn"], row["seq"]): row["hash"].hex() for row in await pool.fetch("SELECT * FROM ledger")}
    assert first.heads == [("a", 2, heads["a", 2]), ("b", 1, heads["b", 1])]
    assert second.heads == [("b", 2, heads["b", 2])]
    assert first.prev == ""
    assert second.prev == hashlib.sha256((checkpoints / "1.jws").read_bytes()).hexdigest()


async def test_heads_beyond_one_checkpoint_go_to_the_next(
    ledger: Ledger, checkpointer: Checkpointer, pool: asyncpg.Pool, checkpoints: Path
) -> None:
    txns = [f"01JZXDBY6P8Q9W3F7K2M5N4{n:03d}" for n in range(HEADS + 1)]
    await ledger.append(*map(step, txns))
    await checkpointer.write()
    first, second = await written(pool, checkpoints)
    assert [txn for txn, _, _ in first.heads + second.heads] == txns


async def test_gateways_at_the_same_time_never_write_one_number_twice(
    ledger: Ledger, pool: asyncpg.Pool, checkpoints: Path
) -> None:
    several = [Checkpointer(pool, ISSUER_KEY, checkpoints) for _ in range(3)]
    for one in several:
        await one.start()
    for n in range(10):
        await ledger.append(step(f"t{n}"))
        await asyncio.gather(ledger.append(step("all")), *(one.write() for one in several))
    for one in several:
        await one.close()
    found = await written(pool, checkpoints)
    listed = {(txn, seq) for checkpoint in found for txn, seq, _ in checkpoint.heads}
    assert listed >= {(f"t{n}", 1) for n in range(10)} | {("all", 10)}


async def test_checkpoints_come_by_themselves_and_at_the_end(
    ledger: Ledger, pool: asyncpg.Pool, checkpoints: Path
) -> None:
    running = Checkpointer(pool, ISSUER_KEY, checkpoints, period=0.01)
    await running.start()
    await ledger.append(step("a"))
    await eventually(lambda: numbers(checkpoints))
    await ledger.append(step("b"))
    await running.close()
    assert {txn for checkpoint in await written(pool, checkpoints) for txn, _, _ in checkpoint.heads} == {"a", "b"}


async def test_what_was_killed_between_table_and_folder_is_made_up_for(
    recorded: Ledger, pool: asyncpg.Pool, checkpoints: Path
) -> None:
    (checkpoints / "2.jws").unlink()
    again = Checkpointer(pool, ISSUER_KEY, checkpoints)
    await again.start()
    await again.close()
    assert len(await written(pool, checkpoints)) == 2


async def test_a_table_that_was_cut_stops_the_start(
    recorded: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool, checkpoints: Path
) -> None:
    await owner_pool.execute("DELETE FROM ledger_checkpoints WHERE n = 2")
    with pytest.raises(CheckpointError, match="has checkpoint 2, the table ends at 1"):
        await Checkpointer(pool, ISSUER_KEY, checkpoints).start()


async def test_a_file_that_is_there_is_never_replaced(
    ledger: Ledger, pool: asyncpg.Pool, checkpointer: Checkpointer, checkpoints: Path
) -> None:
    (checkpoints / "1.jws").write_text("evidence")
    await ledger.append(step("a"))
    with pytest.raises(CheckpointError, match=r"1\.jws is not the checkpoint of the table"):
        await checkpointer.write()
    assert (checkpoints / "1.jws").read_text() == "evidence"
    (checkpoints / "1.jws").unlink()


async def test_a_folder_that_cannot_be_written_costs_no_checkpoint(
    ledger: Ledger, pool: asyncpg.Pool, checkpoints: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = Checkpointer(pool, ISSUER_KEY, checkpoints, period=0.01)
    await running.start()
    shutil.rmtree(checkpoints)
    await ledger.append(step("a"))
    await eventually(lambda: "no checkpoint" in caplog.text)
    await asyncio.to_thread(checkpoints.mkdir)
    await running.close()
    assert len(await written(pool, checkpoints)) == 1


def test_a_checkpoint_of_a_foreign_key_or_of_another_kind_is_not_read() -> None:
    checkpoint = Checkpoint(1, now(), "", [("a", 1, "00")])
    with pytest.raises(CheckpointError, match="unknown key"):
        read(sign(checkpoint, ECKey.generate_key("P-256")), KEYS)
    forged = sign(checkpoint, ECKey.import_key({**ECKey.generate_key("P-256").as_dict(private=True)}))
    header = sign(checkpoint, ISSUER_KEY).split(".")[0]
    with pytest.raises(CheckpointError, match="does not verify"):
        read(".".join([header, *forged.split(".")[1:]]), KEYS)
    for text in ("", "a.b.c", "\ud800"):
        with pytest.raises(CheckpointError):
            read(text, KEYS)
