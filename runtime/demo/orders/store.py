"""The order system's data: reads through the replica as ``agent_reader``, writes to the primary as ``core_writer``."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg

from regions.canonical import digest
from runtime.database import connect
from runtime.demo.orders.settings import Settings
from runtime.errors import Refused

RETRY_SECONDS = 0.5
SCHEMA = Path(__file__).with_name("schema.sql")
SCHEMA_LOCK = 4711
"""Advisory lock: two starts at once would both create the schema."""

log = logging.getLogger("orders")


class NotReady(Exception):
    """A database is not there yet; the caller may try again."""


class Conflict(Exception):
    """The Idempotency-Key was used with another request."""


Answer = tuple[int, dict[str, Any]]
"""Status and body."""
Effect = Callable[[asyncpg.Connection], Awaitable[Answer]]


class Store:
    """``open`` waits for both databases; until then every use raises ``NotReady``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.opened = asyncio.Event()
        self._writer: asyncpg.Pool | None = None
        self._reader: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Wait for the primary, apply the schema, wait until the replica has it; retries without end."""
        self._writer = await self._until("primary", self._open_primary)
        self._reader = await self._until("replica", self._open_replica)
        self.opened.set()
        log.info("orders ready")

    async def close(self) -> None:
        for pool in (self._writer, self._reader):
            if pool is not None:
                pool.terminate()

    async def order(self, order_id: str) -> dict[str, Any] | None:
        return await self._read(
            "SELECT id, customer, sku, status, total_cents FROM agent.orders WHERE id = $1", order_id
        )

    async def stock(self, sku: str) -> dict[str, Any] | None:
        return await self._read("SELECT sku, available FROM agent.stock WHERE sku = $1", sku)

    async def once(self, key: str, request: Any, effect: Effect) -> Answer:
        """The answer recorded for ``key``, else what ``effect`` answers, recorded in the same transaction.

        Raises ``Conflict`` when the key stands for another request.
        """
        if self._writer is None:
            raise NotReady("the primary is not reachable yet")
        asked = digest(request)
        async with self._writer.acquire() as connection, connection.transaction():
            # A second holder of the key waits here until the first has committed.
            new = await connection.fetchval(
                "INSERT INTO answers (key, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true", key, asked
            )
            if not new:
                row = await connection.fetchrow("SELECT digest, status, body FROM answers WHERE key = $1", key)
                if row["digest"] != asked:
                    raise Conflict(key)
                return row["status"], row["body"]
            status, body = await effect(connection)
            await connection.execute("UPDATE answers SET status = $2, body = $3 WHERE key = $1", key, status, body)
            return status, body

    async def _read(self, query: str, argument: str) -> dict[str, Any] | None:
        if self._reader is None:
            raise NotReady("the replica does not have the views yet")
        row = await self._reader.fetchrow(query, argument)
        return dict(row) if row is not None else None

    async def _until(self, name: str, attempt: Callable[[], Awaitable[asyncpg.Pool]]) -> asyncpg.Pool:
        while True:
            try:
                return await attempt()
            except (Refused, asyncpg.PostgresError) as error:
                log.info("waiting for the %s: %s", name, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _open_primary(self) -> asyncpg.Pool:
        pool = await self._connect(self._settings.primary, "core_writer")
        try:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
                await connection.execute(SCHEMA.read_text(encoding="utf-8"))
        except BaseException:
            pool.terminate()
            raise
        return pool

    async def _open_replica(self) -> asyncpg.Pool:
        """Raises ``asyncpg.PostgresError`` while the replica has not replayed role, views or grants."""
        pool = await self._connect(self._settings.replica, "agent_reader")
        try:
            await pool.fetchval("SELECT count(*) FROM agent.orders, agent.stock")
        except BaseException:
            pool.terminate()
            raise
        return pool

    async def _connect(self, address: tuple[str, int], role: str) -> asyncpg.Pool:
        host, port = address
        settings = self._settings
        return await connect(host, port, settings.database, role, settings.secrets / f"{role}.pgpass", size=8)


async def cancel(connection: asyncpg.Connection, order_id: str) -> Answer:
    """Cancel an order that was not delivered and not cancelled before."""
    order = await _locked(connection, order_id)
    if order is None:
        return _unknown(order_id)
    if order["status"] in ("delivered", "cancelled"):
        return 409, {"code": f"order_{order['status']}", "detail": f"order {order_id} is {order['status']}"}
    await connection.execute("UPDATE orders SET status = 'cancelled' WHERE id = $1", order_id)
    return 200, {"id": order_id, "status": "cancelled"}


async def refund(connection: asyncpg.Connection, order_id: str, cents: int, txn: str) -> Answer:
    """Give money back: once an order, at most its total."""
    order = await _locked(connection, order_id)
    if order is None:
        return _unknown(order_id)
    if cents > order["total_cents"]:
        return 422, {"code": "amount_too_high", "detail": f"order {order_id} cost {order['total_cents']} cents"}
    new = await connection.fetchval(
        "INSERT INTO refunds (order_id, amount_cents, txn) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true",
        order_id,
        cents,
        txn,
    )
    if not new:
        return 409, {"code": "order_refunded", "detail": f"order {order_id} was refunded before"}
    return 200, {"order_id": order_id, "amount_cents": cents, "status": "refunded"}


async def _locked(connection: asyncpg.Connection, order_id: str) -> asyncpg.Record | None:
    return await connection.fetchrow("SELECT status, total_cents FROM orders WHERE id = $1 FOR UPDATE", order_id)


def _unknown(order_id: str) -> Answer:
    return 404, {"code": "order_unknown", "detail": f"there is no order {order_id}"}
