"""Capability ``vector``: where embeddings are kept."""

PLATFORMS = {"local": "components.vector.local:LocalVector"}
