"""The live contracts of the stack's core systems: fetched from the addresses in the Manifest, and from nowhere else."""

import hashlib
import time
from dataclasses import dataclass

import httpx

from regions.manifest import CoreSystem, Manifest
from runtime.errors import Refused
from runtime.single_flight import SingleFlight
from runtime.strict_json import JsonError, read_result
from runtime.tools.openapi import Contract, Operation
from runtime.tools.schema import ContractError

FRESH_SECONDS = 5.0
"""How long a changed document may stay unseen."""
MAX_DOCUMENT = 4_000_000
TIMEOUT = httpx.Timeout(10.0, connect=2.0)
"""Seconds; also for calls of tools."""


@dataclass(frozen=True)
class ScopedContract:
    """What a scope class reaches: its core system, that system's contract now, and the tools of the class."""

    scope_class: str
    system: CoreSystem
    contract: Contract
    tools: frozenset[str]

    def operation(self, tool: str, effect: str) -> Operation:
        """The operation behind a tool that was declared with this effect.

        Raises ``Refused``: tool_not_granted (not in the scope class), tool_unknown (not in the document, or not
        supported), effect_mismatch (declared a read, and writes).
        """
        if tool not in self.tools:
            raise Refused(
                "tool_not_granted",
                f"the scope class {self.scope_class} does not hold {tool}",
                remedy=f"it holds: {', '.join(sorted(self.tools))}",
            )
        try:
            operation = self.contract.operation(tool)
        except ContractError as error:
            raise Refused(
                "tool_unknown", f"{self.system.openapi}: {error}", remedy="the core system's document must offer it"
            ) from None
        if effect == "read" and not operation.reads_only:
            raise Refused(
                "effect_mismatch",
                f"{tool} is {operation.template}, which writes, and is declared effect: read",
                remedy=f"declare {tool} as effect: write, with calls",
            )
        return operation


def core_client() -> httpx.AsyncClient:
    """The one client that talks to core systems: no redirects, no proxies, no cookies kept between systems."""
    return httpx.AsyncClient(
        timeout=TIMEOUT, follow_redirects=False, trust_env=False, headers={"accept-encoding": "identity"}
    )


class Contracts:
    """Contracts by scope class; a document is fetched at most every ``FRESH_SECONDS``."""

    def __init__(self, manifest: Manifest, http: httpx.AsyncClient) -> None:
        self._systems = {system.name: system for system in manifest.core_systems}
        self._classes = {scope_class.name: scope_class for scope_class in manifest.scope_classes}
        self._http = http
        self._flights: SingleFlight[Contract] = SingleFlight()
        self._cached: dict[str, tuple[bytes, Contract, float]] = {}

    async def of(self, scope_class: str) -> ScopedContract:
        """Raises ``Refused`` (scope_class_unknown, upstream_unavailable, upstream_failed)."""
        declared = self._classes.get(scope_class)
        if declared is None:
            raise Refused(
                "scope_class_unknown",
                f"the stack does not declare the scope class {scope_class!r}",
                remedy=f"it declares: {', '.join(sorted(self._classes)) or 'none'}; others belong in the stack file",
            )
        system = self._systems[declared.core_system]
        contract = await self._contract(system)
        return ScopedContract(scope_class, system, contract, frozenset(declared.tools))

    async def _contract(self, system: CoreSystem) -> Contract:
        cached = self._cached.get(system.name)
        if cached is not None and cached[2] > time.monotonic():
            return cached[1]
        return await self._flights.run(system.name, lambda: self._fetch(system))

    async def _fetch(self, system: CoreSystem) -> Contract:
        content = await self._download(system.openapi)
        name = hashlib.sha256(content).digest()
        known = self._cached.get(system.name)
        try:
            contract = known[1] if known is not None and known[0] == name else Contract(read_result(content))
        except (ContractError, JsonError) as error:
            raise Refused(
                "upstream_failed",
                f"{system.openapi}: {error}",
                remedy=f"the core system {system.name} must be repaired",
            ) from None
        self._cached[system.name] = (name, contract, time.monotonic() + FRESH_SECONDS)
        return contract

    async def _download(self, url: str) -> bytes:
        try:
            status, content = await read_limited(self._http, httpx.Request("GET", url), MAX_DOCUMENT)
        except httpx.RequestError as error:
            raise Refused(
                "upstream_unavailable", f"{url}: {type(error).__name__}", remedy="the core system must be up: try again"
            ) from error
        if status != 200:
            raise Refused(
                "upstream_failed", f"{url}: status {status}, expected 200", remedy="the core system must be up"
            )
        return content


async def read_limited(http: httpx.AsyncClient, request: httpx.Request, limit: int) -> tuple[int, bytes]:
    """Status and content of the answer; raises ``httpx.RequestError``, also when it is above ``limit`` bytes."""
    answer = await http.send(request, stream=True)
    try:
        content = bytearray()
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > limit:
                raise httpx.RemoteProtocolError(f"the answer is above {limit} bytes", request=request)
        return answer.status_code, bytes(content)
    finally:
        await answer.aclose()
