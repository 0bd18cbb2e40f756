"""Capability ``models``: what a cloud itself runs of a stack's models."""

PLATFORMS = {
    "aws": "components.models.aws:AwsModels",
    "azure": "components.models.azure:AzureModels",
    "gcp": "components.models.gcp:GcpModels",
}
