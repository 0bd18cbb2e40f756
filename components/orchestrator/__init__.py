"""Capability ``orchestrator``: what keeps the state of running tasks."""

PLATFORMS = {
    "kubernetes": "components.orchestrator.kubernetes:KubernetesOrchestrator",
    "local": "components.orchestrator.local:LocalOrchestrator",
}
