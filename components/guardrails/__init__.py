"""Capability ``guardrails``: what the platform itself refuses, should the kit be wrong or be gone round."""

PLATFORMS = {
    "aws": "components.guardrails.aws:AwsGuardrails",
    "azure": "components.guardrails.azure:AzureGuardrails",
    "kubernetes": "components.guardrails.kubernetes:KubernetesGuardrails",
}
