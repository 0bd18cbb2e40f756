"""Keys are P-256, for ES256, private to their owner, and named by their thumbprint."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from runtime.identity.keys import IssuerKeys, UnusableKey, es256_key, public_jwk, read_jwks, read_key
from runtime.settings import StartError
from tests.fixtures.issuer import write_key

KEY = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")


def test_an_issuer_publishes_its_current_and_its_previous_key_and_no_private_part(tmp_path: Path) -> None:
    write_key(tmp_path / "issuer.jwk", KEY)
    write_key(tmp_path / "issuer.previous.jwk", OTHER)
    keys = IssuerKeys.load(tmp_path)
    assert keys.signing.thumbprint() == KEY.thumbprint()
    published = keys.jwks()["keys"]
    assert [key["kid"] for key in published] == [KEY.thumbprint(), OTHER.thumbprint()]
    assert all(key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"} for key in published)
    assert not any(key.is_private for key in keys.accepted.values())


def test_a_published_key_is_named_by_its_thumbprint_whatever_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "issuer.jwk").touch(mode=0o600)
    (tmp_path / "issuer.jwk").write_text(json.dumps({**KEY.as_dict(private=True), "kid": "../../etc/passwd"}))
    [published] = IssuerKeys.load(tmp_path).jwks()["keys"]
    assert published["kid"] == jwk.thumbprint({name: str(published[name]) for name in ("kty", "crv", "x", "y")})


@pytest.mark.parametrize(
    "key",
    [
        {},
        None,
        "EC",
        {"kty": "EC", "crv": "P-256", "x": "AA"},
        OctKey.generate_key(256).as_dict(private=True),
        RSAKey.generate_key(2048).as_dict(private=True),
        OKPKey.generate_key("Ed25519").as_dict(private=True),
        ECKey.generate_key("P-384").as_dict(private=True),
        ECKey.generate_key("secp256k1").as_dict(private=True),
        {**KEY.as_dict(private=True), "alg": "ES384"},
        {**KEY.as_dict(private=True), "use": "enc"},
        {**KEY.as_dict(private=True), "key_ops": ["verify"]},
        {**KEY.as_dict(private=True), "y": OTHER.as_dict()["y"]},
        KEY.as_dict(private=False),
    ],
)
def test_a_key_that_is_not_for_signing_es256_is_not_used(key: Any) -> None:
    with pytest.raises(UnusableKey):
        es256_key(key, "sign")


def test_a_key_for_signing_only_does_not_verify() -> None:
    with pytest.raises(UnusableKey):
        es256_key({**KEY.as_dict(private=True), "key_ops": ["sign"]}, "verify")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_may_read_stops_the_start(tmp_path: Path, mode: int) -> None:
    write_key(tmp_path / "worker.jwk", KEY)
    (tmp_path / "worker.jwk").chmod(mode)
    with pytest.raises(StartError, match=r"worker\.jwk: the key cannot be read: others may read it: chmod 0600"):
        read_key(tmp_path / "worker.jwk")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kty": "EC", "d": "canary"}', '{"d": "canary'])
def test_a_broken_key_stops_the_start_and_is_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "issuer.jwk"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(StartError, match=r"issuer\.jwk: .*pulumi up") as caught:
        IssuerKeys.load(tmp_path)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_missing_key_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        IssuerKeys.load(tmp_path)


def test_of_a_foreign_key_set_only_usable_keys_are_taken() -> None:
    foreign = [RSAKey.generate_key(2048).as_dict(), {"kty": "AKP"}, {**public_jwk(OTHER), "use": "enc"}]
    assert list(read_jwks({"keys": [*foreign, public_jwk(KEY)]})) == [KEY.thumbprint()]
