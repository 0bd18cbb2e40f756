"""Capability ``model_host``: a model server that the fabric runs itself."""

PLATFORMS = {
    "aws": "components.model_host.aws:AwsModelHost",
    "kubernetes": "components.model_host.kubernetes:KubernetesModelHost",
    "local": "components.model_host.local:LocalModelHost",
}
