"""The issuer over HTTP, and who calls: the dependencies by which every other router learns its caller.

Refusals are problem+json with OAuth's ``error`` beside (RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 9396 §5, RFC 9449 §5).
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from msgspec import UNSET

from runtime.errors import Refused
from runtime.grants.details import Details, read_details
from runtime.identity import assertions, documents
from runtime.identity.grant_types import ACCESS_TOKEN, CLIENT_CREDENTIALS, GRANT, JWT, TOKEN_EXCHANGE
from runtime.identity.issuer import Identity, Minted, proof_missing
from runtime.identity.tokens import IdentityClaims, TaskClaims
from runtime.strict_json import JsonError, read_arguments

MAX_FORM_BYTES = 65_536

# RFC 8693 §2.2.2 has invalid_request for a subject or actor token that is invalid or unacceptable, so it is the rest.
_OAUTH_ERRORS = {
    "client_unknown": "invalid_client",
    "assertion_invalid": "invalid_client",
    "proof_missing": "invalid_dpop_proof",
    "proof_invalid": "invalid_dpop_proof",
    "widening_refused": "invalid_authorization_details",
    "token_checks_spent": "temporarily_unavailable",
    "database_unavailable": "temporarily_unavailable",
    "upstream_unavailable": "temporarily_unavailable",
}

router = APIRouter()


@router.get(f"/{documents.DISCOVERY}")
async def discovery(request: Request) -> dict[str, Any]:
    """What a client needs to know of the issuer."""
    identity = _identity(request)
    return documents.discovery(identity.issuer, identity.token_endpoint)


@router.get(f"/{documents.JWKS}")
async def jwks(request: Request) -> dict[str, Any]:
    """The issuer's public keys, the current first."""
    return _identity(request).keys.jwks()


@router.post("/oauth/token")
async def token(request: Request) -> JSONResponse:
    """Identity tokens by client assertion, task tokens by exchange."""
    try:
        form = await _form(request)
        answer = await _grant_type(form)(request, form)
    except Refused as refusal:
        refusal.extra.setdefault("error", _OAUTH_ERRORS.get(refusal.code, "invalid_request"))
        raise
    return JSONResponse(answer, headers={"cache-control": "no-store"})


async def person(request: Request) -> IdentityClaims:
    """The person who calls; raises ``Refused`` (token_*, proof_*, replayed, kind_not_allowed)."""
    return await _caller(request, "person")


async def worker(request: Request) -> IdentityClaims:
    """The workload that calls; raises ``Refused`` (token_*, proof_*, replayed, kind_not_allowed)."""
    return await _caller(request, "workload")


async def task(request: Request) -> TaskClaims:
    """The task whose token is sent, its grant alive; raises ``Refused`` (token_*, proof_*, replayed, deadline_passed).

    A proof is checked where one is sent: after this, a header ``DPoP`` is a valid one. Models and plain reads go
    without (a stock client cannot make one).
    """
    scheme, sent = _authorization(request)
    claims = _identity(request).task_tokens.verify(sent)
    await _check_proof(request, sent, claims.cnf.jkt, demanded=scheme == "dpop")
    await request.app.state.gateway.grants.current(claims.txn)
    return claims


async def _caller(request: Request, kind: str) -> IdentityClaims:
    _, sent = _authorization(request)
    claims = _identity(request).identity_tokens.verify(sent)
    if claims.cnf is not UNSET:
        await _check_proof(request, sent, claims.cnf.jkt, demanded=True)
    if claims.kind != kind:
        raise Refused(
            "kind_not_allowed",
            f"{request.url.path} is for a {kind}, {claims.sub} is a {claims.kind}",
            remedy=f"call it as a {kind}",
        )
    return claims


async def _check_proof(request: Request, sent: str, jkt: str, *, demanded: bool) -> None:
    proof = _proof(request)
    if proof is not None:
        identity = _identity(request)
        # The gateway's own URL, never the Host header: that is the caller's to choose.
        url = identity.url + request.scope["raw_path"].decode("latin-1")
        await identity.prove(proof, request.method, url, sent, jkt)
    elif demanded:
        raise proof_missing("this token is bound to a key")


def _grant_type(form: dict[str, str]) -> Callable[[Request, dict[str, str]], Awaitable[dict[str, Any]]]:
    handlers = {CLIENT_CREDENTIALS: _authenticate, TOKEN_EXCHANGE: _exchange}
    handler = handlers.get(_required(form, "grant_type"))
    if handler is None:
        raise _form_refused(f"grant_type must be one of {', '.join(handlers)}", error="unsupported_grant_type")
    return handler


async def _authenticate(request: Request, form: dict[str, str]) -> dict[str, Any]:
    if form.get("client_assertion_type") != assertions.TYPE:
        raise _form_refused(f"client_assertion_type must be {assertions.TYPE}")
    minted = await _identity(request).authenticate(_required(form, "client_assertion"), _proof(request))
    return _answer(minted)


async def _exchange(request: Request, form: dict[str, str]) -> dict[str, Any]:
    identity = _identity(request)
    for name, expected in (("subject_token_type", GRANT), ("actor_token_type", ACCESS_TOKEN)):
        if form.get(name) != expected:
            raise _form_refused(f"{name} must be {expected}")
    for name, expected in (
        ("requested_token_type", JWT),
        ("audience", identity.task_audience),
        ("resource", identity.task_audience),
    ):
        if form.get(name, expected) != expected:
            raise _form_refused(f"{name} can only be {expected}", error="invalid_target")
    minted = await identity.exchange(
        _required(form, "subject_token"), _required(form, "actor_token"), _proof(request), _requested(form)
    )
    return {**_answer(minted), "issued_token_type": JWT}


def _requested(form: dict[str, str]) -> Details | None:
    text = form.get("authorization_details")
    if text is None:
        return None
    try:
        return read_details(read_arguments(text))
    except (JsonError, msgspec.ValidationError) as error:
        raise _form_refused(f"authorization_details: {error}", error="invalid_authorization_details") from None


def _answer(minted: Minted) -> dict[str, Any]:
    kind = "DPoP" if minted.bound else "Bearer"
    return {"access_token": minted.token, "token_type": kind, "expires_in": minted.seconds}


def _authorization(request: Request) -> tuple[str, str]:
    """Scheme in lower case, and token."""
    values = request.headers.getlist("authorization")
    scheme, _, sent = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() not in ("bearer", "dpop") or not sent:
        raise Refused(
            "token_missing",
            "one header Authorization with scheme Bearer or DPoP is needed",
            remedy="get a token at /oauth/token",
        )
    return scheme.lower(), sent.strip()


def _proof(request: Request) -> str | None:
    values = request.headers.getlist("dpop")
    if len(values) > 1:
        raise Refused("proof_invalid", "more than one DPoP header came", remedy="send exactly one")
    return values[0] if values else None


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise _form_refused("the body must be application/x-www-form-urlencoded")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise Refused("body_too_large", f"the form is above {MAX_FORM_BYTES} bytes", remedy="ask for fewer tools")
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise _form_refused("the body is not a form of at most 20 fields") from None
    if len(dict(pairs)) != len(pairs):
        raise _form_refused("a field stands twice")
    return dict(pairs)


def _required(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        raise _form_refused(f"{name} is missing")
    return form[name]


def _form_refused(detail: str, *, error: str = "invalid_request") -> Refused:
    return Refused("body_invalid", detail, remedy="see docs/contract.md, section 6", error=error)


def _identity(request: Request) -> Identity:
    return request.app.state.gateway.identity
