"""``python -m runtime.worker``: does the steps of tasks, and talks to the orchestrator and the gateway only.

Started before either of them answers, it waits; ``worker ready`` in its log says that it polls its queue.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from joserfc.jwk import ECKey
from temporalio.client import Client
from temporalio.worker import Worker

from regions.manifest import Manifest, StepFunctions, Temporal
from runtime.direct import Direct
from runtime.identity.client import IdentityClient
from runtime.identity.keys import read_key
from runtime.settings import START_REFUSED, TOKEN, Settings, StartError, read_settings
from runtime.startup import load_manifest
from runtime.tasks.activities import Activities
from runtime.tasks.messages import QUEUE
from runtime.tasks.workflow import AgentTask

log = logging.getLogger(__name__)

GATEWAY_TIMEOUT = httpx.Timeout(600.0, connect=5.0)
"""Seconds; a small model on a busy machine has answered after four minutes."""
RECONNECT_SECONDS = 1.0
CLIENT = "worker"
"""What the Manifest calls it."""
GRACE = timedelta(seconds=5)
"""For activities under way when told to stop; the rest is given to the next worker."""


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = read_settings()
        manifest = load_manifest(settings)
        asyncio.run(_run(settings, manifest))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return START_REFUSED
    return 0


async def _run(settings: Settings, manifest: Manifest) -> None:
    """Until told to stop; raises ``StartError``."""
    key, assertion = _credentials(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gateway, direct = manifest.endpoints.gateway, Direct(settings.gateway) if settings.gateway else None
    async with httpx.AsyncClient(base_url=gateway, transport=direct, timeout=GATEWAY_TIMEOUT, trust_env=False) as http:
        identity = IdentityClient(http, gateway, CLIENT, key, assertion=assertion)
        activities = Activities(http, identity, _context_tokens(manifest))
        async with _polling(manifest.endpoints.orchestrator, activities):
            log.info("worker ready")
            await stop.wait()


@asynccontextmanager
async def _polling(orchestrator: Temporal | StepFunctions, activities: Activities) -> AsyncGenerator[None]:
    if isinstance(orchestrator, StepFunctions):
        from runtime.tasks import step_functions_worker  # noqa: PLC0415  AWS's SDK is there where it is used

        async with step_functions_worker.polling(orchestrator, activities):
            yield
        return
    async with Worker(
        await _connect(orchestrator.address),
        task_queue=QUEUE,
        workflows=[AgentTask],
        activities=activities.all,
        graceful_shutdown_timeout=GRACE,
    ):
        yield


def _credentials(settings: Settings) -> tuple[ECKey, Callable[[], str] | None]:
    """Its key; on a cluster one that lives as long as the process, beside the token that says who it is.

    Raises ``StartError``.
    """
    if settings.token is None:
        return read_key(settings.secrets / f"{CLIENT}.jwk"), None
    token = settings.token
    try:
        token.read_text()
    except OSError as error:
        raise StartError(f"{token}: the ServiceAccount's token cannot be read: {error.strerror} ({TOKEN})") from None
    return ECKey.generate_key("P-256"), lambda: token.read_text().strip()  # read again each time: it is renewed


def _context_tokens(manifest: Manifest) -> dict[str, int]:
    """Of each model class the smallest: the gateway chooses the endpoint."""
    tokens: dict[str, int] = {}
    for model in manifest.models:
        tokens[model.model_class] = min(model.context_tokens, tokens.get(model.model_class, model.context_tokens))
    return tokens


async def _connect(address: str) -> Client:
    while True:
        try:
            return await Client.connect(address)
        except RuntimeError as error:
            log.info("Temporal at %s does not answer yet: %s", address, error)
            await asyncio.sleep(RECONNECT_SECONDS)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # all is closed; Temporal's core now and then crashes in the interpreter's own end
