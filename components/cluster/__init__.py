"""Capability ``cluster``: what runs a fabric's processes and gives them addresses."""

PLATFORMS = {
    "aws": "components.cluster.aws:AwsCluster",
    "kubernetes": "components.cluster.kubernetes:KubernetesCluster",
    "local": "components.cluster.local:LocalCluster",
}
