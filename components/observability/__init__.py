"""Capability ``observability``: where a fabric's logs, traces and metrics are kept, and what raises an alarm."""

PLATFORMS = {
    "aws": "components.observability.aws:AwsObservability",
    "azure": "components.observability.azure:AzureObservability",
    "gcp": "components.observability.gcp:GcpObservability",
    "kubernetes": "components.observability.kubernetes:KubernetesObservability",
}
