"""Capability ``triggers``: what starts tasks beside the gateway's signed webhook."""

PLATFORMS = {
    "aws": "components.triggers.aws:AwsTriggers",
    "kubernetes": "components.triggers.kubernetes:KubernetesTriggers",
}
