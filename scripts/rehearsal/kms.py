"""KMS, by moto: what a program asks of it past Pulumi, such as to sign the Manifest, is really signed.

Keys are made by what goes through Pulumi. Every other service of AWS that the program calls by itself is moto's too,
and empty: nothing leaves this machine.
"""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from moto.core import DEFAULT_ACCOUNT_ID
from moto.kms.models import KmsBackend, kms_backends
from moto.kms.utils import ECDSAPrivateKey
from moto.server import ThreadedMotoServer

_DIGEST_BYTES = 32


class _Signer(ECDSAPrivateKey):
    """moto 5.2.5 hashes a digest (``MessageType=DIGEST``) once more; what has a digest's length is one here."""

    def sign(self, message: bytes, signing_algorithm: str) -> bytes:
        if len(message) != _DIGEST_BYTES:
            return super().sign(message, signing_algorithm)
        return self.private_key.sign(message, ec.ECDSA(Prehashed(hashes.SHA256())))


@dataclass(frozen=True)
class Kms:
    """``environment``: with which a program's AWS SDK calls it, and nobody else."""

    environment: Mapping[str, str]

    def create(self, region: str, inputs: Mapping[str, Any]) -> str:
        """Id of a key as the inputs of ``aws.kms.Key`` ask for one."""
        spec = inputs.get("customerMasterKeySpec") or "SYMMETRIC_DEFAULT"
        usage = inputs.get("keyUsage") or "ENCRYPT_DECRYPT"
        key = self._backend(region).create_key(inputs.get("policy"), usage, spec, "", None)
        if isinstance(key.private_key, ECDSAPrivateKey):
            key.private_key = _Signer(spec)
        return key.id

    def public_key(self, region: str, key: str) -> str:
        """PEM; ``key``: its id or ARN."""
        backend = self._backend(region)
        _, der = backend.get_public_key(backend.get_key_id(key))
        return load_der_public_key(der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def _backend(self, region: str) -> KmsBackend:
        return kms_backends[DEFAULT_ACCOUNT_ID][region]


@contextmanager
def kms() -> Generator[Kms]:
    """On a loopback port of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Kms(
            {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ACCESS_KEY_ID": "rehearsal",
                "AWS_SECRET_ACCESS_KEY": "rehearsal",
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        )
    finally:
        server.stop()
