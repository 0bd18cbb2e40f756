"""Capability ``network``: who reaches whom, and the only ways out."""

PLATFORMS = {
    "gcp": "components.network.gcp:GcpNetwork",
    "kubernetes": "components.network.kubernetes:KubernetesNetwork",
}
