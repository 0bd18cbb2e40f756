"""The seal: the same each time, verified by anybody's JWS library, and worth nothing for other bytes or keys."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from scripts.report.seal import SealError, check_seal, read_key, seal

KEY = ECKey.generate_key("P-256")
PRIVATE, PUBLIC = KEY.as_dict(private=True), KEY.as_dict(private=False)


def attached(sealed: bytes, content: bytes) -> str:
    head, _, signature = sealed.decode().strip().partition("..")
    return f"{head}.{base64.urlsafe_b64encode(content).decode().rstrip('=')}.{signature}"


@given(st.binary(max_size=300))
def test_sealed_twice_it_is_the_same_and_holds(content: bytes) -> None:
    sealed = seal(content, PRIVATE)
    assert sealed == seal(content, PRIVATE)
    check_seal(content, sealed, PUBLIC)


def test_other_libraries_verify_it() -> None:
    content = b'{"stack":"local"}'
    token = attached(seal(content, PRIVATE), content)
    assert jws.deserialize_compact(token, KEY, algorithms=["ES256"]).payload == content
    detached = seal(content, PRIVATE).decode().strip()
    key = jwt.PyJWK(json.loads(json.dumps(PUBLIC)))
    assert jwt.PyJWS().decode(token, key.key, algorithms=["ES256"]) == content
    assert (
        jwt.PyJWS().decode_complete(token, key.key, algorithms=["ES256"])["header"]["typ"] == "loomstead-evidence+jws"
    )
    assert detached.split(".")[1] == ""


def test_it_stays_the_same_over_releases() -> None:
    """The key of RFC 6979, A.2.5. Another signature here is another nonce, or another header."""
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "d": "ya-p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyE",
        "x": "YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y",
        "y": "eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk",
    }
    signature = "OT27GLe3KnHnq0X9eV2Q7UBA3HMax0y6gfYIZRuxTqZVZMCx--bQktoP0dKJd3qE4G6qoMk189qdhoGQYEg0fg"
    assert seal(b"sample", jwk).decode().strip().rpartition(".")[2] == signature


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_it_holds_for_no_other_bytes(content: bytes, other: bytes) -> None:
    if content != other:
        with pytest.raises(SealError, match="does not fit"):
            check_seal(other, seal(content, PRIVATE), PUBLIC)


def test_another_key_does_not_verify_it() -> None:
    other = ECKey.generate_key("P-256").as_dict(private=False)
    with pytest.raises(SealError, match="does not fit"):
        check_seal(b"x", seal(b"x", PRIVATE), other)


@pytest.mark.parametrize("sealed", [b"", b"..", b"a..b", b"a.b.c", b"\xff\xfe", seal(b"x", PRIVATE)[:-4]])
def test_a_broken_seal_is_refused_and_does_not_crash(sealed: bytes) -> None:
    with pytest.raises(SealError):
        check_seal(b"x", sealed, PUBLIC)


def test_a_signature_made_for_something_else_is_no_seal() -> None:
    token = jws.serialize_compact({"alg": "ES256"}, b"x", KEY, algorithms=["ES256"])
    head, _, signature = token.split(".")
    with pytest.raises(SealError, match="of type None"):
        check_seal(b"x", f"{head}..{signature}".encode(), PUBLIC)


def test_the_document_does_not_choose_the_algorithm() -> None:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "loomstead-evidence+jws"}).encode()).rstrip(b"=")
    with pytest.raises(SealError, match="does not fit"):
        check_seal(b"x", head + b"..", PUBLIC)


def test_a_public_key_seals_nothing() -> None:
    with pytest.raises(SealError, match="public one"):
        seal(b"x", PUBLIC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "no JSON"),
        (b"[]", "no JWK"),
        (b'{"kty": "oct", "k": "AA"}', "no JWK"),
        (json.dumps(ECKey.generate_key("P-384").as_dict(private=True)).encode(), "curve P-384"),
    ],
)
def test_what_is_no_key_of_the_curve_is_named(text: bytes, said: str) -> None:
    with pytest.raises(SealError, match=said):
        read_key(text)


def test_a_key_is_read_as_it_was_written() -> None:
    jwk: dict[str, Any] = read_key(json.dumps(PRIVATE).encode())
    assert jwk == PRIVATE
