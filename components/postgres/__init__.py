"""Capability ``postgres``: the single source of truth, and the replica that is all an agent's tools can read."""

PLATFORMS = {
    "aws": "components.postgres.aws:AwsPostgres",
    "gcp": "components.postgres.gcp:GcpPostgres",
    "local": "components.postgres.local:LocalPostgres",
}
