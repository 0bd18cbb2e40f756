"""A proof is for one request, one token, one key, one minute."""

import base64
import json
import time
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from runtime.errors import Refused
from runtime.identity import dpop
from runtime.identity.jws import sign

KEY, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
URL = "http://127.0.0.1:8080/tools/orders.refund"
TOKEN = "a.b.c"


def proof(*, header: dict[str, Any] | None = None, key: ECKey = KEY, **changes: Any) -> str:
    claims = {
        "htm": "POST",
        "htu": URL,
        "iat": int(time.time()),
        "jti": "j",
        "ath": base64.urlsafe_b64encode(sha256(TOKEN.encode()).digest()).rstrip(b"=").decode(),
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return sign(
        {"typ": "dpop+jwt", "jwk": KEY.as_dict(private=False), **(header or {})}, msgspec.json.encode(kept), key
    )


def check(of: str, **changes: Any) -> dpop.Proof:
    request: dict[str, Any] = {"method": "POST", "url": URL, "token": TOKEN, "jkt": KEY.thumbprint(), **changes}
    return dpop.check(of, **request)


def refused(of: str, **changes: Any) -> str:
    with pytest.raises(Refused) as caught:
        check(of, **changes)
    assert caught.value.code == "proof_invalid"
    return caught.value.detail


def test_a_proof_for_the_request_is_taken_and_names_its_key() -> None:
    made = dpop.prove(KEY, "POST", URL, TOKEN)
    assert check(made).jkt == KEY.thumbprint()
    assert "d" not in json.loads(base64.urlsafe_b64decode(made.split(".")[0] + "=="))["jwk"]
    assert check(dpop.prove(KEY, "POST", URL), token=None, jkt=None).jkt == KEY.thumbprint()


def test_each_proof_has_an_id_of_its_own() -> None:
    assert check(dpop.prove(KEY, "POST", URL, TOKEN)).jti != check(dpop.prove(KEY, "POST", URL, TOKEN)).jti


@pytest.mark.parametrize(
    "htu",
    [
        URL,
        "HTTP://127.0.0.1:8080/tools/orders.refund",
        URL + "?query=1#fragment",
    ],
)
def test_addresses_are_compared_without_query_and_fragment(htu: str) -> None:
    assert check(proof(htu=htu)).jti == "j"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://Gateway.Example:443/a", "https://gateway.example/a"),
        ("http://gateway.example:80", "http://gateway.example/"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a?b"),
    ],
)
def test_two_spellings_of_an_address_are_one(one: str, other: str) -> None:
    assert dpop.normalised(one) == dpop.normalised(other)


@pytest.mark.parametrize(
    "htu",
    [
        "http://127.0.0.1:8080/tools/orders.cancel",
        "http://127.0.0.1:8080/tools/orders.refund/",
        "http://127.0.0.1:8080/tools/orders%2Erefund",
        "http://127.0.0.1:8080/tools/Orders.refund",
        "http://127.0.0.1:8081/tools/orders.refund",
        "http://127.0.0.1/tools/orders.refund",
        "https://127.0.0.1:8080/tools/orders.refund",
        "http://attacker.example:8080/tools/orders.refund",
        "/tools/orders.refund",
        "http://[",
        "http://127.0.0.1:99999/tools/orders.refund",
        "",
    ],
)
def test_a_proof_for_another_address_is_refused(htu: str) -> None:
    assert f"it is not for {URL}" in refused(proof(htu=htu))


@pytest.mark.parametrize("htm", ["GET", "post", ""])
def test_a_proof_for_another_method_is_refused(htm: str) -> None:
    assert "method POST" in refused(proof(htm=htm))


@pytest.mark.parametrize(("shift", "fits"), [(-60, True), (-61, False), (60, True), (61, False)])
def test_clocks_may_differ_by_a_minute(shift: int, fits: bool) -> None:
    now = int(time.time())
    made = proof(iat=now + shift)
    if fits:
        # Remembered for as long as any gateway would take it.
        assert check(made, clock=lambda: now).expires == now + shift + 60
    else:
        assert "61 s away" in refused(made, clock=lambda: now)


def test_a_proof_for_another_token_or_for_none_is_refused() -> None:
    assert "its ath" in refused(proof(), token="other")
    assert "its ath" in refused(proof(ath=None))


def test_a_proof_by_another_key_than_the_tokens_is_refused() -> None:
    other = dpop.prove(OTHER, "POST", URL, TOKEN)
    assert "by another key" in refused(other)


def test_a_proof_that_names_the_right_key_but_is_signed_by_another_is_refused() -> None:
    assert "signature" in refused(proof(key=OTHER))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "task+jwt"},
        {"jwk": None},
        {"jwk": {}},
        {"jwk": "EC"},
        {"jwk": KEY.as_dict(private=True)},
        {"jwk": ECKey.generate_key("P-384").as_dict(private=False)},
        {"jwk": {**KEY.as_dict(private=False), "use": "enc"}},
        {"jwk": {**KEY.as_dict(private=False), "alg": "ES384"}},
        {"jwk": OctKey.generate_key(256).as_dict(private=True)},
        {"kid": KEY.thumbprint()},
        {"jku": "https://attacker.example/jwks.json"},
        {"x5c": ["MIIB"]},
    ],
)
def test_a_header_of_another_form_is_refused(header: dict[str, Any]) -> None:
    segment = base64.urlsafe_b64encode(
        json.dumps({"alg": "ES256", "typ": "dpop+jwt", "jwk": KEY.as_dict(private=False), **header}).encode()
    ).rstrip(b"=")
    signing_input = f"{segment.decode()}.{proof().split('.')[1]}"
    signature = jws.JWSRegistry.algorithms["ES256"].sign(signing_input.encode(), KEY)
    refused(f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


@pytest.mark.parametrize(
    "changes", [{"jti": None}, {"jti": ""}, {"iat": None}, {"iat": "now"}, {"htu": None}, {"htm": 1}]
)
def test_a_claim_that_is_missing_or_of_another_type_is_refused(changes: dict[str, Any]) -> None:
    refused(proof(**changes))


@pytest.mark.parametrize("garbage", ["", "x", "..", "é.é.é", "\ud800", "a" * 20_000])
def test_garbage_is_refused(garbage: str) -> None:
    assert "cannot be read" in refused(garbage)
