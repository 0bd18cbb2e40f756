"""What the token endpoint is asked with (RFC 6749 §4.4, RFC 8693 §2.1 and §3)."""

CLIENT_CREDENTIALS = "client_credentials"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105
GRANT = "urn:loomstead:token-type:grant"
"""Subject token type: the task's txn, which is no secret and no authority."""
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
JWT = "urn:ietf:params:oauth:token-type:jwt"
