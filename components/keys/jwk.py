"""Public keys of a cloud's key service, as the fabric publishes them."""

from typing import Any

from joserfc.jwk import ECKey


def jwk(pem: str) -> dict[str, Any]:
    """The public JWK of a P-256 key given as PEM, as docs/contract.md §7 has it; never a private member."""
    key = ECKey.import_key(pem)
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"}
