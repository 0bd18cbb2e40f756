"""Who makes roles and databases on a cloud's primary: a superuser whose password is mounted, or RDS's master.

Nobody keeps the master's password: it is set for this one use, and when that is over set to one that nobody has seen.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from runtime.provision import ProvisionError, access
from runtime.provision.access import Administer, SignInRefused, Wanted
from runtime.secret_files import read_private
from runtime.sessions import CONNECT_SECONDS, tls
from runtime.settings import StartError

log = logging.getLogger(__name__)

TRIES = 5
"""Another Job that sets the master's password takes it from this one; both finish in turn."""
SET_SECONDS = 600.0
"""RDS says that it takes minutes where the instance is busy."""
LOOK_SECONDS = 5.0
SETTLE_SECONDS = 30.0
"""Between RDS's word that the password is set and the instance taking it."""


@dataclass(frozen=True)
class Place:
    """The primary. ``ca``: as in ``runtime.sessions``."""

    host: str
    port: int
    ca: Path | None

    def sign_in(self, role: str, password: str, database: str) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A session; raises ``SignInRefused``, ``ProvisionError``, ``StartError``."""
        return access.opened(**self.session(role, password, database))

    def session(self, role: str, password: str, database: str) -> dict[str, Any]:
        """What ``runtime.sessions.session`` gives, by a password at hand; raises ``StartError``."""
        return {
            "host": self.host,
            "port": self.port,
            "database": database,
            "user": role,
            "password": password,
            "ssl": tls(self.host, self.ca),
            "timeout": CONNECT_SECONDS,
        }

    def administered_by(self, role: str, password: str) -> Administer:
        """Sessions as ``role``, which is the administrator."""
        return lambda database: self.sign_in(role, password, database)


class MountedSuperuser:
    """``folder``: files ``username`` and ``password``, as CloudNativePG's Secret has them."""

    def __init__(self, folder: Path, place: Place) -> None:
        self._folder, self._place = folder, place

    async def apply(self, wanted: Wanted) -> None:
        """Raises ``ProvisionError``, ``StartError``."""
        try:
            name, password = (read_private(self._folder / file).decode().strip() for file in ("username", "password"))
        except OSError as error:
            raise StartError(f"{self._folder}: the administrator's {error.filename}: {error.strerror}") from None
        await access.apply(self._place.administered_by(name, password), wanted)


class RdsMaster:
    """``client``: botocore's, of RDS. ``instance``: its identifier. ``pause``: seconds between looks."""

    def __init__(self, client: Any, instance: str, place: Place, pause: float = LOOK_SECONDS) -> None:
        self._client, self._instance, self._place, self._pause = client, instance, place, pause

    async def apply(self, wanted: Wanted) -> None:
        """Raises ``ProvisionError``; the master's password is unknown afterwards in every case."""
        try:
            await self._tried(wanted)
        finally:
            await self._set(secrets.token_urlsafe(36))

    async def _tried(self, wanted: Wanted) -> None:
        for last in (*[False] * (TRIES - 1), True):
            password = secrets.token_urlsafe(36)
            master = await self._set(password)
            try:
                await self._settled(master, password)
                await access.apply(self._place.administered_by(master, password), wanted)
            except SignInRefused:
                if last:
                    raise
                log.info("another Job set the master's password; trying again")
                await asyncio.sleep(self._pause * (1 + secrets.randbelow(4)))
            else:
                return

    async def _set(self, password: str) -> str:
        """Set the master's password and wait until RDS has done it; the master's name."""
        await self._call(
            self._client.modify_db_instance,
            DBInstanceIdentifier=self._instance,
            MasterUserPassword=password,
            ApplyImmediately=True,
        )
        try:
            async with asyncio.timeout(SET_SECONDS):
                while True:
                    answer = await self._call(self._client.describe_db_instances, DBInstanceIdentifier=self._instance)
                    (found,) = answer["DBInstances"]
                    pending = "MasterUserPassword" in found.get("PendingModifiedValues", {})
                    if found["DBInstanceStatus"] == "available" and not pending:
                        return str(found["MasterUsername"])
                    await asyncio.sleep(self._pause)
        except TimeoutError:
            raise ProvisionError(
                f"RDS instance {self._instance} has not taken a new master password in {SET_SECONDS:.0f} s; "
                "run the Job again when the instance is available"
            ) from None

    async def _settled(self, master: str, password: str) -> None:
        """Until the instance takes the password; raises ``SignInRefused`` where it does not for a while."""
        end = asyncio.get_running_loop().time() + SETTLE_SECONDS * min(1.0, self._pause)
        while True:
            try:
                async with self._place.sign_in(master, password, access.MAINTENANCE):
                    return
            except SignInRefused:
                if asyncio.get_running_loop().time() >= end:
                    raise
                await asyncio.sleep(self._pause)

    async def _call(self, operation: Callable[..., Any], **parameters: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  there where AWS is used

        try:
            return await asyncio.to_thread(operation, **parameters)
        except (BotoCoreError, ClientError) as error:
            raise ProvisionError(f"RDS instance {self._instance}: {_code(error)}") from None


def _code(error: Exception) -> str:
    """Never the whole text: it may repeat what was sent."""
    answered = getattr(error, "response", {}).get("Error", {})
    return f"{type(error).__name__} {answered.get('Code', '')}".strip()
