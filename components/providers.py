"""The one home of explicit providers. Each cloud's SDK is imported only where its provider is asked for.

A provider answers for one account, subscription, project or cluster, and only for one that the stack allows: a name
mistyped makes nothing there. ``tags`` are on everything that it makes, where the provider can do that.
"""

from collections.abc import Collection, Mapping

import pulumi
import yaml

from components.infrastructure import Refused


class NotAllowed(Refused):
    """An account, subscription, project or cluster that is not on the stack's list; the message names both."""


def aws_provider(
    name: str,
    region: str,
    account: str,
    allowed: Collection[str],
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions | None = None,
) -> pulumi.ProviderResource:
    """AWS in one region; the provider itself refuses credentials of another account. Raises ``NotAllowed``."""
    import pulumi_aws as aws  # noqa: PLC0415

    _check("account", account, allowed)
    return aws.Provider(name, region=region, allowed_account_ids=[account], default_tags={"tags": tags}, opts=opts)


def azure_provider(
    name: str,
    region: str,
    environment: str,
    subscription: str,
    allowed: Collection[str],
    opts: pulumi.ResourceOptions | None = None,
) -> pulumi.ProviderResource:
    """Azure; tags are each resource's own there. ``environment``: its cloud, the region's partition in the catalogue.

    Raises ``NotAllowed``.
    """
    import pulumi_azure_native as azure_native  # noqa: PLC0415

    _check("subscription", subscription, allowed)
    return azure_native.Provider(
        name,
        location=region,
        environment=environment,
        subscription_id=subscription,
        disable_pulumi_partner_id=True,
        opts=opts,
    )


def gcp_provider(
    name: str,
    region: str,
    universe: str,
    project: str,
    allowed: Collection[str],
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions | None = None,
) -> pulumi.ProviderResource:
    """Google Cloud in one region; the caller's own project pays for no call. ``universe``: the region's partition in
    the catalogue. Raises ``NotAllowed``.
    """
    import pulumi_gcp as gcp  # noqa: PLC0415

    _check("project", project, allowed)
    return gcp.Provider(
        name,
        region=region,
        project=project,
        universe_domain=universe,
        user_project_override=True,
        default_labels=tags,
        add_pulumi_attribution_label=False,
        opts=opts,
    )


def kubernetes_provider(
    name: str, kubeconfig: str, context: str, allowed: Collection[str], opts: pulumi.ResourceOptions | None = None
) -> pulumi.ProviderResource:
    """A cluster, by the context of its kubeconfig (the text, no path); objects are applied by the server.

    ``allowed``: URLs of API servers, as the kubeconfig writes them: anybody can give any cluster a context's name.
    Raises ``NotAllowed``, for a context that the kubeconfig does not have as well.
    """
    import pulumi_kubernetes as kubernetes  # noqa: PLC0415

    check_context(kubeconfig, context, allowed)
    return kubernetes.Provider(
        name, kubeconfig=pulumi.Output.secret(kubeconfig), context=context, enable_server_side_apply=True, opts=opts
    )


def check_context(kubeconfig: str, context: str, allowed: Collection[str]) -> None:
    """Raises ``NotAllowed``, as ``kubernetes_provider`` does, and makes no provider."""
    _check("server", _server(kubeconfig, context), allowed)


def _server(kubeconfig: str, context: str) -> str:
    try:
        config = yaml.safe_load(kubeconfig)
        (cluster,) = (each["context"]["cluster"] for each in config["contexts"] if each["name"] == context)
        (server,) = (each["cluster"]["server"] for each in config["clusters"] if each["name"] == cluster)
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise NotAllowed(
            f"context {context!r}: the kubeconfig does not say once which server it is; "
            "give the kubeconfig's text, with that context and its cluster"
        ) from error
    return server


def _check(kind: str, wanted: str, allowed: Collection[str]) -> None:
    if wanted not in allowed:
        listed = ", ".join(sorted(allowed)) or "none"
        raise NotAllowed(f"{kind} {wanted!r} is not allowed here (allowed: {listed}); correct it or add it")
