"""How each platform's capabilities are put together: one file a platform, which alone imports that platform's SDK."""

PLATFORMS = {
    "aws": "components.fabrics.aws:AwsFabric",
    "azure": "components.fabrics.azure:AzureFabric",
    "gcp": "components.fabrics.gcp:GcpFabric",
    "kubernetes": "components.fabrics.kubernetes:KubernetesFabric",
    "local": "components.fabrics.local:LocalFabric",
}
