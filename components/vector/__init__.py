"""Capability ``vector``: where embeddings are kept."""

PLATFORMS = {"aws": "components.vector.aws:AwsVector", "local": "components.vector.local:LocalVector"}
