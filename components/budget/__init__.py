"""Capability ``budget``: who is told when a fabric costs more than it should."""

PLATFORMS = {
    "aws": "components.budget.aws:AwsBudget",
    "azure": "components.budget.azure:AzureBudget",
    "kubernetes": "components.budget.kubernetes:KubernetesBudget",
}
