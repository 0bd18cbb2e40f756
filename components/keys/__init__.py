"""Capability ``keys``: what a fabric signs, encrypts and authenticates with."""

PLATFORMS = {
    "aws": "components.keys.aws:AwsKeys",
    "azure": "components.keys.azure:AzureKeys",
    "gcp": "components.keys.gcp:GcpKeys",
    "kubernetes": "components.keys.kubernetes:KubernetesKeys",
    "local": "components.keys.local:LocalKeys",
}
