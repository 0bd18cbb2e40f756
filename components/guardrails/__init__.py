"""Capability ``guardrails``: what the platform itself refuses, should the kit be wrong or be gone round."""

PLATFORMS = {"kubernetes": "components.guardrails.kubernetes:KubernetesGuardrails"}
