"""What a cluster has to have before a fabric is made on it: APIs, operators and what they put into the fabric's pods,
nodes, and the Secrets that a person brings."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from components.spec import Extent, FabricSpec
from scripts.preflight.facts import Facts, Operator
from scripts.preflight.results import Grade, Result, passed, unknown

APIS = {
    "postgresql.cnpg.io": "CloudNativePG, which runs the databases",
    "cert-manager.io": "cert-manager, which makes certificates",
    "gateway.networking.k8s.io": "Gateway API, by which callers come in",
    "metrics.k8s.io": "a metrics server, by which gateways become more",
}
GPU_APIS = {"keda.sh": "KEDA, which starts and stops the model server"}
BACKUP_APIS = {"barmancloud.cnpg.io": "CloudNativePG's plugin for Barman, which keeps backups"}
CILIUM_APIS = {"cilium.io": "Cilium, which knows hosts by their names"}


class Written(NamedTuple):
    """``since``: major and minor version whose definitions and behaviour the fabric was written by. ``variable``: of
    its Deployment, where it puts an image into the fabric's own pods."""

    group: str
    since: tuple[int, int]
    variable: str = ""


OPERATORS: Mapping[str, Written] = {
    "cloudnative-pg": Written("postgresql.cnpg.io", (1, 30), "OPERATOR_IMAGE_NAME"),
    "plugin-barman-cloud": Written("barmancloud.cnpg.io", (0, 15), "SIDECAR_IMAGE"),
    "cert-manager": Written("cert-manager.io", (1, 21)),
    "keda": Written("keda.sh", (2, 20)),
}
_BY_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_DEFINITIONS = "docs/runbooks/prepare-kubernetes.md"


def apis(spec: FabricSpec) -> dict[str, str]:
    """The groups of operators that the fabric's objects are of, and what each is."""
    if spec.extent is not Extent.FABRIC:
        return {}
    return {
        **APIS,
        **(GPU_APIS if spec.hosted else {}),
        **(BACKUP_APIS if spec.backup.store else {}),
        **(CILIUM_APIS if spec.cluster.cilium else {}),
    }


def cluster(facts: Facts, spec: FabricSpec, brought: Mapping[str, tuple[str, ...]]) -> Iterator[Result]:
    """``brought``: ``namespace/Secret`` → keys that a person lays down in it."""
    yield from _served(facts, spec)
    yield from _operators(facts, spec)
    yield from _nodes(facts, spec)
    for secret, keys in brought.items():
        yield _secret(secret, keys, facts)


def _served(facts: Facts, spec: FabricSpec) -> Iterator[Result]:
    for group, what in apis(spec).items():
        if facts.apis is None:
            yield unknown("cluster/apis", group)
        elif group not in facts.apis:
            yield Result(
                "cluster/apis", Grade.FAIL, group, f"the cluster does not serve it: {what}", "install it first"
            )
        else:
            yield passed("cluster/apis", group, what)


def _operators(facts: Facts, spec: FabricSpec) -> Iterator[Result]:
    registry = spec.gateway.registry if spec.gateway else None
    for name, written in OPERATORS.items():
        if written.group not in apis(spec):
            continue
        found = (facts.operators or {}).get(name, Operator())
        yield _version(name, written.since, found.version)
        if written.variable and registry:
            yield _image(name, written.variable, found.image, registry)


def _version(name: str, since: tuple[int, int], version: str | None) -> Result:
    code, wanted = "cluster/operator", ".".join(map(str, since))
    numbers = tuple(int(part) for part in re.findall(r"\d+", version or "")[:2])
    if len(numbers) < 2:
        return unknown(code, name)
    if numbers < since:
        remedy = f"bring it to {wanted}: {_DEFINITIONS}"
        return Result(code, Grade.FAIL, name, f"{version}; the fabric is written for {wanted}", remedy)
    if numbers > since:
        message = f"{version}, newer than {wanted}, for which the fabric is written"
        return Result(code, Grade.WARN, name, message, "read what its publisher says has changed, and try it apart")
    return passed(code, name, f"{version}, for which the fabric is written")


def _image(name: str, variable: str, image: str | None, registry: str) -> Result:
    """Admission in the fabric's namespaces takes no other (components/guardrails/kubernetes.py)."""
    code, subject = "cluster/operator-image", f"{name} {variable}"
    if image is None:
        return unknown(code, subject)
    if image.startswith(f"{registry}/") and _BY_DIGEST.search(image):
        return passed(code, subject, image)
    message = f"{image}: no pod that it is put into is admitted, so no database starts"
    return Result(code, Grade.FAIL, subject, message, f"set it to {registry}/…@sha256:… ({_DEFINITIONS})")


def _secret(secret: str, keys: tuple[str, ...], facts: Facts) -> Result:
    code, namespace = "cluster/secret", secret.partition("/")[0]
    told = ", ".join(keys)
    if facts.secrets is None or secret not in facts.secrets:
        return unknown(code, secret)
    found = facts.secrets[secret]
    if found is None:
        message = f"namespace {namespace} is made by the first `pulumi up`"
        remedy = f"lay the Secret down with {told} while that waits, or before the next one"
        return Result(code, Grade.INFO, secret, message, remedy)
    if wanting := [key for key in keys if key not in found]:
        remedy = f"create it with {told}: {_DEFINITIONS}"
        return Result(code, Grade.FAIL, secret, f"it has no {', '.join(wanting)}", remedy)
    return passed(code, secret, f"has {told}")


def _nodes(facts: Facts, spec: FabricSpec) -> Iterator[Result]:
    name = spec.cluster.storage_class or ""
    if facts.storage_classes is None:
        yield unknown("cluster/storage", name)
    elif name not in facts.storage_classes:
        known = ", ".join(facts.storage_classes) or "none"
        yield Result(
            "cluster/storage", Grade.FAIL, name, f"no such StorageClass; there are {known}", "name one of them"
        )
    else:
        yield passed("cluster/storage", name, "there")
    yield _labelled("cluster/region", spec.region, facts.regions, "topology.kubernetes.io/region")
    if spec.cluster.gpu:
        yield _labelled("cluster/gpu", spec.cluster.gpu.family, facts.gpus, "loomstead/gpu")


def _labelled(code: str, value: str, nodes: Mapping[str, int] | None, label: str) -> Result:
    if nodes is None:
        return unknown(code, value)
    if not nodes.get(value):
        return Result(
            code, Grade.FAIL, value, f"no node has the label {label}={value}", f"label the nodes {label}={value}"
        )
    return passed(code, value, f"{nodes[value]} nodes")
