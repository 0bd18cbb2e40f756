"""Capability ``guardrails``: what the platform itself refuses, should the kit be wrong or be gone round."""

PLATFORMS = {
    "aws": "components.guardrails.aws:AwsGuardrails",
    "azure": "components.guardrails.azure:AzureGuardrails",
    "gcp": "components.guardrails.gcp:GcpGuardrails",
    "kubernetes": "components.guardrails.kubernetes:KubernetesGuardrails",
}
DOCUMENTS = {
    "aws": "components.guardrails.aws_documents:documents",
    "azure": "components.guardrails.azure_policies:documents",
    "gcp": "components.guardrails.gcp_policies:documents",
}
"""Platform → what makes documents for those who administer what is above a stack, from its Boundary, the catalogue, its
region and a day; by the name of their kind."""
