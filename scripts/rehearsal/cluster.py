"""Kubernetes objects on a real API server: what it takes, defaults and refuses is real, and nothing runs.

Objects of kinds that the server does not have (an operator's, without its CustomResourceDefinition) stay with the
recorder: ``Cluster.unknown`` lists them.
"""

import json
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kubernetes import config
from kubernetes.client import ApiClient, ApiException, CoreV1Api, V1Namespace, V1NamespaceSpec, V1ObjectMeta
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError, ResourceNotFoundError
from urllib3.exceptions import HTTPError

from scripts.rehearsal.wire import Properties, revealed

_MANAGER = "pulumi"
_SERVED_SECONDS = 30
_ASK_AGAIN_SECONDS = 0.1


class Refused(ValueError):
    """What the API server said."""


class Cluster:
    """``definitions``: of custom resources. ``unknown``: kinds that were asked for and that nobody has defined."""

    def __init__(self, kubeconfig: Path, definitions: Iterable[Mapping[str, Any]]) -> None:
        self._api: ApiClient = config.new_client_from_config(config_file=str(kubeconfig))
        self._client = DynamicClient(self._api)
        self._definitions = {(each["spec"]["group"], each["spec"]["names"]["kind"]): each for each in definitions}
        self._learning = threading.RLock()
        self.unknown: set[str] = set()

    def knows(self, inputs: Mapping[str, Any]) -> bool:
        """Whether the object is one for the server, which learns of a custom resource when it is asked for."""
        version, kind = str(inputs.get("apiVersion")), str(inputs.get("kind"))
        with self._learning:
            if self._kind(inputs) is None and (definition := self._definitions.get((version.partition("/")[0], kind))):
                self._define(definition)
        if self._kind(inputs) is None:
            self.unknown.add(f"{version} {kind}")
            return False
        return True

    def _define(self, definition: Mapping[str, Any]) -> None:
        """Raises ``Refused``."""
        name = definition["metadata"]["name"]
        self.apply(name, definition)
        kinds = self._client.resources.get(api_version=definition["apiVersion"], kind=definition["kind"])
        until = time.monotonic() + _SERVED_SECONDS
        while not _established(kinds.get(name=name).to_dict()):
            if time.monotonic() > until:
                raise Refused(f"the API server does not serve {name} after {_SERVED_SECONDS} s")
            time.sleep(_ASK_AGAIN_SECONDS)
        self._client.resources.invalidate_cache()

    def apply(self, name: str, inputs: Mapping[str, Any], *, dry_run: bool = False) -> Properties:
        """The object as the server keeps it; raises ``Refused``."""
        body = revealed(dict(inputs))
        body["metadata"] = {**(body.get("metadata") or {}), "name": name}
        try:
            kept = self._client.server_side_apply(
                self._kind(inputs),
                body=body,
                name=name,
                namespace=body["metadata"].get("namespace"),
                field_manager=_MANAGER,
                force_conflicts=True,
                query_params=[("fieldValidation", "Strict")],
                dry_run="All" if dry_run else None,
            )
        except ApiException as refused:
            raise Refused(_said(refused)) from refused
        except HTTPError as lost:
            raise Refused(str(lost)) from lost
        return kept.to_dict()

    def replaces(self, name: str, inputs: Mapping[str, Any]) -> bool:
        """Whether the server takes the object only anew, because what changed in it may not change."""
        try:
            self.apply(name, inputs, dry_run=True)
        except Refused as refused:
            return "immutable" in str(refused) or "forbidden: updates to" in str(refused)
        return False

    def has(self, name: str, inputs: Mapping[str, Any]) -> bool:
        return self._get(name, inputs) is not None

    def read(self, token: str, rid: str) -> Properties | None:
        """An object that the program looks up: ``rid`` is its name, after its namespace where it has one."""
        _, group, kind = token.split(":")
        namespace, _, name = rid.rpartition("/")
        version = group.removeprefix("core/")
        found = self._get(name, {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace or None}})
        return found.to_dict() if found else None

    def delete(self, name: str, inputs: Mapping[str, Any]) -> None:
        """Also what a controller would do for it to end, as none runs: a namespace is finalised, finalisers are
        dropped. Raises ``Refused``."""
        kind, namespace = self._kind(inputs), _namespace(inputs)
        try:
            self._client.delete(kind, name=name, namespace=namespace, body={"propagationPolicy": "Background"})
            left = self._get(name, inputs)
            if left is None:
                return
            if inputs["kind"] == "Namespace":
                ended = V1Namespace(metadata=V1ObjectMeta(name=name), spec=V1NamespaceSpec())
                CoreV1Api(self._api).replace_namespace_finalize(name, ended)
            else:
                patch = {"metadata": {"finalizers": None}}
                self._client.patch(
                    kind, patch, name=name, namespace=namespace, content_type="application/merge-patch+json"
                )
        except NotFoundError:
            return
        except ApiException as refused:
            raise Refused(_said(refused)) from refused

    def _get(self, name: str, inputs: Mapping[str, Any]) -> Any:
        try:
            return self._client.get(self._kind(inputs), name=name, namespace=_namespace(inputs))
        except NotFoundError:
            return None

    def _kind(self, inputs: Mapping[str, Any]) -> Any:
        version, kind = inputs.get("apiVersion"), inputs.get("kind")
        if not version or not kind:
            return None
        try:
            with self._learning:  # while its client learns of a kind it knows none
                return self._client.resources.get(api_version=version, kind=kind)
        except ResourceNotFoundError:
            return None


def _established(definition: Mapping[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def _namespace(inputs: Mapping[str, Any]) -> str | None:
    return revealed((inputs.get("metadata") or {}).get("namespace"))


def _said(refused: ApiException) -> str:
    try:
        return str(json.loads(refused.body or "{}").get("message") or refused.reason)
    except ValueError:
        return str(refused.reason)
