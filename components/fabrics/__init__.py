"""How each platform's capabilities are put together: one file a platform, which alone imports that platform's SDK."""

from importlib.util import find_spec

from components.infrastructure import Refused

PLATFORMS = {
    "aws": "components.fabrics.aws:AwsFabric",
    "azure": "components.fabrics.azure:AzureFabric",
    "gcp": "components.fabrics.gcp:GcpFabric",
    "kubernetes": "components.fabrics.kubernetes:KubernetesFabric",
    "local": "components.fabrics.local:LocalFabric",
}
SDKS = {
    "aws": ("pulumi_aws", "pulumi_kubernetes", "botocore"),
    "azure": ("pulumi_azure_native",),
    "gcp": ("pulumi_gcp",),
    "kubernetes": ("pulumi_kubernetes",),
}
"""What a platform's extra of pyproject.toml brings, by module."""


def check_installed(platform: str) -> None:
    """Raises ``Refused`` where a platform's SDK is not installed; loads nothing of it."""
    if missing := [module for module in SDKS.get(platform, ()) if find_spec(module) is None]:
        raise Refused(not_installed(", ".join(missing), platform))


def not_installed(what: str, extra: str) -> str:
    """What is said of a package that is not installed, with the one command that brings it."""
    return f"{what} is not installed: run `scripts/bootstrap.sh --extra {extra}` once; it stays then."
