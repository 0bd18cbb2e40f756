"""The issuer's public documents as files at a static public address, because clouds fetch them and reach no cluster."""

import json
from collections.abc import Mapping
from typing import Literal, Protocol

from joserfc.jwk import ECKey

from regions.canonical import canonical
from regions.manifest import Manifest
from runtime.identity.documents import DISCOVERY, JWKS, discovery
from runtime.identity.keys import UnusableKey, es256_key, key_set
from runtime.provision import ProvisionError

CACHED_SECONDS = 300
"""So long an old set may be seen: a rotated key is published before it signs, and its predecessor stays as long."""
_KEYS: tuple[tuple[str, Literal["sign", "verify"]], ...] = (("issuer.jwk", "sign"), ("issuer.previous.jwk", "verify"))


class Publisher(Protocol):
    async def publish(self, path: str, content: bytes, seconds: int) -> bool:
        """Put ``content`` at ``path``; no where it is there already. Raises ``ProvisionError``."""
        ...


async def publish(manifest: Manifest, secrets: Mapping[str, str], publisher: Publisher) -> list[str]:
    """Publish the public halves of what ``secrets`` has of the issuer's keys; which files are new.

    The keys come first: a document that names them must find them. Raises ``ProvisionError``.
    """
    issuer = manifest.identities.issuer
    endpoint = f"{manifest.endpoints.gateway}/oauth/token"
    documents = {JWKS: key_set(_keys(secrets)), DISCOVERY: discovery(issuer, endpoint)}
    return [
        path
        for path, document in documents.items()
        if await publisher.publish(path, canonical(document), CACHED_SECONDS)
    ]


def _keys(secrets: Mapping[str, str]) -> list[ECKey]:
    found = []
    for name, operation in _KEYS:
        if name in secrets:
            try:
                found.append(es256_key(json.loads(secrets[name]), operation))
            except (ValueError, UnusableKey):
                raise ProvisionError(f"{name} of the Secret is no key of the issuer; nothing was published") from None
    return found
