"""Capability ``orchestrator``: what keeps the state of running tasks."""

PLATFORMS = {"local": "components.orchestrator.local:LocalOrchestrator"}
