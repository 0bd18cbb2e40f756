"""Operators that come as Helm charts: which, from where, in which version. Their insides are their publishers' affair,
and no rule sees them: only the custom resources of the fabric are ours.

Charts are fetched by who deploys; a repository of charts gives no digest to hold them to, so versions are exact. Their
images come from the stack's own registry, under the publisher's name and version: the cluster reaches no other.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pulumi
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

TIMEOUT_SECONDS = 600


class Chart(NamedTuple):
    """``image``: name in the stack's registry, and ``tag``; none where the chart's own values say it otherwise."""

    repository: str
    version: str
    image: str = ""
    tag: str = ""


CHARTS: Mapping[str, Chart] = {
    # aws/eks-charts at 5239609, 2026-08-03
    "aws-load-balancer-controller": Chart(
        "https://aws.github.io/eks-charts", "3.5.0", "aws-load-balancer-controller", "v3.5.0"
    ),
    # kubernetes/autoscaler at 0d4abcf
    "cluster-autoscaler": Chart("https://kubernetes.github.io/autoscaler", "9.59.1", "cluster-autoscaler", "v1.35.0"),
    "keda": Chart("https://kedacore.github.io/charts", "2.20.0"),
    "nvidia-device-plugin": Chart("https://nvidia.github.io/k8s-device-plugin", "0.17.4"),
}


def create_release(
    name: str, chart: str, namespace: str, registry: str, values: Mapping[str, Any], opts: pulumi.ResourceOptions
) -> Release:
    """A release called after its chart; ``registry``: host, with or without the beginning of a path."""
    found = CHARTS[chart]
    image = {"image": {"repository": f"{registry}/{found.image}", "tag": found.tag}} if found.image else {}
    return Release(
        name,
        name=chart,
        chart=chart,
        version=found.version,
        repository_opts=RepositoryOptsArgs(repo=found.repository),
        namespace=namespace,
        create_namespace=namespace == chart,
        allow_null_values=True,
        atomic=True,
        timeout=TIMEOUT_SECONDS,
        values={**values, **image},
        opts=opts,
    )
