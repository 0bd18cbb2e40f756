"""The one application: every part made once, wired here and nowhere else.

create_app(settings, manifest)   ASGI: the model path in front, FastAPI behind it; raises StartError
Gateway                          what routers find at ``request.app.state.gateway``
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from standardwebhooks import Webhook
from starlette.exceptions import HTTPException

from regions.manifest import Manifest, StepFunctions
from runtime.agents.registry import Agents
from runtime.approvals import Approvals
from runtime.database import connect
from runtime.errors import CODES, Refused
from runtime.gateway import agents, approvals, models, oauth, tasks, tools, triggers
from runtime.gateway.secrets import ROLE, Secrets, read_credentials
from runtime.grants.grant import Grants
from runtime.grants.lease import Leases
from runtime.identity.issuer import Identity
from runtime.ledger.checkpoint import Checkpointer
from runtime.ledger.content import SubjectKeys
from runtime.ledger.writer import Ledger
from runtime.models.calls import ModelCalls, ModelPath
from runtime.models.compare import Comparison
from runtime.models.outgoing import open_upstreams
from runtime.models.quarantine import Quarantine
from runtime.models.routing import Routing
from runtime.models.upstream import HttpUpstream
from runtime.sessions import tls
from runtime.settings import Settings
from runtime.tasks.dispatch import Dispatcher, Orchestrator, TemporalOrchestrator
from runtime.tasks.store import Tasks
from runtime.tasks.views import Views
from runtime.tools.call import Tools
from runtime.tools.contracts import Contracts, core_client

log = logging.getLogger(__name__)

POOL_SIZE = 16
_ROUTING_CODES = {CODES[code][0]: code for code in ("not_found", "method_not_allowed")}


@dataclass(frozen=True)
class Gateway:
    """The parts that routers call."""

    manifest: Manifest
    pool: asyncpg.Pool
    ledger: Ledger
    checkpointer: Checkpointer
    subject_keys: SubjectKeys
    identity: Identity
    grants: Grants
    agents: Agents
    approvals: Approvals
    tools: Tools
    tasks: Tasks
    views: Views
    orchestrator: Orchestrator
    webhook: Webhook
    routing: Routing
    quarantine: Quarantine
    comparison: Comparison


def create_app(settings: Settings, manifest: Manifest) -> ModelPath:
    """The application for a verified Manifest, its parts opened when the server starts it; raises ``StartError``."""
    tls(manifest.endpoints.primary_host, settings.database_ca)
    secrets = Secrets.load(settings.secrets)
    upstreams = open_upstreams(manifest, read_credentials(settings.secrets, manifest), settings.translator)
    app = FastAPI(title="Loomstead gateway", version="1", docs_url=None, redoc_url=None)
    path = ModelPath(app)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            app.state.gateway, path.calls = await _open(settings, secrets, manifest, upstreams, stack)
            yield

    app.router.lifespan_context = lifespan
    for module in (oauth, agents, triggers, tasks, tools, approvals, models):
        app.include_router(module.router)
    app.add_api_route("/healthz", _healthz)
    app.add_api_route("/readyz", _readyz)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    return path


async def _open(
    settings: Settings,
    secrets: Secrets,
    manifest: Manifest,
    upstreams: Mapping[str, HttpUpstream],
    stack: AsyncExitStack,
) -> tuple[Gateway, ModelCalls]:
    """Everything opened; ``stack`` closes it in the opposite order."""
    endpoints = manifest.endpoints
    pool = await connect(
        endpoints.primary_host,
        endpoints.primary_port,
        endpoints.database,
        ROLE,
        secrets.passfile,
        size=POOL_SIZE,
        ca=settings.database_ca,
    )
    stack.push_async_callback(pool.close)
    subject_keys = SubjectKeys(secrets.subjects)
    ledger = Ledger(pool, secrets.ledger, subject_keys)
    grants = Grants(pool, ledger)
    identity = Identity(manifest, secrets.issuer, pool, grants, ledger)
    checkpointer = Checkpointer(pool, identity.keys.signing, settings.checkpoints)
    await checkpointer.start()
    stack.push_async_callback(checkpointer.close)
    await ledger.start()
    stack.push_async_callback(ledger.close)
    http = await stack.enter_async_context(core_client())
    contracts = Contracts(manifest, http)
    registry = Agents(pool, manifest, contracts)
    consents = Approvals(pool, ledger, manifest.limits.approval_seconds)
    orchestrator = _orchestrator(manifest, pool)
    routing, quarantine = Routing(manifest), Quarantine(pool, ledger, manifest)
    gateway = Gateway(
        manifest=manifest,
        pool=pool,
        ledger=ledger,
        checkpointer=checkpointer,
        subject_keys=subject_keys,
        identity=identity,
        grants=grants,
        agents=registry,
        approvals=consents,
        tools=Tools(pool, ledger, grants, identity, contracts, consents, http),
        tasks=Tasks(pool, ledger, grants, registry, manifest),
        views=Views(pool, registry, contracts),
        orchestrator=orchestrator,
        webhook=secrets.webhook,
        routing=routing,
        quarantine=quarantine,
        comparison=Comparison(pool, ledger, subject_keys, routing, quarantine, upstreams, manifest.boundary_digest),
    )
    _run(Dispatcher(pool, orchestrator).run, stack)
    return gateway, _model_calls(gateway, upstreams, stack)


def _orchestrator(manifest: Manifest, pool: asyncpg.Pool) -> Orchestrator:
    found, approval_seconds = manifest.endpoints.orchestrator, manifest.limits.approval_seconds
    if isinstance(found, StepFunctions):
        from runtime.tasks.step_functions import StepFunctionsOrchestrator  # noqa: PLC0415  AWS's SDK, where it is used

        return StepFunctionsOrchestrator(found, approval_seconds, pool)
    return TemporalOrchestrator(found.address, approval_seconds)


def _model_calls(gateway: Gateway, upstreams: Mapping[str, HttpUpstream], stack: AsyncExitStack) -> ModelCalls:
    leases = Leases(gateway.pool, gateway.grants)
    stack.push_async_callback(leases.give_back)
    for upstream in upstreams.values():
        stack.push_async_callback(upstream.close)
    calls = ModelCalls(
        gateway.manifest,
        gateway.identity.task_tokens,
        gateway.grants,
        leases,
        gateway.ledger,
        upstreams,
        gateway.routing,
        gateway.quarantine,
    )
    stack.push_async_callback(calls.close)
    return calls


def _run(work: Callable[[], Coroutine[Any, Any, None]], stack: AsyncExitStack) -> None:
    task = asyncio.create_task(work())

    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)


async def _healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


async def _readyz(request: Request) -> JSONResponse:
    """What it needs answers too: 503 names what does not."""
    gateway: Gateway = request.app.state.gateway
    missing = []
    try:
        await gateway.pool.execute("SELECT 1")
    except Refused:
        missing.append("database")
    if not gateway.ledger.running:
        missing.append("ledger")
    if not gateway.checkpointer.running:
        missing.append("checkpoints")
    if not await gateway.orchestrator.ready():
        missing.append("orchestrator")
    return JSONResponse({"status": "missing" if missing else "ready", "missing": missing}, 503 if missing else 200)


async def _refused(_: Request, error: Any) -> JSONResponse:
    return JSONResponse(error.problem(), error.status, error.headers())


async def _invalid(request: Request, error: Any) -> JSONResponse:
    mistakes = "; ".join(f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg']}" for one in error.errors())
    return await _refused(request, Refused("body_invalid", mistakes, remedy="correct what is named and send it again"))


async def _http_error(request: Request, error: Any) -> JSONResponse:
    code = _ROUTING_CODES.get(error.status_code, "internal")
    told = Refused(code, f"{request.method} {request.url.path}", remedy="docs/contract.md §5 lists what is here")
    return await _refused(request, told)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    remedy = "see the gateway's log; nothing was done that is not in the ledger"
    return await _refused(request, Refused("internal", f"{type(error).__name__} inside the gateway", remedy=remedy))
