"""Who may have which token: the issuer of a stack, as the gateway holds it (``gateway.identity``).

Identity.authenticate   client assertion -> identity token   (RFC 6749 §4.4, RFC 7523)
Identity.exchange       grant + identity token -> task token (RFC 8693)
Identity.core_token     the gateway's own token for one call of a core system
Identity.prove          is a request's DPoP proof its token holder's (RFC 9449)
"""

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from msgspec import UNSET

from regions.manifest import Client, Manifest
from runtime.api_server import ApiServer
from runtime.errors import Refused
from runtime.grants.details import Details, narrow
from runtime.grants.grant import Grant, Grants, Ledger
from runtime.identity import assertions, dpop, tokens
from runtime.identity.keys import IssuerKeys
from runtime.identity.service_accounts import ServiceAccounts, read_published
from runtime.identity.tokens import (
    Actor,
    Agent,
    C,
    Confirmation,
    CoreClaims,
    IdentityClaims,
    TaskClaims,
    TaskFacts,
    Verifier,
)
from runtime.identity.used import UsedIds
from runtime.ledger.record import Decision, Entry, Kind

IDENTITY_SECONDS = 600
CORE_SECONDS = 60
MAX_TASK_SECONDS = 300
"""Whatever the stack's limits say."""


@dataclass(frozen=True)
class Minted:
    """A token and for how many seconds it is valid."""

    token: str
    seconds: int
    bound: bool


class Identity:
    """The issuer and its verifiers."""

    def __init__(
        self, manifest: Manifest, keys: IssuerKeys, pool: asyncpg.Pool, grants: Grants, ledger: Ledger
    ) -> None:
        self.issuer = manifest.identities.issuer
        self.url = manifest.endpoints.gateway
        """Where it answers; the issuer's name is another one where its documents are published elsewhere."""
        self.token_endpoint = f"{self.url}/oauth/token"
        self.task_audience = f"{self.issuer}/tools"
        self.keys = keys
        self.identity_tokens = Verifier(IdentityClaims, self.issuer, self.issuer, lambda: keys.accepted)
        self.task_tokens = Verifier(TaskClaims, self.issuer, self.task_audience, lambda: keys.accepted)
        self._stack, self._limits = manifest.stack, manifest.limits
        self._clients: dict[str, Client] = {client.id: client for client in manifest.identities.clients}
        self._pool, self._grants, self._ledger = pool, grants, ledger
        self._used = UsedIds(pool)
        self._accounts = ServiceAccounts(
            manifest.identities.clients, self.issuer, read_published(ApiServer.from_environment())
        )

    @classmethod
    def load(cls, manifest: Manifest, folder: Path, pool: asyncpg.Pool, grants: Grants, ledger: Ledger) -> "Identity":
        """With the keys of the secrets folder; raises ``StartError``."""
        return cls(manifest, IssuerKeys.load(folder), pool, grants, ledger)

    async def authenticate(self, assertion: str, proof: str | None) -> Minted:
        """An identity token for the client that made the assertion, bound to the key of the DPoP proof.

        Raises ``Refused`` (client_unknown, assertion_invalid, proof_missing, proof_invalid, replayed,
        upstream_unavailable).
        """
        asserted = None
        if self._accounts.made(assertion):
            client = await self._accounts.check(assertion)
        else:
            asserted = assertions.check(assertion, self._clients, self.token_endpoint)
            client = asserted.client
        if proof is None and client.kind == "workload":
            raise proof_missing("a workload's token is bound to its key")
        jkt = None if proof is None else await self.prove(proof, "POST", self.token_endpoint)
        if asserted:
            await self._used.spend(f"client {client.id}", asserted.jti, asserted.expires)
        now = int(time.time())
        claims = IdentityClaims(
            iss=self.issuer,
            aud=self.issuer,
            sub=client.subject,
            client_id=client.id,
            kind=client.kind,
            jti=_jti(),
            iat=now,
            nbf=now,
            exp=now + IDENTITY_SECONDS,
            cnf=UNSET if jkt is None else Confirmation(jkt),
        )
        return self._mint(self.identity_tokens, claims, bound=jkt is not None)

    async def exchange(self, txn: str, actor_token: str, proof: str | None, requested: Details | None) -> Minted:
        """A task token for the grant's worker, with ``requested`` or all of what the grant holds.

        Raises ``Refused`` (token_*, kind_not_allowed, proof_missing, proof_invalid, replayed, task_unknown,
        actor_not_allowed, deadline_passed, widening_refused).
        """
        actor = self.identity_tokens.verify(actor_token)
        if actor.kind != "workload" or actor.cnf is UNSET:
            raise Refused("kind_not_allowed", "only workloads act for tasks", remedy="exchange as the stack's worker")
        if proof is None:
            raise proof_missing("a task token is bound to its worker's key")
        await self.prove(proof, "POST", self.token_endpoint, jkt=actor.cnf.jkt)
        async with self._pool.acquire() as conn, conn.transaction():
            grant = await self._grants.load(conn, txn, lock=True)
            if actor.sub != grant.may_act:
                raise Refused(
                    "actor_not_allowed",
                    f"{actor.sub} may not act for task {txn}",
                    remedy=f"the task's own worker is {grant.may_act}",
                )
            grant.check_alive()
            details = grant.authorization_details
            details = details if requested is None else narrow(details, requested)
            seq = await conn.fetchval(
                "UPDATE grants SET token_seq = token_seq + 1 WHERE txn = $1 RETURNING token_seq", txn
            )
            claims = self._task_claims(grant, details, seq, actor.cnf)
            await self._ledger.append(_issued(claims, actor.sub), conn=conn)
        return self._mint(self.task_tokens, claims, bound=True)

    async def prove(self, proof: str, method: str, url: str, token: str | None = None, jkt: str | None = None) -> str:
        """Check a DPoP proof and spend its jti; the thumbprint of its key. Raises ``Refused``."""
        checked = dpop.check(proof, method, url, token, jkt)
        await self._used.spend(f"key {checked.jkt}", checked.jti, checked.expires)
        return checked.jkt

    def core_token(self, core_system_url: str, scope_class: str, txn: str, tool: str) -> str:
        """A token for one call of one core system; its subject is the scope class, stable over tasks."""
        now = int(time.time())
        claims = CoreClaims(
            iss=self.issuer,
            aud=core_system_url,
            sub=f"scope:{self._stack}:{scope_class}",
            txn=txn,
            tool=tool,
            jti=_jti(),
            iat=now,
            nbf=now,
            exp=now + CORE_SECONDS,
        )
        return tokens.mint(claims, self.keys.signing)

    def _task_claims(self, grant: Grant, details: Details, seq: int, cnf: Confirmation) -> TaskClaims:
        now, deadline = int(time.time()), int(grant.deadline.timestamp())
        return TaskClaims(
            iss=self.issuer,
            aud=self.task_audience,
            sub=grant.subject,
            act=Agent(grant.agent_subject, Actor(grant.may_act)),
            txn=grant.txn,
            jti=_jti(),
            iat=now,
            nbf=now,
            exp=min(now + min(self._limits.token_seconds, MAX_TASK_SECONDS), deadline),
            cnf=cnf,
            authorization_details=details,
            task=TaskFacts(grant.class_, grant.tenant, seq, grant.max_steps, deadline, grant.policy_digest),
        )

    def _mint(self, verifier: Verifier[C], claims: C, *, bound: bool) -> Minted:
        token = tokens.mint(claims, self.keys.signing)
        verifier.remember(token, claims)
        return Minted(token, claims.exp - claims.iat, bound)


def proof_missing(why: str) -> Refused:
    """The refusal of a request without a DPoP header."""
    return Refused("proof_missing", f"no DPoP proof came: {why}", remedy="send the header DPoP (RFC 9449)")


def _issued(claims: TaskClaims, actor: str) -> Entry:
    body = {"jti": claims.jti, "seq": claims.task.seq, "exp": claims.exp}
    return Entry(
        txn=claims.txn,
        kind=Kind.TOKEN_ISSUED,
        actor=actor,
        decision=Decision.ALLOWED,
        policy=claims.task.policy,
        body=body,
    )


def _jti() -> str:
    return secrets.token_urlsafe(16)
