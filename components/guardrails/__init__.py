"""Capability ``guardrails``: what the platform itself refuses, should the kit be wrong or be gone round."""

PLATFORMS = {
    "aws": "components.guardrails.aws:AwsGuardrails",
    "azure": "components.guardrails.azure:AzureGuardrails",
    "kubernetes": "components.guardrails.kubernetes:KubernetesGuardrails",
}
DOCUMENTS = {"aws": "components.guardrails.aws_documents:documents"}
"""Platform → what makes documents for those who administer what is above a stack, from its Boundary, the catalogue, its
region and a day; by the name of their kind."""
