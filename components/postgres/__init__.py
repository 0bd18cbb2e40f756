"""Capability ``postgres``: the single source of truth, and the replica that is all an agent's tools can read."""

PLATFORMS = {
    "aws": "components.postgres.aws:AwsPostgres",
    "azure": "components.postgres.azure:AzurePostgres",
    "gcp": "components.postgres.gcp:GcpPostgres",
    "kubernetes": "components.postgres.kubernetes:KubernetesPostgres",
    "local": "components.postgres.local:LocalPostgres",
}
