"""The secrets that a cluster needs (docs/contract.md §7): drawn once, kept for good, given to pods by one Secret.

What is there is never overwritten. Where a cloud's secret store keeps them, the Secret is filled from it; else the
Secret itself keeps them. Of two that run at once the first to write decides, and the other takes what it wrote.
"""

import base64
import json
import logging
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import httpx
from joserfc.jwk import ECKey

from runtime.api_server import ApiServer
from runtime.provision import ProvisionError
from runtime.provision.access import ORCHESTRATOR, ROLES
from runtime.sessions import FIELD

log = logging.getLogger(__name__)

TRIES = 5
PGPASS, READER = ".pgpass", "agent_reader"
PASSWORD, CA = "password", "database.ca.crt"
"""Of the orchestrator's Secret; the second, the authority of PostgreSQL, is in the runtime's too, for pods that cannot
mount the operator's own."""


def _jwk() -> str:
    key = ECKey.generate_key("P-256")
    return json.dumps({**key.as_dict(private=True), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"})


def _symmetric() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _pgpass(role: str) -> str:
    return f"*:*:*:{role}:{secrets.token_urlsafe(32)}\n"


MAKERS: Mapping[str, Callable[[], str]] = {
    "issuer.jwk": _jwk,
    **{f"{name}.key": _symmetric for name in ("ledger", "subjects", "webhook")},
    **{f"{role}{PGPASS}": partial(_pgpass, role) for role in ROLES},
}
ORCHESTRATORS: Mapping[str, Callable[[], str]] = {f"{ORCHESTRATOR}{PGPASS}": partial(_pgpass, ORCHESTRATOR)}
"""Drawn beside them where Temporal runs on the cluster."""


@dataclass(frozen=True)
class Addresses:
    """``host, port`` of the servers: only there is a role's password given away."""

    primary: tuple[str, int]
    replica: tuple[str, int]

    def line(self, role: str, password: str) -> str:
        host, port = self.replica if role == READER else self.primary
        escaped = (re.sub(r"([\\:])", r"\\\1", text) for text in (host, password))
        return "{0}:{2}:*:{3}:{1}\n".format(*escaped, port, role)


class Store(Protocol):
    """Where secrets are kept for good."""

    async def keep(self, name: str, drawn: str) -> str:
        """What is kept under ``name``; ``drawn`` is, where nothing was. Raises ``ProvisionError``."""
        ...


def password_of(line: str) -> str:
    """Of a pgpass line; raises ``ProvisionError``."""
    fields = [re.sub(r"\\(.)", r"\1", field) for field in FIELD.findall(line.strip())]
    if len(fields) < 5 or not fields[4]:
        raise ProvisionError("a pgpass file without a password is kept: remove it, and another is drawn")
    return fields[4]


class KubernetesSecret:
    """One Secret, written by server-side apply alone. ``http``: of the API."""

    def __init__(self, http: httpx.AsyncClient, namespace: str, name: str) -> None:
        self._http, self._namespace, self._name = http, namespace, name

    async def read(self) -> tuple[dict[str, str], str]:
        """What is in it, and its version, empty where there is none; raises ``ProvisionError``."""
        answer = await self._send("GET")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}, ""
        found = self._told(answer)
        content = {name: base64.b64decode(value).decode() for name, value in (found.get("data") or {}).items()}
        return content, found["metadata"]["resourceVersion"]

    async def add(self, content: Mapping[str, str], version: str) -> bool:
        """Write these keys beside the others; no where somebody else wrote since ``version`` was read.

        Each writer has a name of its own: so it takes nothing away from another, and where neither found a Secret, the
        second one's other values are a conflict. Raises ``ProvisionError``.
        """
        data = {name: base64.b64encode(value.encode()).decode() for name, value in content.items()}
        written = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                **({"resourceVersion": version} if version else {}),
            },
            "type": "Opaque",
            "data": data,
        }
        answer = await self._send(
            "PATCH",
            params={"fieldManager": f"loomstead-{uuid.uuid4()}", "force": "true" if version else "false"},
            headers={"content-type": "application/apply-patch+yaml"},
            content=json.dumps(written),
        )
        if answer.status_code == httpx.codes.CONFLICT:
            return False
        self._told(answer)
        return True

    async def _send(self, method: str, **request: object) -> httpx.Response:
        path = f"/api/v1/namespaces/{self._namespace}/secrets/{self._name}"
        try:
            return await self._http.request(method, path, **request)  # ty: ignore[invalid-argument-type]
        except (httpx.HTTPError, OSError) as error:
            raise ProvisionError(f"the Kubernetes API: {error or type(error).__name__}") from error

    def _told(self, answer: httpx.Response) -> dict[str, dict[str, str]]:
        if answer.is_success:
            return answer.json()
        raise ProvisionError(
            f"Secret {self._namespace}/{self._name}: the Kubernetes API answered {answer.status_code}; "
            "the Job's ServiceAccount needs get, create and patch on this one Secret"
        )


async def fill(
    secret: KubernetesSecret,
    store: Store | None,
    addresses: Addresses,
    ca: str | None,
    makers: Mapping[str, Callable[[], str]] = MAKERS,
) -> dict[str, str]:
    """Everything that ``makers`` names, in the Secret and in the store; what the Secret holds now.

    ``ca``: PEM of PostgreSQL's authority, which goes in too. Raises ``ProvisionError``.
    """

    async def wanted_beside(found: Mapping[str, str]) -> dict[str, str]:
        authority = {} if ca is None else {CA: ca}
        return {**await _wanted(found, store, addresses, makers), **authority}

    return await _write(secret, wanted_beside)


async def hand_over(secret: KubernetesSecret, password: str, ca: str | None) -> None:
    """What the orchestrator signs in to its databases with, in a Secret of its own; raises ``ProvisionError``.

    It is a copy, so it follows.
    """

    async def wanted(_: Mapping[str, str]) -> dict[str, str]:
        return {PASSWORD: password, **({} if ca is None else {CA: ca})}

    await _write(secret, wanted)


async def _write(
    secret: KubernetesSecret, wish: Callable[[Mapping[str, str]], Awaitable[dict[str, str]]]
) -> dict[str, str]:
    for _ in range(TRIES):
        found, version = await secret.read()
        wanted = await wish(found)
        new = {name: value for name, value in wanted.items() if found.get(name) != value}
        if not new:
            return found
        if await secret.add(new, version):
            log.info("written into the Secret: %s", ", ".join(sorted(new)))
            return {**found, **new}
    raise ProvisionError(f"the Secret was written by others {TRIES} times meanwhile; run the Job again")


async def _wanted(
    found: Mapping[str, str], store: Store | None, addresses: Addresses, makers: Mapping[str, Callable[[], str]]
) -> dict[str, str]:
    wanted = {}
    for name, make in makers.items():
        mine = found.get(name) or make()
        kept = await store.keep(name, mine) if store else mine
        role = name.removesuffix(PGPASS)
        if name != role:
            password = password_of(kept)
            _same(name, password, password_of(found[name]) if name in found else password)
            wanted[name] = addresses.line(role, password)
        else:
            _same(name, kept, found.get(name, kept))
            wanted[name] = kept
    return wanted


def _same(name: str, kept: str, found: str) -> None:
    if kept != found:
        raise ProvisionError(
            f"{name}: the secret store and the Kubernetes Secret have different ones; remove the wrong one by hand"
        )


def kubernetes_secret(api: ApiServer, http: httpx.AsyncClient, named: str) -> KubernetesSecret:
    """``named``: ``<namespace>/<name>``, or a name in the pod's own namespace; raises ``StartError``."""
    namespace, _, name = named.rpartition("/")
    return KubernetesSecret(http, namespace or api.namespace, name)
