"""The Manifest is signed with the deployer's key, in a file or in KMS, and what comes out verifies."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.keys.jwk import jwk
from components.keys.local import SecretFilesProvider
from components.signing import SigningProvider
from regions.manifest import Manifest
from regions.signature import SignatureError, verify_manifest
from scripts.rehearsal.kms import Kms, kms
from tests.regions.test_signature import manifest

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def service() -> Iterator[Kms]:
    with kms() as running:
        yield running


@pytest.fixture
def file_key(tmp_path: Path) -> dict[str, Any]:
    made = SecretFilesProvider().create({"home": str(tmp_path)}).outs
    assert made is not None
    return {"key": str(tmp_path / "secrets" / "manifest.jwk"), "public": made["public"]["manifest"]}


@pytest.fixture
def kms_key(service: Kms, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    made = service.create(REGION, {"keyUsage": "SIGN_VERIFY", "customerMasterKeySpec": "ECC_NIST_P256"})
    return {
        "key": f"arn:aws:kms:{REGION}:123456789012:key/{made}",
        "public": jwk(service.public_key(REGION, made)),
    }


def signed(props: dict[str, Any], of: Manifest) -> dict[str, Any]:
    outs = SigningProvider().create({**props, "manifest": of.model_dump_json()}).outs
    assert outs is not None
    return outs


@pytest.mark.parametrize("where", ["file_key", "kms_key"])
def test_what_is_signed_verifies_with_the_public_half(where: str, request: pytest.FixtureRequest) -> None:
    key = request.getfixturevalue(where)

    outs = signed(key, manifest())

    assert verify_manifest(json.loads(outs["document"]), key["public"]) == manifest()
    assert outs["digest"] == manifest().digest


def test_a_key_other_than_the_published_one_signs_nothing(file_key: dict[str, Any], kms_key: dict[str, Any]) -> None:
    with pytest.raises(SignatureError):
        signed({**kms_key, "public": file_key["public"]}, manifest())


def test_nothing_secret_is_in_what_it_leaves(file_key: dict[str, Any]) -> None:
    secret = json.loads(Path(file_key["key"]).read_text())["d"]

    assert secret not in json.dumps(signed(file_key, manifest()))


def test_it_is_signed_again_when_the_manifest_or_the_key_is_another(file_key: dict[str, Any]) -> None:
    outs, provider = signed(file_key, manifest()), SigningProvider()

    assert provider.diff("manifest", outs, outs).changes is False
    other = manifest().model_copy(update={"country": "AT"}).model_dump_json()
    assert provider.diff("manifest", outs, {**outs, "manifest": other}).changes
    assert provider.diff("manifest", outs, {**outs, "key": "/another.jwk"}).changes
