"""What the issuer publishes of itself: the same documents over HTTP and as files at a static address."""

from typing import Any

from runtime.identity.grant_types import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from runtime.identity.jws import ALGORITHM

DISCOVERY = ".well-known/openid-configuration"
JWKS = "jwks.json"


def discovery(issuer: str, token_endpoint: str) -> dict[str, Any]:
    """What a client needs to know of the issuer (OpenID Connect Discovery, RFC 8414)."""
    return {
        "issuer": issuer,
        "token_endpoint": token_endpoint,
        "jwks_uri": f"{issuer}/{JWKS}",
        "grant_types_supported": [CLIENT_CREDENTIALS, TOKEN_EXCHANGE],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": [ALGORITHM],
        "dpop_signing_alg_values_supported": [ALGORITHM],
        "authorization_details_types_supported": ["tool_call"],
    }
