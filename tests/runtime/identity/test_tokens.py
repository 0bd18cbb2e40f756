"""A token is taken only as it was minted: the attacks of security.md §7 on tokens, and what a cache may not change."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from msgspec import structs, to_builtins

from runtime.errors import Refused
from runtime.identity import jws as reader
from runtime.identity import tokens
from runtime.identity.keys import public_half, public_jwk
from runtime.identity.tokens import (
    Actor,
    Agent,
    Confirmation,
    CoreClaims,
    IdentityClaims,
    TaskClaims,
    TaskFacts,
    Verifier,
    mint,
)
from tests.fixtures.issuer import DETAILS, POLICY

ISSUER = "http://127.0.0.1:8080"
AUDIENCE = f"{ISSUER}/tools"
NOW = 1_800_000_000
KEY, PREVIOUS, FOREIGN = (ECKey.generate_key("P-256") for _ in range(3))
ACCEPTED = {key.thumbprint(): public_half(key) for key in (KEY, PREVIOUS)}
CLAIMS = TaskClaims(
    iss=ISSUER,
    aud=AUDIENCE,
    sub="trigger:order-desk/mail",
    act=Agent("spiffe://local.loomstead/agent/order-desk/v1", Actor("spiffe://local.loomstead/worker")),
    txn="01J",
    jti="j",
    iat=NOW,
    nbf=NOW,
    exp=NOW + 300,
    cnf=Confirmation("k"),
    authorization_details=DETAILS,
    task=TaskFacts("order-desk", "local", 1, 10, NOW + 3600, POLICY),
)
IDENTITY = IdentityClaims(
    iss=ISSUER, aud=AUDIENCE, sub="s", client_id="worker", kind="workload", jti="j", iat=NOW, nbf=NOW, exp=NOW + 60
)
CORE = CoreClaims(
    iss=ISSUER,
    aud=AUDIENCE,
    sub="scope:local:orders-rw",
    txn="01J",
    tool="orders.get",
    jti="j",
    iat=NOW,
    nbf=NOW,
    exp=NOW + 60,
)
TOKEN = mint(CLAIMS, KEY)
HEADER, PAYLOAD, SIGNATURE = TOKEN.split(".")


def verifier(clock: Callable[[], float] = lambda: NOW) -> Verifier[TaskClaims]:
    return Verifier(TaskClaims, ISSUER, AUDIENCE, lambda: ACCEPTED, clock)


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(segment: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(segment + "=="))


def signed(claims: Any = None, *, key: ECKey = KEY, **header: Any) -> str:
    """A token that the key really signed, with other header or claims (an object, or its bytes)."""
    content = claims if isinstance(claims, bytes) else json.dumps(claims or decoded(PAYLOAD)).encode()
    return raw(
        json.dumps({"alg": "ES256", "typ": "task+jwt", "kid": key.thumbprint(), **header}).encode(), content, key
    )


def raw(header: bytes, payload: bytes, key: ECKey = KEY) -> str:
    signing_input = f"{b64(header)}.{b64(payload)}"
    signature = jws.JWSRegistry.algorithms["ES256"].sign(signing_input.encode(), key)
    return f"{signing_input}.{b64(signature)}"


def code(token: str | bytes, by: Verifier[Any] | None = None) -> str:
    with pytest.raises(Refused) as caught:
        (by or verifier()).verify(token)
    return caught.value.code


def test_a_minted_token_has_exactly_the_claims_of_the_contract() -> None:
    assert decoded(HEADER) == {"alg": "ES256", "typ": "task+jwt", "kid": KEY.thumbprint()}
    assert list(decoded(PAYLOAD)) == [
        *("iss", "aud", "sub", "act", "txn", "jti", "iat", "nbf", "exp", "cnf", "authorization_details", "task")
    ]
    assert decoded(PAYLOAD)["act"] == {
        "sub": "spiffe://local.loomstead/agent/order-desk/v1",
        "act": {"sub": "spiffe://local.loomstead/worker"},
    }
    assert list(decoded(PAYLOAD)["task"]) == ["class", "tenant", "seq", "max_steps", "deadline", "policy"]
    assert decoded(PAYLOAD)["authorization_details"][0]["args"]["order_id"] == {
        "from": "orders.get#/id",
        "trust": "internal",
    }


@pytest.mark.parametrize("key", [KEY, PREVIOUS])
def test_what_was_minted_by_the_current_or_the_previous_key_is_verified(key: ECKey) -> None:
    assert verifier().verify(mint(CLAIMS, key)) == CLAIMS
    assert verifier().verify(mint(CLAIMS, key).encode()) == CLAIMS


def hs256(key: bytes, header: dict[str, Any]) -> str:
    signing_input = f"{b64(json.dumps(header).encode())}.{PAYLOAD}"
    return f"{signing_input}.{b64(hmac.digest(key, signing_input.encode(), hashlib.sha256))}"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "HS256", "ES384", "RS256", "es256", "", None, 7, ["ES256"]])
def test_another_algorithm_is_refused_whatever_the_signature(alg: Any) -> None:
    header = {"alg": alg, "typ": "task+jwt", "kid": KEY.thumbprint()}
    segment = b64(json.dumps(header).encode())
    public = public_half(KEY)
    forged = [
        f"{segment}.{PAYLOAD}.",
        f"{segment}.{PAYLOAD}.{SIGNATURE}",
        raw(json.dumps(header).encode(), base64.urlsafe_b64decode(PAYLOAD + "==")),
        *(hs256(secret, header) for secret in (public.as_pem(), public.as_der(), json.dumps(public_jwk(KEY)).encode())),
    ]
    assert {code(token) for token in forged} == {"token_malformed"}


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": public_jwk(FOREIGN)},
        {"jku": "https://attacker.example/jwks.json"},
        {"x5u": "https://attacker.example/cert.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "AA"},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"anything": 1},
    ],
)
@pytest.mark.parametrize("key", [KEY, FOREIGN])
def test_a_header_may_not_bring_keys_or_rules(extra: dict[str, Any], key: ECKey) -> None:
    assert code(signed(key=key, **extra)) == "token_malformed"


@pytest.mark.parametrize(
    "kid",
    [
        FOREIGN.thumbprint(),
        "",
        "../issuer.jwk",
        "' OR 1=1 --",
        KEY.thumbprint() + "\n",
        None,
        1,
        [],
        {},
        [KEY.thumbprint()],
    ],
    ids=range(10),
)
def test_a_kid_chooses_among_the_issuers_own_keys_only(kid: Any) -> None:
    assert code(signed(key=FOREIGN, kid=kid)) == "token_foreign"


def test_a_foreign_key_under_a_known_kid_is_no_match() -> None:
    assert code(signed(key=FOREIGN, kid=KEY.thumbprint())) == "token_tampered"
    assert code(signed(key=PREVIOUS, kid=KEY.thumbprint())) == "token_tampered"


def test_a_token_of_another_issuer_is_foreign() -> None:
    assert code(mint(CLAIMS, FOREIGN)) == "token_foreign"
    assert code(mint(structs.replace(CLAIMS, iss="https://issuer.example"), KEY)) == "token_foreign"


@pytest.mark.parametrize("aud", ["http://127.0.0.1:9001", ISSUER, f"{AUDIENCE}/", "sts.amazonaws.com", ""])
def test_a_token_for_somebody_else_is_refused(aud: str) -> None:
    assert code(mint(structs.replace(CLAIMS, aud=aud), KEY)) == "token_wrong_audience"


def test_a_list_of_audiences_is_not_taken() -> None:
    assert code(signed({**decoded(PAYLOAD), "aud": [AUDIENCE, "https://other.example"]})) == "token_malformed"


def test_the_three_kinds_of_token_do_not_stand_in_for_each_other() -> None:
    kinds: tuple[Any, ...] = (IDENTITY, CORE, CLAIMS)
    for wanted in kinds:
        own = Verifier(type(wanted), ISSUER, AUDIENCE, lambda: ACCEPTED, lambda: NOW)
        assert own.verify(mint(wanted, KEY)) == wanted
        others = [claims for claims in kinds if claims is not wanted]
        assert {code(mint(claims, KEY), own) for claims in others} == {"token_wrong_audience"}
        # Relabelled by somebody who has the key, the claims still do not fit.
        relabelled = {signed(to_builtins(claims), typ=wanted.typ) for claims in others}
        assert {code(token, own) for token in relabelled} == {"token_malformed"}


def test_t1_is_refused_by_a_core_system_and_the_core_token_by_the_gateway() -> None:
    core_system = Verifier(CoreClaims, ISSUER, "http://127.0.0.1:9001", lambda: ACCEPTED, lambda: NOW)
    assert code(TOKEN, core_system) == "token_wrong_audience"
    core = structs.replace(CORE, aud="http://127.0.0.1:9001")
    assert core_system.verify(mint(core, KEY)) == core
    assert code(mint(core, KEY)) == "token_wrong_audience"


@pytest.mark.parametrize("typ", ["JWT", "TASK+JWT", "application/task+jwt", "", None, 1])
def test_another_type_is_refused(typ: Any) -> None:
    assert code(signed(typ=typ)) == "token_wrong_audience"


@pytest.mark.parametrize(
    ("shift", "outcome"), [(-5, "ok"), (-6, "token_expired"), (0, "ok"), (304, "ok"), (305, "token_expired")]
)
def test_time_is_checked_with_five_seconds_of_leeway(shift: int, outcome: str) -> None:
    fresh, primed = verifier(lambda: NOW + shift), verifier(lambda: NOW + shift)
    primed.remember(TOKEN, CLAIMS)
    if outcome == "ok":
        assert fresh.verify(TOKEN) == CLAIMS
    else:
        assert code(TOKEN, fresh) == outcome
    assert shift < 0 or (code(TOKEN, primed) == outcome if outcome != "ok" else primed.verify(TOKEN) == CLAIMS)


def test_a_cached_token_dies_when_it_expires() -> None:
    now = [NOW]
    own = verifier(lambda: now[0])
    own.verify(TOKEN)
    now[0] = NOW + 305
    assert [code(TOKEN, own) for _ in range(2)] == ["token_expired"] * 2


@given(st.data())
def test_any_flipped_byte_is_refused(data: st.DataObject) -> None:
    original = TOKEN.encode()
    place = data.draw(st.integers(0, len(original) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != original[place]))
    forged = original[:place] + bytes([byte]) + original[place + 1 :]
    own = verifier()
    own.verify(TOKEN)
    assert code(forged, own) in {"token_malformed", "token_tampered", "token_foreign", "token_wrong_audience"}


@given(st.integers(0, len(TOKEN) - 1), st.binary(max_size=3))
def test_a_cut_or_stuffed_token_is_refused(place: int, stuffing: bytes) -> None:
    original = TOKEN.encode()
    assert code(original[:place])
    stuffed = original[:place] + stuffing + original[place:]
    assert not stuffing or code(stuffed)


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_garbage_is_malformed(garbage: bytes | str) -> None:
    assert code(garbage) == "token_malformed"


@pytest.mark.parametrize(
    "token",
    [
        f"{HEADER}.{PAYLOAD}",
        f"{TOKEN}.{SIGNATURE}",
        f"{HEADER}=.{PAYLOAD}.{SIGNATURE}",
        f"{HEADER}\n.{PAYLOAD}.{SIGNATURE}",
        f" {TOKEN}",
        f"{TOKEN}\n",
        f"{HEADER}..{SIGNATURE}",
        f"{HEADER}.{PAYLOAD}.{SIGNATURE}==",
        f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-1]}{chr(ord(SIGNATURE[-1]) + 1)}",
        f"{HEADER}.{PAYLOAD}.{SIGNATURE}".replace("-", "+").replace("_", "/") + "+",
        f"{HEADER}.{'A' * 4 * 5000}.{SIGNATURE}",
        f"{b64(b'[]')}.{PAYLOAD}.{SIGNATURE}",
        f"{b64(b'null')}.{PAYLOAD}.{SIGNATURE}",
        f"{b64(b'{' * 9)}.{PAYLOAD}.{SIGNATURE}",
        f"{b64(b'[' * 9000)}.{PAYLOAD}.{SIGNATURE}",
        "\ud800" + TOKEN,
        "é" + TOKEN,
        *(f"{HEADER}.{PAYLOAD}.{b64(bytes(size))}" for size in (0, 63, 65, 70)),
    ],
)
def test_another_spelling_of_a_token_is_malformed(token: str) -> None:
    assert code(token) == "token_malformed"


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64, bytes(31) + b"\x01" + bytes(31) + b"\x01"])
def test_a_degenerate_signature_does_not_fit(signature: bytes) -> None:
    assert code(f"{HEADER}.{PAYLOAD}.{b64(signature)}") == "token_tampered"


def altered(text: str, old: str, new: str) -> bytes:
    assert old in text
    return text.replace(old, new, 1).encode()


PAYLOAD_TEXT = base64.urlsafe_b64decode(PAYLOAD + "==").decode()
HEADER_TEXT = base64.urlsafe_b64decode(HEADER + "==").decode()


@pytest.mark.parametrize(
    "payload",
    [
        altered(PAYLOAD_TEXT, '"txn":"01J"', '"txn":"01J","txn":"02J"'),
        altered(PAYLOAD_TEXT, '"max_steps":10', '"max_steps":10,"max_steps":1000'),
        altered(PAYLOAD_TEXT, '"max_steps":10', '"max_steps":1.5'),
        altered(PAYLOAD_TEXT, '"max_steps":10', '"max_steps":"10"'),
        altered(PAYLOAD_TEXT, '"max_steps":10', '"max_steps":true'),
        altered(PAYLOAD_TEXT, f'"exp":{NOW + 300}', '"exp":9007199254740993'),
        altered(PAYLOAD_TEXT, f'"exp":{NOW + 300}', '"exp":NaN'),
        altered(PAYLOAD_TEXT, f'"exp":{NOW + 300}', '"exp":Infinity'),
        altered(PAYLOAD_TEXT, f'"exp":{NOW + 300},', ""),
        altered(PAYLOAD_TEXT, '"cnf":{"jkt":"k"},', ""),
        altered(PAYLOAD_TEXT, '"jti":"j"', '"jti":null'),
        altered(PAYLOAD_TEXT, '"jti":"j"', '"jti":"j","admin":true'),
        altered(PAYLOAD_TEXT, '"jti":"j"', '"jti":"\\ud800"'),
        altered(PAYLOAD_TEXT, ',"act":{"sub":"spiffe://local.loomstead/worker"}}', "}"),
        altered(
            PAYLOAD_TEXT,
            '"act":{"sub":"spiffe://local.loomstead/worker"}',
            '"act":{"sub":"spiffe://local.loomstead/worker","act":{"sub":"x"}}',
        ),
        altered(PAYLOAD_TEXT, '"effect":"write"', '"effect":"anything"'),
        PAYLOAD_TEXT.encode() + b" x",
        b"\xef\xbb\xbf" + PAYLOAD_TEXT.encode(),
        PAYLOAD_TEXT.encode("utf-16"),
        b'"text"',
        b"[]",
        b"",
    ],
)
def test_claims_that_do_not_fit_are_malformed_even_where_the_signature_does(payload: bytes) -> None:
    assert code(signed(payload)) == "token_malformed"


def test_a_header_that_names_a_member_twice_is_malformed() -> None:
    doubled = altered(HEADER_TEXT, '"typ"', '"alg":"none","typ"')
    assert code(raw(doubled, PAYLOAD_TEXT.encode())) == "token_malformed"


class Counted:
    """Counts signature checks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checks = 0
        self._check = reader.check_signature
        monkeypatch.setattr(reader, "check_signature", self)

    def __call__(self, token: bytes, key: ECKey) -> None:
        self.checks += 1
        self._check(token, key)


def test_a_token_is_checked_once_and_one_minted_here_never(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, own = Counted(monkeypatch), verifier()
    assert [own.verify(TOKEN) for _ in range(3)] == [CLAIMS] * 3
    minted = mint(CLAIMS, KEY)
    own.remember(minted, CLAIMS)
    assert own.verify(minted) == CLAIMS
    assert counted.checks == 1


def forgeries(count: int) -> list[str]:
    return [f"{HEADER}.{b64(PAYLOAD_TEXT.encode() + b' ' * number)}.{SIGNATURE}" for number in range(1, count + 1)]


def test_a_forged_token_costs_one_check_however_often_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, own = Counted(monkeypatch), verifier()
    [forged] = forgeries(1)
    assert {code(forged, own) for _ in range(9)} == {"token_tampered"}
    assert counted.checks == 1


def test_forgeries_cannot_burn_the_processor_and_known_tokens_still_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    now, budget = [NOW], 10
    monkeypatch.setattr(tokens, "BAD_SIGNATURES_PER_SECOND", budget)
    counted, own = Counted(monkeypatch), verifier(lambda: now[0])
    own.verify(TOKEN)
    codes = [code(forged, own) for forged in forgeries(budget + 5)]
    assert codes == ["token_tampered"] * budget + ["token_checks_spent"] * 5
    assert counted.checks == 1 + budget
    assert own.verify(TOKEN) == CLAIMS
    now[0] += 1
    assert own.verify(mint(CLAIMS, KEY)) == CLAIMS


def test_the_caches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CACHED", 4)
    own = verifier()
    for number in range(9):
        own.verify(mint(structs.replace(CLAIMS, jti=str(number)), KEY))
    for forged in forgeries(9):
        code(forged, own)
    assert (len(own._good), len(own._bad)) == (4, 4)


def test_rsa_and_other_curves_are_refused_where_the_verifier_is_given_such_a_key() -> None:
    other = RSAKey.generate_key(2048)
    token = jws.serialize_compact(
        {"alg": "RS256", "typ": "task+jwt", "kid": "rsa"}, PAYLOAD_TEXT.encode(), other, algorithms=["RS256"]
    )
    assert code(token) == "token_malformed"
