"""Capability ``network``: who reaches whom, and the only ways out."""

PLATFORMS = {
    "aws": "components.network.aws:AwsNetwork",
    "azure": "components.network.azure:AzureNetwork",
    "gcp": "components.network.gcp:GcpNetwork",
    "kubernetes": "components.network.kubernetes:KubernetesNetwork",
}
