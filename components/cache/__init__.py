"""Capability ``cache``: Valkey, for counters that may be lost."""

PLATFORMS = {"aws": "components.cache.aws:AwsCache", "kubernetes": "components.cache.kubernetes:KubernetesCache"}
