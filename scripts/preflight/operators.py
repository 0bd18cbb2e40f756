"""What a cluster says of the operators that run on it, and of the Secrets that a person lays down. Nothing is changed.

An operator is known by a label of its Deployment: as its publisher's manifest has it, or its Helm chart
(cloudnative-pg 1.30, plugin-barman-cloud 0.15, cert-manager 1.21, keda 2.20).
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from components.kubernetes.parts import APP_LABEL
from scripts.preflight.cluster import OPERATORS
from scripts.preflight.facts import Operator

_APPS = {"barman-cloud": "plugin-barman-cloud", "keda-operator": "keda"}
"""Labels that are not the operator's name."""
_VERSION_LABEL = "app.kubernetes.io/version"
_TAG = re.compile(r":v?(\d+\.\d+[^@/]*)(@|$)")
_CONFIGURED = "--config-map-name="
"""Of CloudNativePG: what the ConfigMap has goes before the environment (its pkg/configparser)."""
_FORBIDDEN, _NOT_FOUND = 403, 404


def operators(api: client.ApiClient) -> dict[str, Operator] | None:
    """``None`` where Deployments may not be listed."""
    found = _told(lambda: client.AppsV1Api(api).list_deployment_for_all_namespaces())
    if found is None:
        return None
    named = ((_name(each), each) for each in found.items)
    return {name: _operator(client.CoreV1Api(api), name, each) for name, each in named if name in OPERATORS}


def secrets(api: client.ApiClient, names: tuple[str, ...]) -> dict[str, tuple[str, ...] | None]:
    """By ``namespace/name``: the keys alone are kept. What may not be read is left out."""
    return dict(_secrets(client.CoreV1Api(api), names))


def _secrets(core: client.CoreV1Api, names: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    for name in names:
        namespace, _, secret = name.partition("/")
        try:
            found: Any = core.read_namespaced_secret(secret, namespace)
        except ApiException as error:
            if error.status != _NOT_FOUND:
                continue
            yield name, () if _told(lambda space=namespace: core.read_namespace(space)) else None
        else:
            yield name, tuple(sorted(found.data or {}))


def _name(deployment: Any) -> str:
    labels = deployment.metadata.labels or {}
    name = labels.get(APP_LABEL) or labels.get("app") or ""
    return _APPS.get(name, name)


def _operator(core: client.CoreV1Api, name: str, deployment: Any) -> Operator:
    container = deployment.spec.template.spec.containers[0]
    tag = _TAG.search(container.image)
    version = (deployment.metadata.labels or {}).get(_VERSION_LABEL) or (tag[1] if tag else None)
    variable = OPERATORS[name].variable
    return Operator(version=version, image=_value(core, deployment, variable) if variable else None)


def _value(core: client.CoreV1Api, deployment: Any, variable: str) -> str | None:
    """Of the environment of its first container, which holds the operator, or of the ConfigMap that goes before it."""
    space, container = deployment.metadata.namespace, deployment.spec.template.spec.containers[0]
    for argument in container.args or ():
        if argument.startswith(_CONFIGURED):
            held = _told(lambda name=argument: core.read_namespaced_config_map(name.removeprefix(_CONFIGURED), space))
            if held and variable in (held.data or {}):
                return held.data[variable].strip()
    found = next((each for each in container.env or () if each.name == variable), None)
    if found is None or found.value_from is None:
        return found.value if found else None
    return _referred(core, space, found.value_from)


def _referred(core: client.CoreV1Api, space: str, source: Any) -> str | None:
    if at := source.config_map_key_ref:
        held = _told(lambda: core.read_namespaced_config_map(at.name, space))
        return _line(held.data, at.key) if held else None
    if at := source.secret_key_ref:
        held = _told(lambda: core.read_namespaced_secret(at.name, space))
        value = _line(held.data, at.key) if held else None
        return b64decode(value).decode().strip() if value else None
    return None


def _line(data: Mapping[str, str] | None, key: str) -> str | None:
    return value.strip() if (value := (data or {}).get(key)) else None


def _told(call: Callable[[], Any]) -> Any:
    """``None`` for what is not there, or may not be asked."""
    try:
        return call()
    except ApiException as error:
        if error.status in (_FORBIDDEN, _NOT_FOUND):
            return None
        raise
