"""Capability ``network``: who reaches whom, and the only ways out."""

PLATFORMS = {
    "azure": "components.network.azure:AzureNetwork",
    "gcp": "components.network.gcp:GcpNetwork",
    "kubernetes": "components.network.kubernetes:KubernetesNetwork",
}
