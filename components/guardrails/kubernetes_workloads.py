"""Whose pods there are in a fabric's namespaces: those of its own workloads, and of them each with its own account.

A pod can say of itself what it likes, that a controller owns it too, so what counts is who makes it: the controllers of
Kubernetes, which say whose it is as they know it, and CloudNativePG, which makes its instances itself. ReplicaSets are
held likewise, for a pod is told by the name of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pulumi import Input, Output

from components.kubernetes.parts import PART_LABEL, PROVISION, TEMPORAL_SERVICES, Part

CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
PODS: Final = ("", ("pods", "pods/ephemeralcontainers"))
_NONE: Final = "default"
"""The account of a pod that asks for none."""
_SYSTEM = "system:serviceaccount:kube-system:"
_MAKERS = json.dumps(
    [
        *(f"{_SYSTEM}{kind}-controller" for kind in ("deployment", "replicaset", "statefulset", "job")),
        f"{_SYSTEM}generic-garbage-collector",
        "system:kube-controller-manager",
    ]
)
"""Who makes pods and ReplicaSets out of workloads, and lets go of them when a workload is deleted; the last where
controllers have no accounts of their own (kubernetes.io, kube-controller-manager, use-service-account-credentials).
EKS's log names its controllers so too (docs.hunters.ai/docs/aws-eks-control-plane-logging)."""
_DATABASES: Final = (Part.PRIMARY, Part.REPLICA)
_WORKLOADS: Mapping[Part, Mapping[str, Sequence[str]]] = {
    Part.RUNTIME: {"Deployment/gateway": ["gateway"], "Deployment/worker": ["worker"]},
    Part.ORCHESTRATOR: {
        **{f"Deployment/temporal-{service}": [_NONE] for service in TEMPORAL_SERVICES},
        **{f"Job/temporal-{job}": [_NONE] for job in ("schema", "namespace")},
    },
    Part.MODELS: {"Deployment/model": ["models", _NONE]},
    Part.CACHE: {"StatefulSet/valkey": [_NONE]},
    Part.OBSERVABILITY: {"Deployment/collector": ["collector"]},
    Part.PRIMARY: {},
    Part.REPLICA: {},
}
"""The fabric's own, and which accounts they may have. What runs the agents' tools is whoever's raises them."""


@dataclass(frozen=True)
class Check:
    """A policy. ``variables``: CEL by name. ``refusals``: CEL that has to hold → what is said where it does not.

    ``resources``: API group → resources of its version 1 that it looks at, at these ``operations``.
    """

    name: str
    operations: tuple[str, ...]
    variables: Mapping[str, Input[str]]
    refusals: Mapping[str, str]
    resources: Mapping[str, Sequence[str]] = field(default_factory=lambda: dict([PODS]))


def workloads(namespaces: Mapping[Part, Input[str]], image: str, provision: Part, operator: str | None) -> Check:
    """Of pods. ``image``: the runtime's. ``provision``: the part that its Job runs in. ``operator``: namespace of
    CloudNativePG, where it makes the databases.

    A pod's account and node cannot change; its labels, owners and images can, so its updates count too. An image that
    was let in stays: a Job that ends while the stack goes on to another image has to be let go.
    """
    account = f'object.spec.?serviceAccountName.orValue("{_NONE}")'
    return Check(
        "workloads",
        ("CREATE", "UPDATE"),
        refusals={
            f'object.metadata.?labels[?"{PART_LABEL}"]'
            '.orValue(request.namespace in variables.databases ? variables.part : "") == variables.part': (
                f"the network knows a pod by its label {PART_LABEL}, which is its namespace's: set it in the template "
                f"of its workload to what `kubectl get namespace -L {PART_LABEL}` says"
            ),
            "variables.owners.size() == 1": (
                "a pod without a controller is held to no network policy on some clusters: make it a Deployment, a "
                "StatefulSet or a Job, and let the pods keep their ownerReferences"
            ),
            f'request.operation == "UPDATE" || {_made(operator)}': (
                "pods are made by the cluster's controllers and nobody else: make a Deployment, a StatefulSet or a Job"
            ),
            'request.operation == "UPDATE" || !(request.namespace in variables.workloads) || '
            "variables.own || variables.database": (
                "the fabric's own workloads alone run here, each under its own ServiceAccount: leave them as the stack "
                "made them, and run others in the namespace of the tools or in one of your own"
            ),
            f'variables.account != "{PROVISION}" || '
            f"variables.images.all(image, image == {json.dumps(image)} || image in variables.before)": (
                f"the ServiceAccount {PROVISION} is for the Job {PROVISION} and the image {image} alone: leave the Job "
                "as the stack made it"
            ),
        },
        variables={
            "part": _parts(namespaces),
            "databases": _known(namespaces, dict.fromkeys(_DATABASES, True)),
            "workloads": _known(namespaces, _own(provision)),
            "account": account,
            "owners": "object.metadata.?ownerReferences.orValue([]).filter(owner, owner.?controller.orValue(false))",
            **_whose(),
            "images": images("object"),
            "before": BEFORE,
        },
    )


def origin(namespaces: Mapping[Part, Input[str]], operator: str | None) -> Check:
    """Of what pods are told by: a ReplicaSet is its Deployment's, and a database's Job is its operator's."""
    return Check(
        "origin",
        ("CREATE", "UPDATE"),
        refusals={
            f'request.resource.resource != "replicasets" || {_made(None)}': (
                "ReplicaSets are made by the cluster's controllers and nobody else: make a Deployment"
            ),
            'request.resource.resource != "jobs" || request.operation == "UPDATE" || '
            f'!(request.namespace in variables.databases) || object.metadata.name == "{PROVISION}" || '
            f"{_operates(operator)}": (
                f"beside a database there are Jobs of its operator and {PROVISION}, and no others: run this one in the "
                "namespace of the tools or in one of your own"
            ),
        },
        variables={"databases": _known(namespaces, dict.fromkeys(_DATABASES, True))},
        resources={"apps": ["replicasets"], "batch": ["jobs"]},
    )


def images(pod: str) -> str:
    """CEL of all images that ``pod`` runs; one can be a volume as well."""
    run = [f"{pod}.spec.?{kind}.orValue([]).map(c, c.image)" for kind in CONTAINERS]
    mounted = f'{pod}.spec.?volumes.orValue([]).filter(v, has(v.image)).map(v, v.image.?reference.orValue(""))'
    return " + ".join([*run, mounted])


BEFORE: Final = f"oldObject == null ? [] : {images('oldObject')}"
"""CEL of the images that the pod has already."""


def _own(provision: Part) -> Mapping[Part, Mapping[str, Sequence[str]]]:
    return {**_WORKLOADS, provision: {**_WORKLOADS[provision], f"Job/{PROVISION}": [PROVISION]}}


def _whose() -> dict[str, str]:
    """A Deployment's ReplicaSets have its name and a hash. CloudNativePG's account, instances and Jobs
    (``primary-2-join``) begin with their cluster's name (cloudnative-pg a95a534, pkg/specs/jobs.go, pods.go)."""
    deployment = 'owner.name.substring(0, owner.name.lastIndexOf("-"))'
    return {
        "named": "variables.owners.map(owner, owner.kind == 'ReplicaSet' ? 'Deployment/' + "
        f"{deployment} : owner.kind + '/' + owner.name)",
        "own": "variables.named.all(name, variables.account in "
        "variables.workloads[request.namespace][?name].orValue([]))",
        "database": f'request.namespace in variables.databases && variables.account != "{PROVISION}" && '
        'variables.owners.all(owner, owner.kind == "Cluster" && owner.name == variables.account || '
        'owner.kind == "Job" && owner.name.startsWith(variables.account + "-"))',
    }


def _made(operator: str | None) -> str:
    """CEL: whether who asks is a controller of the cluster's, or CloudNativePG and asks for a database's pod."""
    made = f"request.userInfo.username in {_MAKERS}"
    return f"({made} || variables.database && {_operates(operator)})" if operator else made


def _operates(operator: str | None) -> str:
    """By its namespace: its account is ``cnpg-manager`` or what its chart's release is called."""
    group = json.dumps(f"system:serviceaccounts:{operator}")
    return f"{group} in request.userInfo.?groups.orValue([])" if operator else "false"


def _parts(namespaces: Mapping[Part, Input[str]]) -> Output[str]:
    return Output.concat(_known(namespaces, {part: str(part) for part in namespaces}), "[request.namespace]")


def _known(namespaces: Mapping[Part, Input[str]], told: Mapping[Part, object]) -> Output[str]:
    """CEL: what is told, by namespace."""
    parts = [part for part in namespaces if part in told]
    names = Output.all(*(namespaces[part] for part in parts))
    return names.apply(lambda known: json.dumps({name: told[part] for name, part in zip(known, parts, strict=True)}))
