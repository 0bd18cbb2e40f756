"""Capability ``postgres``: the single source of truth, and the replica that is all an agent's tools can read."""

PLATFORMS = {"local": "components.postgres.local:LocalPostgres"}
