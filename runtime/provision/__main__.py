"""``python -m runtime.provision``: the Job of a cluster, before its gateway. See docs/contract.md §7a.

0: all is there; 1: something could not be made, try again; 78: what it was told does not fit.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import asyncpg

from regions.manifest import Manifest
from runtime.api_server import ApiServer
from runtime.migrations import MigrationError, upgrade
from runtime.provision import ProvisionError, access, documents
from runtime.provision.access import Limits, Wanted
from runtime.provision.administrator import MountedSuperuser, Place, RdsMaster
from runtime.provision.secrets import (
    MAKERS,
    ORCHESTRATORS,
    PGPASS,
    Addresses,
    Store,
    fill,
    hand_over,
    kubernetes_secret,
    password_of,
)
from runtime.sessions import is_loopback
from runtime.settings import DATABASE_CA, START_REFUSED, StartError, number, path, read_published, required
from runtime.startup import load_manifest

log = logging.getLogger("runtime.provision")

FAILED = 1
KUBERNETES, SECRETS_MANAGER = "kubernetes", "aws-secrets-manager"
SESSIONS, STATEMENT_MS = 20, 5000
"""Of ``agent_reader``, where the environment says nothing else: the FabricSpec's own defaults."""


@dataclass(frozen=True)
class Told:
    """``environment``: of docs/contract.md §7a."""

    environment: Mapping[str, str]
    manifest: Manifest

    @property
    def place(self) -> Place:
        endpoints = self.manifest.endpoints
        return Place(endpoints.primary_host, endpoints.primary_port, path(self.environment, DATABASE_CA))

    @property
    def addresses(self) -> Addresses:
        told = self.manifest.endpoints
        return Addresses((told.primary_host, told.primary_port), (told.replica_host, told.replica_port))

    @property
    def limits(self) -> Limits:
        """Raises ``StartError``."""
        sessions = number(self.environment, "LOOMSTEAD_AGENT_SESSIONS", SESSIONS)
        return Limits(sessions, number(self.environment, "LOOMSTEAD_AGENT_STATEMENT_MS", STATEMENT_MS))

    @property
    def store(self) -> Store | None:
        """Raises ``StartError``."""
        kind = required(self.environment, {"kind": "LOOMSTEAD_SECRET_STORE"})["kind"]
        if kind == KUBERNETES:
            return None
        if kind != SECRETS_MANAGER:
            raise StartError(f"LOOMSTEAD_SECRET_STORE is {kind!r}: expected {KUBERNETES} or {SECRETS_MANAGER}")
        key = required(self.environment, {"key": "LOOMSTEAD_SECRET_KEY"})["key"]
        from runtime.provision import aws  # noqa: PLC0415  AWS's SDK is there where it is used

        client = aws.client("secretsmanager", self.manifest.region)
        return aws.SecretsManager(client, f"loomstead/{self.manifest.stack}/", key)

    @property
    def administrator(self) -> MountedSuperuser | RdsMaster:
        """Raises ``StartError``."""
        folder, instance = (
            path(self.environment, "LOOMSTEAD_ADMINISTRATOR"),
            self.environment.get("LOOMSTEAD_RDS_INSTANCE"),
        )
        if (folder is None) == (not instance):
            raise StartError(
                "name exactly one: LOOMSTEAD_ADMINISTRATOR, the folder with a superuser's username and password, "
                "or LOOMSTEAD_RDS_INSTANCE, the identifier of the primary's instance"
            )
        if folder:
            return MountedSuperuser(folder, self.place)
        from runtime.provision import aws  # noqa: PLC0415  as above

        return RdsMaster(aws.client("rds", self.manifest.region), str(instance), self.place)

    @property
    def publisher(self) -> documents.Publisher | None:
        """Raises ``StartError``."""
        url = self.environment.get("LOOMSTEAD_ISSUER_DOCUMENTS", "")
        if not url:
            return None
        if not url.startswith("s3://") or not url.removeprefix("s3://").partition("/")[0]:
            raise StartError(
                f"LOOMSTEAD_ISSUER_DOCUMENTS is {url!r}: expected s3://<bucket>/<prefix>, no other is built"
            )
        from runtime.provision import aws  # noqa: PLC0415  as above

        return aws.Bucket(aws.client("s3", self.manifest.region), url)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(_provision(Told(os.environ, load_manifest(read_published()))))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return START_REFUSED
    except (ProvisionError, MigrationError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


async def _provision(told: Told) -> None:
    """Raises ``StartError``, ``ProvisionError``, ``MigrationError``."""
    named = required(told.environment, {"secret": "LOOMSTEAD_SECRET"})["secret"]
    api = ApiServer.from_environment(told.environment)
    if api is None:
        raise StartError("KUBERNETES_SERVICE_HOST is not set: this runs as a Job of the fabric's cluster")
    store, administrator, publisher, limits = told.store, told.administrator, told.publisher, told.limits
    ca, orchestrator = _authority(told), told.environment.get("LOOMSTEAD_ORCHESTRATOR_SECRET", "")
    makers = {**MAKERS, **(ORCHESTRATORS if orchestrator else {})}
    async with api.client() as http:
        held = await fill(kubernetes_secret(api, http, named), store, told.addresses, ca, makers)
        log.info("secrets are there")
        roles = [name.removesuffix(PGPASS) for name in makers if name.endswith(PGPASS)]
        wanted = Wanted(
            {role: password_of(held[f"{role}{PGPASS}"]) for role in roles},
            limits,
            tuple(told.environment.get("LOOMSTEAD_IAM_ROLES", "").split()),
        )
        if not await access.settled(_sign_in(told.place, wanted), wanted):
            await administrator.apply(wanted)
        log.info("roles and databases are there")
        if orchestrator:  # last, for it starts with what it finds there
            await hand_over(kubernetes_secret(api, http, orchestrator), wanted.passwords[access.ORCHESTRATOR], ca)
            log.info("the orchestrator's secret is there")
    await upgrade(told.place.session("gateway_owner", wanted.passwords["gateway_owner"], access.RUNTIME))
    log.info("tables are there")
    if publisher:
        for written in await documents.publish(told.manifest, held, publisher):
            log.info("published %s", written)


def _authority(told: Told) -> str | None:
    """PEM of what answers for PostgreSQL; raises ``StartError``."""
    ca = told.place.ca
    if ca is None:
        if not is_loopback(told.place.host):
            raise StartError(f"{DATABASE_CA} is not set: name the file with the authority of PostgreSQL")
        return None
    try:
        return ca.read_text()
    except OSError as error:
        raise StartError(f"{ca}: the authority of PostgreSQL cannot be read: {error.strerror}") from None


def _sign_in(place: Place, wanted: Wanted) -> access.SignIn:
    def sign_in(role: str, database: str) -> AbstractAsyncContextManager[asyncpg.Connection]:
        return place.sign_in(role, wanted.passwords[role], database)

    return sign_in


if __name__ == "__main__":
    sys.exit(main())
