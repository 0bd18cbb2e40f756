"""A client assertion is by the client's own key, for this token endpoint, for a minute."""

import time
from typing import Any

import msgspec
import pytest
from joserfc.jwk import ECKey

from runtime.errors import Refused
from runtime.identity import assertions
from runtime.identity.jws import sign
from tests.fixtures.issuer import KEYS, manifest

ENDPOINT = "http://127.0.0.1:8080/oauth/token"
CLIENTS = {client.id: client for client in manifest("http://127.0.0.1:8080").identities.clients}
NOW = 1_800_000_000


def assertion(*, key: ECKey = KEYS["worker"], header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"iss": "worker", "sub": "worker", "aud": ENDPOINT, "jti": "j", "exp": NOW + 60, **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return sign(header or {}, msgspec.json.encode(kept), key)


def code(of: str) -> str:
    with pytest.raises(Refused) as caught:
        assertions.check(of, CLIENTS, ENDPOINT, lambda: NOW)
    return caught.value.code


def test_what_a_client_makes_is_taken() -> None:
    made = assertions.assert_client("operator", KEYS["operator"], ENDPOINT)
    checked = assertions.check(made, CLIENTS, ENDPOINT)
    assert checked.client == CLIENTS["operator"]
    assert checked.expires >= time.time() + 60


@pytest.mark.parametrize("changes", [{}, {"aud": [ENDPOINT]}, {"iat": NOW, "nbf": NOW}, {"header": {"typ": "JWT"}}])
def test_what_other_clients_may_write_is_taken(changes: dict[str, Any]) -> None:
    assert assertions.check(assertion(**changes), CLIENTS, ENDPOINT, lambda: NOW).client.id == "worker"


def test_an_unknown_client_is_told_so() -> None:
    assert code(assertion(iss="nobody", sub="nobody")) == "client_unknown"


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "operator"},
        {"iss": "operator", "sub": "operator"},
        {"key": KEYS["operator"]},
        {"key": KEYS["issuer"]},
        {"aud": "http://127.0.0.1:8080"},
        {"aud": [ENDPOINT, "https://other.example"]},
        {"aud": []},
        {"exp": NOW - 5},
        {"exp": NOW + 66},
        {"exp": None},
        {"exp": "9"},
        {"iat": NOW + 6},
        {"nbf": NOW + 6},
        {"jti": ""},
        {"jti": None},
        {"header": {"jwk": KEYS["worker"].as_dict(private=False)}},
        {"header": {"jku": "https://attacker.example/jwks.json"}},
    ],
)
def test_an_assertion_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    assert code(assertion(**changes)) == "assertion_invalid"


@pytest.mark.parametrize("garbage", ["", "x", "a.b.c", "é", "\ud800"])
def test_garbage_is_refused(garbage: str) -> None:
    assert code(garbage) == "assertion_invalid"
