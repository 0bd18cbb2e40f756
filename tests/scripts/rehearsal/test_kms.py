"""KMS as a program meets it: by its own SDK, past Pulumi."""

import hashlib
from collections.abc import Generator
from typing import Any

import botocore.session
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from scripts.rehearsal.kms import Kms, kms

MESSAGE = b"a manifest" * 1000
SIGNER = {"keyUsage": "SIGN_VERIFY", "customerMasterKeySpec": "ECC_NIST_P256"}


@pytest.fixture(scope="module")
def running() -> Generator[Kms]:
    with kms() as running:
        yield running


@pytest.fixture
def client(running: Kms, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return botocore.session.get_session().create_client("kms", region_name="eusc-de-east-1")


@pytest.mark.parametrize("form", ["{}", "arn:aws-eusc:kms:eusc-de-east-1:111122223333:key/{}"])
def test_what_the_sdk_has_signed_fits_the_key_that_pulumi_read(running: Kms, client: Any, form: str) -> None:
    key = running.create("eusc-de-east-1", SIGNER)
    digest = hashlib.sha256(MESSAGE).digest()
    told = {"KeyId": form.format(key), "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = client.sign(Message=digest, **told)["Signature"]
    public = load_pem_public_key(running.public_key("eusc-de-east-1", key).encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def test_a_message_is_signed_as_it_is(running: Kms, client: Any) -> None:
    key = running.create("eusc-de-east-1", SIGNER)
    signature = client.sign(KeyId=key, Message=b"short", MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256")
    public = load_pem_public_key(running.public_key("eusc-de-east-1", key).encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature["Signature"], b"short", ec.ECDSA(hashes.SHA256()))


def test_a_key_that_pulumi_did_not_make_signs_nothing(client: Any) -> None:
    with pytest.raises(client.exceptions.NotFoundException):
        client.sign(KeyId="00000000-0000-0000-0000-000000000000", Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
