"""Facts of a cluster, asked by the context that the stack file names. Nothing is changed there."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from components.kubernetes.parts import REGION_LABEL
from components.spec import FabricSpec, Platform
from scripts.preflight.facts import Facts, FactsError
from scripts.preflight.operators import operators, secrets
from scripts.preflight.wanted import brought

GPU_LABEL = "loomstead/gpu"


def collect(spec: FabricSpec, stack: str, actions: tuple[str, ...]) -> Facts | None:
    """``None`` without a kubeconfig that has the context; raises ``FactsError`` where the cluster does not answer."""
    try:
        api = config.new_client_from_config(context=spec.cluster.context)
    except ConfigException:
        return None
    try:
        return _asked(api, spec, stack, actions)
    except (ApiException, HTTPError) as error:
        raise FactsError(f"the cluster of context {spec.cluster.context} does not answer: {error}") from error


def _asked(api: client.ApiClient, spec: FabricSpec, stack: str, actions: tuple[str, ...]) -> Facts:
    listed: Any = client.CoreV1Api(api).list_node()
    classes: Any = client.StorageV1Api(api).list_storage_class()
    groups: Any = client.ApisApi(api).get_api_versions()
    nodes = [node.metadata.labels or {} for node in listed.items]
    return Facts(
        platform=Platform.KUBERNETES,
        region=spec.region,
        recorded=datetime.now(UTC),
        principal=api.configuration.host,
        permissions={action: _may(api, action) for action in actions},
        versions={"kubernetes": client.VersionApi(api).get_code().git_version},
        apis=tuple(group.name for group in groups.groups),
        storage_classes=tuple(each.metadata.name for each in classes.items),
        regions=dict(Counter(labels[REGION_LABEL] for labels in nodes if REGION_LABEL in labels)),
        gpus=dict(Counter(labels[GPU_LABEL] for labels in nodes if GPU_LABEL in labels)),
        operators=operators(api),
        secrets=secrets(api, tuple(brought(spec, stack))),
    )


def _may(api: client.ApiClient, action: str) -> bool:
    """``action``: a verb, and a resource with its group after a point."""
    verb, _, what = action.partition(" ")
    resource, _, group = what.partition(".")
    asked = client.V1ResourceAttributes(verb=verb, resource=resource, group=group)
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked))
    answer: Any = client.AuthorizationV1Api(api).create_self_subject_access_review(review)
    return answer.status.allowed
