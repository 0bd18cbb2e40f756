"""Capability ``orchestrator``: what keeps the state of running tasks."""

PLATFORMS = {
    "aws": "components.orchestrator.aws:AwsOrchestrator",
    "kubernetes": "components.orchestrator.kubernetes:KubernetesOrchestrator",
    "local": "components.orchestrator.local:LocalOrchestrator",
}
