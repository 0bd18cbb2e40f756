"""Capability ``identity``: who issues tokens in a fabric, and who may ask for one."""

PLATFORMS = {
    "aws": "components.identity.aws:AwsIdentity",
    "azure": "components.identity.azure:AzureIdentity",
    "gcp": "components.identity.gcp:GcpIdentity",
    "kubernetes": "components.identity.kubernetes:KubernetesIdentity",
    "local": "components.identity.local:LocalIdentity",
}
