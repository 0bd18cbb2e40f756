"""How worker and command line get tokens and prove that they hold the key:

    identity = IdentityClient(http, gateway, "worker", key)
    await http.get(f"{gateway}/tasks/{txn}/context", auth=identity.auth())           as the worker, or the person
    await http.post(f"{gateway}/tools/{tool}", auth=identity.task_auth(txn), …)      as the task

A token is kept until 30 s before it expires; one that the gateway refuses earlier is replaced once, within the request.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from joserfc.jwk import ECKey

from runtime.errors import CODES, Refused
from runtime.identity import assertions, dpop
from runtime.identity.grant_types import ACCESS_TOKEN, CLIENT_CREDENTIALS, GRANT, TOKEN_EXCHANGE
from runtime.single_flight import SingleFlight

EARLY_SECONDS = 30
KEPT = 1024
"""Tokens at most; the oldest goes first."""

_OWN = ""
"""The cache's name for the identity token; task tokens have their txn."""
_PROBLEM = frozenset({"type", "title", "status", "code", "detail", "rule", "remedy"})


@dataclass(frozen=True)
class _Token:
    text: str
    until: float


class ProvenAuth(httpx.Auth):
    """Headers ``Authorization`` and ``DPoP`` for each request; without ``key`` a plain bearer token."""

    def __init__(self, token: Callable[[], Awaitable[str]], forget: Callable[[str], None], key: ECKey | None) -> None:
        self._token, self._forget, self._key = token, forget, key

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._token()
        response = yield self._signed(request, token)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._forget(token)
            yield self._signed(request, await self._token())

    def _signed(self, request: httpx.Request, token: str) -> httpx.Request:
        if self._key is None:
            request.headers["authorization"] = f"Bearer {token}"
        else:
            request.headers["authorization"] = f"DPoP {token}"
            request.headers["dpop"] = dpop.prove(self._key, request.method, str(request.url), token)
        return request


class IdentityClient:
    """The tokens of one client of the Manifest. Not thread-safe: one for each event loop.

    ``gateway``: its URL. ``key``: what tokens are bound to, and what signs assertions where ``assertion`` gives none.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        gateway: str,
        client: str,
        key: ECKey,
        clock: Callable[[], float] = time.monotonic,
        assertion: Callable[[], str] | None = None,
    ) -> None:
        self._http, self._endpoint, self._key = http, f"{gateway}/oauth/token", key
        self._assertion = assertion or (lambda: assertions.assert_client(client, key, self._endpoint))
        self._clock = clock
        self._flights: SingleFlight[str] = SingleFlight()
        self._tokens: dict[str, _Token] = {}

    def auth(self) -> httpx.Auth:
        """To call as oneself."""
        return ProvenAuth(self.identity_token, self._forget, self._key)

    def task_auth(self, txn: str, *, prove: bool = True) -> httpx.Auth:
        """To call as a task. Models and plain reads may go without a proof, which saves the gateway a write."""
        return ProvenAuth(lambda: self.task_token(txn), self._forget, self._key if prove else None)

    async def identity_token(self) -> str:
        """Raises ``Refused``, ``httpx.TransportError``."""
        return self._kept(_OWN) or await self._flights.run(_OWN, self._authenticate)

    async def task_token(self, txn: str) -> str:
        """Raises ``Refused``, ``httpx.TransportError``."""
        return self._kept(txn) or await self._flights.run(txn, lambda: self._exchange(txn))

    def _kept(self, name: str) -> str | None:
        token = self._tokens.get(name)
        return token.text if token and self._clock() < token.until else None

    def _forget(self, text: str) -> None:
        self._tokens = {name: token for name, token in self._tokens.items() if token.text != text}

    async def _authenticate(self) -> str:
        return await self._fetch(
            _OWN,
            grant_type=CLIENT_CREDENTIALS,
            client_assertion_type=assertions.TYPE,
            client_assertion=self._assertion(),
        )

    async def _exchange(self, txn: str) -> str:
        try:
            return await self._fetch(
                txn,
                grant_type=TOKEN_EXCHANGE,
                subject_token=txn,
                subject_token_type=GRANT,
                actor_token=await self.identity_token(),
                actor_token_type=ACCESS_TOKEN,
            )
        except Refused:
            self._tokens.pop(_OWN, None)  # it may be the cause: the next attempt comes with a new one
            raise

    async def _fetch(self, name: str, **form: str) -> str:
        asked = self._clock()
        response = await self._http.post(
            self._endpoint, data=form, headers={"dpop": dpop.prove(self._key, "POST", self._endpoint)}
        )
        if response.status_code != httpx.codes.OK:
            raise refusal(response)
        answer = response.json()
        if len(self._tokens) >= KEPT:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[name] = _Token(answer["access_token"], asked + answer["expires_in"] - EARLY_SECONDS)
        return answer["access_token"]


def refusal(response: httpx.Response) -> Refused:
    """The ``Refused`` that a problem document of the gateway says; ``upstream_failed`` where it says none."""
    problem = _problem(response)
    if problem.get("code") not in CODES:
        return Refused(
            "upstream_failed",
            f"{response.request.url} answered {response.status_code} without a problem document",
            remedy="is it the gateway of this stack? `loomstead status` says",
        )
    extra = {name: value for name, value in problem.items() if name not in _PROBLEM}
    return Refused(problem["code"], problem["detail"], remedy=problem["remedy"], rule=problem["rule"], **extra)


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) and problem.keys() >= _PROBLEM else {}
