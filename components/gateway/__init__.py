"""Capability ``gateway``: the runtime, that is the gateway and the worker that acts through it."""

PLATFORMS = {
    "aws": "components.gateway.aws:AwsGateway",
    "kubernetes": "components.gateway.kubernetes:KubernetesGateway",
    "local": "components.gateway.local:LocalGateway",
}
