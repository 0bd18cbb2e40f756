"""What the issuer says to core systems, and that its key can be changed while tokens are out."""

import time
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from runtime.errors import Refused
from runtime.identity import assertions, dpop
from runtime.identity.issuer import Identity
from runtime.identity.keys import read_jwks
from runtime.identity.tokens import CoreClaims, Verifier
from tests.fixtures.issuer import KEYS, Stack, write_key

ORDERS = "http://127.0.0.1:9001"


def with_keys(stack: Stack, folder: Path, **keys: ECKey) -> Identity:
    """The issuer of the stack as it starts with these key files."""
    folder.mkdir()
    for name, key in keys.items():
        write_key(folder / f"{name.replace('_', '.')}.jwk", key)
    return Identity.load(stack.manifest, folder, stack.pool, stack.grants, stack.ledger)


async def token(identity: Identity) -> str:
    assertion = assertions.assert_client("worker", KEYS["worker"], identity.token_endpoint)
    proof = dpop.prove(KEYS["worker"], "POST", identity.token_endpoint)
    return (await identity.authenticate(assertion, proof)).token


async def test_a_core_token_is_for_one_call_of_one_core_system_by_a_stable_subject(stack: Stack) -> None:
    identity = stack.identity
    keys = read_jwks(identity.keys.jwks())
    sent = identity.core_token(ORDERS, "orders-rw", "t1", "orders.get")
    claims = Verifier(CoreClaims, identity.issuer, ORDERS, lambda: keys).verify(sent)
    assert (claims.sub, claims.txn, claims.tool, claims.exp - claims.iat) == (
        "scope:local:orders-rw",
        "t1",
        "orders.get",
        60,
    )
    assert abs(claims.iat - time.time()) < 60
    again = Verifier(CoreClaims, identity.issuer, ORDERS, lambda: keys).verify(
        identity.core_token(ORDERS, "orders-rw", "t1", "orders.get")
    )
    assert again.jti != claims.jti
    with pytest.raises(Refused, match="token_wrong_audience"):
        Verifier(CoreClaims, identity.issuer, "http://127.0.0.1:9002", lambda: keys).verify(sent)


async def test_after_a_rotation_tokens_of_the_last_key_pass_until_it_is_removed(stack: Stack, tmp_path: Path) -> None:
    old, new = KEYS["issuer"], ECKey.generate_key("P-256")
    before = await token(stack.identity)
    rotated = with_keys(stack, tmp_path / "rotated", issuer=new, issuer_previous=old)
    assert rotated.identity_tokens.verify(before).client_id == "worker"
    after = await token(rotated)
    assert with_keys(stack, tmp_path / "over", issuer=new).identity_tokens.verify(after).client_id == "worker"
    with pytest.raises(Refused, match="token_foreign"):
        with_keys(stack, tmp_path / "over too", issuer=new).identity_tokens.verify(before)


async def test_a_gateway_that_did_not_mint_a_token_takes_it_too(stack: Stack, tmp_path: Path) -> None:
    other = with_keys(stack, tmp_path / "other", issuer=KEYS["issuer"])
    assert other.identity_tokens.verify(await token(stack.identity)).kind == "workload"


async def test_a_replayed_assertion_is_refused_by_another_gateway_process(stack: Stack, tmp_path: Path) -> None:
    other = with_keys(stack, tmp_path / "other", issuer=KEYS["issuer"])
    endpoint = stack.identity.token_endpoint
    assertion = assertions.assert_client("operator", KEYS["operator"], endpoint)
    assert not (await stack.identity.authenticate(assertion, None)).bound
    with pytest.raises(Refused, match="replayed"):
        await other.authenticate(assertion, None)
