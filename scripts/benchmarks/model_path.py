"""What ``scripts/bench gateway`` measures, in a folder of its own: PostgreSQL as a stack has it (every commit is synced
to disk), an upstream that only answers, and the gateway process as the supervisor starts it, with nothing left out.

The tasks are rows as a trigger leaves them, with turns enough; their tokens come from the gateway's own issuer.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import psutil
from joserfc.jwk import ECKey

from components.keys import local as keys
from components.naming import REPOSITORY
from components.postgres import access, server
from regions.boundary import compile_boundary
from regions.catalogue import Kind, Protocol, load_catalogue
from regions.manifest import Client, Endpoints, Identities, Limits, Manifest, ModelEndpoint, Temporal
from regions.residency import DataClass, DataClassRules, Residency
from regions.signature import sign_manifest
from runtime.database import connect
from runtime.gateway.secrets import read_secret
from runtime.grants.grant import Grant, Grants
from runtime.identity.client import IdentityClient
from runtime.identity.keys import IssuerKeys
from runtime.ledger.content import SubjectKeys
from runtime.ledger.verify import Report, Trust, verify
from runtime.ledger.writer import Ledger
from runtime.migrations import migrate

HOST = server.HOST
MODEL_CLASS = "bench"
TASKS = 16
TURNS = 10_000_000
READY_SECONDS = 60
_ZERO = "sha256:" + "0" * 64


@dataclass(frozen=True)
class ModelPath:
    """``tokens``: one task token each. ``database``, ``gateway``: the processes whose time is counted."""

    folder: Path
    manifest: Manifest
    upstream_port: int
    tokens: list[str]
    database: psutil.Process
    gateway: psutil.Process

    @property
    def gateway_port(self) -> int:
        return httpx.URL(self.manifest.endpoints.gateway).port or 0

    async def report(self) -> tuple[Report, int, int]:
        """What ``verify`` says of the ledger, and how many allowed calls and whole replies it has."""
        trust = Trust(
            ledger_key=read_secret(self.folder / "secrets" / "ledger.key"),
            subjects_key=read_secret(self.folder / "secrets" / "subjects.key"),
            issuer_keys=IssuerKeys.load(self.folder / "secrets").accepted,
            checkpoints=self.folder / "checkpoints",
        )
        passfile = self.folder / "secrets" / "auditor.pgpass"
        port = self.manifest.endpoints.primary_port
        conn = await asyncpg.connect(host=HOST, port=port, database=access.RUNTIME, user="auditor", passfile=passfile)
        try:
            counted = await conn.fetchrow(
                """SELECT count(*) FILTER (WHERE r @> '{"kind":"model_call","decision":"allowed"}') AS calls,
                    count(*) FILTER (WHERE r @> '{"kind":"model_reply","body":{"status":200}}') AS replies
                FROM (SELECT record::jsonb AS r FROM ledger) AS records"""
            )
            return await verify(conn, trust), counted["calls"], counted["replies"]
        finally:
            await conn.close()


@contextmanager
def model_path(folder: Path, reply: bytes) -> Generator[ModelPath]:
    """Everything started and the tasks open; ended, all of it, at the end."""
    secrets = folder / "secrets"
    keys.make(secrets)
    ports = _free_ports("gateway", "primary", "upstream", "nobody")
    manifest = _manifest(secrets, ports)
    signed = sign_manifest(manifest, json.loads((secrets / "manifest.jwk").read_bytes()))
    (folder / "manifest.json").write_text(json.dumps(signed))
    with ExitStack() as stack:
        database = stack.enter_context(_database(folder, ports["primary"]))
        stack.enter_context(_upstream(ports["upstream"], reply))
        gateway = stack.enter_context(_gateway(folder, manifest))
        tokens = asyncio.run(_tokens(secrets, manifest))
        processes = psutil.Process(database.pid), psutil.Process(gateway.pid)
        yield ModelPath(folder, manifest, ports["upstream"], tokens, *processes)


@contextmanager
def _database(folder: Path, port: int) -> Generator[subprocess.Popen[bytes]]:
    data, secrets = folder / "primary", folder / "secrets"
    server.initialise(data, secrets / "postgres.pgpass")
    (data / "pg_hba.conf").write_text(server.PRIMARY_HBA)
    with _running("postgres", server.serve(data, port, server.PRIMARY_SETTINGS), folder) as process:
        _until_listening(process, port)
        asyncio.run(_prepare(port, secrets))
        yield process
        process.send_signal(server.STOP_SIGNAL)
        process.wait(READY_SECONDS)


async def _prepare(port: int, secrets: Path) -> None:
    for _ in range(100):  # it listens before it takes sessions
        with suppress(server.PostgresError):
            async with access.superuser(port, secrets):
                break
        await asyncio.sleep(0.1)
    await asyncio.to_thread(access.apply, port, secrets, access.Limits(connection_limit=20, statement_timeout_ms=5000))
    await migrate(HOST, port, access.RUNTIME, "gateway_owner", secrets / "gateway_owner.pgpass")


@contextmanager
def _upstream(port: int, reply: bytes) -> Generator[None]:
    argv = [sys.executable, "-P", "-m", "scripts.benchmarks.http_load", "upstream", str(port)]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("the upstream has no pipes")
            process.stdin.write(reply)
            process.stdin.close()
            process.stdout.readline()
            yield
        finally:
            process.terminate()


@contextmanager
def _gateway(folder: Path, manifest: Manifest) -> Generator[subprocess.Popen[bytes]]:
    variables = {
        "LOOMSTEAD_STACK": manifest.stack,
        "LOOMSTEAD_REGION": manifest.region,
        "LOOMSTEAD_MANIFEST": str(folder / "manifest.json"),
        "LOOMSTEAD_MANIFEST_KEY": str(folder / "secrets" / keys.MANIFEST_KEY),
        "LOOMSTEAD_SECRETS": str(folder / "secrets"),
        "LOOMSTEAD_CHECKPOINTS": str(folder / "checkpoints"),
    }
    with _running("gateway", [sys.executable, "-P", "-m", "runtime.gateway"], folder, variables) as process:
        _until_listening(process, httpx.URL(manifest.endpoints.gateway).port or 0)
        yield process


@contextmanager
def _running(
    name: str, argv: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None
) -> Generator[subprocess.Popen[bytes]]:
    """The process; what it says goes to ``folder/<name>.log``, and its last words into the error if it dies."""
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            argv, cwd=REPOSITORY, env={**os.environ, **(variables or {})}, stdout=file, stderr=file
        )
    try:
        yield process
    finally:
        code = process.poll()
        process.terminate()
        process.wait(READY_SECONDS)
        if code:
            sys.stderr.write(f"{name} ended with exit code {code}:\n{log.read_text()[-2000:]}\n")


def _until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(READY_SECONDS * 20):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def _free_ports(*names: str) -> dict[str, int]:
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in names}
        for one in sockets.values():
            one.bind((HOST, 0))
        return {name: one.getsockname()[1] for name, one in sockets.items()}


def _manifest(secrets: Path, ports: Mapping[str, int]) -> Manifest:
    catalogue = load_catalogue()
    residency = Residency(regimes=("eu-gdpr",), data_classes={DataClass.PERSONAL: DataClassRules()})
    boundary = compile_boundary(residency, catalogue, host="DE")
    issuer = f"http://{HOST}:{ports['gateway']}"
    public = ECKey.import_key(json.loads((secrets / "worker.jwk").read_bytes())).as_dict(private=False)
    return Manifest(
        stack="bench",
        platform="local",
        region="local",
        country="DE",
        boundary=boundary,
        boundary_digest=boundary.digest,
        catalogue_digest=catalogue.digest,
        spec_digest=_ZERO,
        endpoints=Endpoints(
            gateway=issuer,
            orchestrator=Temporal(address=f"{HOST}:{ports['nobody']}", ui=f"http://{HOST}:{ports['nobody']}"),
            primary_host=HOST,
            primary_port=ports["primary"],
            replica_host=HOST,
            replica_port=ports["nobody"],
            database=access.RUNTIME,
        ),
        models=(
            ModelEndpoint(
                name=f"{MODEL_CLASS}/upstream",
                model_class=MODEL_CLASS,
                kind=Kind.CHAT,
                protocol=Protocol.OPENAI,
                provider=None,
                region=None,
                data_classes=(DataClass.PERSONAL,),
                weight=1,
                priority=0,
                url=f"http://{HOST}:{ports['upstream']}/v1",
                upstream_model=MODEL_CLASS,
                countries=("DE",),
                context_tokens=8192,
            ),
        ),
        core_systems=(),
        scope_classes=(),
        identities=Identities(
            issuer=issuer,
            clients=(Client(id="worker", subject="spiffe://bench.loomstead/worker", kind="workload", jwk=public),),
        ),
        limits=Limits(iterations=10, token_seconds=300, task_seconds=86400, approval_seconds=86400),
    )


async def _tokens(secrets: Path, manifest: Manifest) -> list[str]:
    endpoints = manifest.endpoints
    async with await connect(
        HOST, endpoints.primary_port, access.RUNTIME, "gateway", secrets / "gateway.pgpass"
    ) as pool:
        txns = await _open_tasks(pool, manifest)
    key = ECKey.import_key(json.loads((secrets / "worker.jwk").read_bytes()))
    async with httpx.AsyncClient() as http:
        client = IdentityClient(http, manifest.identities.issuer, "worker", key)
        return [await client.task_token(txn) for txn in txns]


async def _open_tasks(pool: asyncpg.Pool, manifest: Manifest) -> list[str]:
    """Rows of tasks that are under way, so that nothing waits to be started."""
    grants = Grants(pool, Ledger(pool, b"", SubjectKeys(bytes(32))))
    txns = [f"bench-{number}" for number in range(TASKS)]
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("INSERT INTO agents VALUES ('bench', 1, '{}', $1, $1, 'bench')", _ZERO)
        for txn in txns:
            await conn.execute(
                """INSERT INTO tasks (txn, agent, version, trigger, webhook_id, data_subject, state, started_at)
                VALUES ($1, 'bench', 1, 'bench', $1, $1, 'thinking', now())""",
                txn,
            )
            await grants.open(conn, _grant(txn, manifest))
    return txns


def _grant(txn: str, manifest: Manifest) -> Grant:
    return Grant(
        txn=txn,
        subject="trigger:bench/bench",
        agent_subject="spiffe://bench.loomstead/agent/bench/v1",
        may_act=manifest.identities.clients[0].subject,
        plan_digest=_ZERO,
        policy_digest=_ZERO,
        authorization_details=(),
        class_="bench",
        tenant="local",
        data_subject=f"customer:{txn}",
        data_class=DataClass.PERSONAL,
        model_class=MODEL_CLASS,
        max_steps=TURNS,
        deadline=datetime.now(UTC) + timedelta(hours=1),
    )
