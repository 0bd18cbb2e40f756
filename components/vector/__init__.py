"""Capability ``vector``: where embeddings are kept."""

PLATFORMS = {
    "aws": "components.vector.aws:AwsVector",
    "kubernetes": "components.vector.kubernetes:KubernetesVector",
    "local": "components.vector.local:LocalVector",
}
