"""Things that may be used once: the ``jti`` of DPoP proofs and client assertions, over all gateway processes."""

import time
from hashlib import sha256

import asyncpg

from runtime.errors import Refused

SWEEP_SECONDS = 60.0


class UsedIds:
    """Over table ``used_jti``. What is stored is a digest: a ``jti`` is the caller's text, of any length."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._next_sweep = 0.0

    async def spend(self, owner: str, jti: str, expires: int) -> None:
        """Use ``owner``'s ``jti``, which no check accepts after ``expires`` (seconds since 1970).

        Raises ``Refused`` (replayed).
        """
        await self._sweep()
        name = sha256(f"{owner}\n{jti}".encode()).hexdigest()
        inserted = await self._pool.fetchval(
            "INSERT INTO used_jti VALUES ($1, to_timestamp($2)) ON CONFLICT DO NOTHING RETURNING true", name, expires
        )
        if inserted is None:
            raise Refused("replayed", "the jti was used before", remedy="make a new one for each request")

    async def _sweep(self) -> None:
        now = time.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP_SECONDS
        # A minute more than needed: the database's clock may differ from the gateway's.
        await self._pool.execute("DELETE FROM used_jti WHERE expires < now() - interval '1 minute'")
