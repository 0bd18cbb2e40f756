"""Capability ``gateway``: the runtime, that is the gateway and the worker that acts through it."""

PLATFORMS = {
    "kubernetes": "components.gateway.kubernetes:KubernetesGateway",
    "local": "components.gateway.local:LocalGateway",
}
