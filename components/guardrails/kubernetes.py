"""Guardrails of a Kubernetes cluster: ValidatingAdmissionPolicies, decided by the API server itself (1.30 and newer).

They bind by the namespaces' names, which nobody can change, so that no label taken off a namespace takes it out.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Input
from pulumi_kubernetes.admissionregistration.v1 import (
    MatchResourcesArgs,
    NamedRuleWithOperationsArgs,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpecArgs,
    ValidatingAdmissionPolicySpecArgs,
    ValidationArgs,
    VariableArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, LabelSelectorRequirementArgs, ObjectMetaArgs

from components.guardrails.contract import Guardrails
from components.guardrails.kubernetes_workloads import BEFORE, CONTAINERS, Check, images, origin, workloads
from components.infrastructure import Refused
from components.kubernetes.parts import REGION_LABEL, Part
from components.kubernetes.pods import image_by_digest

_REGISTRY = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]([-a-z0-9._]*[a-z0-9])?)*")
_REGION = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class KubernetesGuardrailsArgs(TypedDict):
    """``stack``: begins every policy's name. ``namespaces``: those of the fabric, by part.

    ``registries``: host, with or without the beginning of a path, of every registry that images may come from.
    ``region``: value of the region's label at the nodes that may run a pod. ``image``: the runtime's, by digest.
    ``provision``: the part that the Job of that name runs in. ``operator``: namespace of CloudNativePG, where it makes
    the fabric's databases. ``interface``: resource that the cluster has a pod ask for when it gives it a network
    interface, and with it security groups, of its own (AWS: ``vpc.amazonaws.com/pod-eni``); no pod is let in without.
    """

    stack: str
    namespaces: Mapping[Part, Input[str]]
    registries: Sequence[str]
    region: str
    image: str
    provision: Part
    operator: NotRequired[str]
    interface: NotRequired[str]


class KubernetesGuardrails(Guardrails):
    """``policies``: known once they are bound.

    Raises ``ValueError`` for a registry or region that is none, ``Refused`` for an image that no digest names.
    """

    def __init__(self, name: str, args: KubernetesGuardrailsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        spaces, operator = args["namespaces"], args.get("operator")
        image = image_by_digest(args["image"], "gateway.image")
        interface = args.get("interface")
        checks = (
            _images(args["registries"]),
            _host(),
            _region(args["region"]),
            workloads(spaces, image, args["provision"], operator),
            origin(spaces, operator),
            *([_interface(interface)] if interface else []),
        )
        self.policies = pulumi.Output.all(*(self._create_policy(check) for check in checks))
        self.register_outputs({"policies": self.policies})

    def _create_policy(self, check: Check) -> pulumi.Output[str]:
        policy = ValidatingAdmissionPolicy(
            f"{self._name}-{check.name}",
            metadata=ObjectMetaArgs(name=f"{self._args['stack']}-{check.name}"),
            spec=ValidatingAdmissionPolicySpecArgs(
                failure_policy="Fail",
                match_constraints=self._matched(check),
                variables=[VariableArgs(name=name, expression=cel) for name, cel in check.variables.items()],
                validations=[
                    ValidationArgs(expression=cel, message=message, reason="Forbidden")
                    for cel, message in check.refusals.items()
                ],
            ),
            opts=self._child,
        )
        binding = ValidatingAdmissionPolicyBinding(
            f"{self._name}-{check.name}-bound",
            metadata=ObjectMetaArgs(name=f"{self._args['stack']}-{check.name}"),
            spec=ValidatingAdmissionPolicyBindingSpecArgs(
                policy_name=policy.metadata.name, validation_actions=["Deny", "Audit"]
            ),
            opts=self._child,
        )
        return pulumi.Output.all(policy.metadata.name, binding.urn).apply(lambda known: known[0])

    def _matched(self, check: Check) -> MatchResourcesArgs:
        fabric = LabelSelectorRequirementArgs(
            key="kubernetes.io/metadata.name", operator="In", values=[*self._args["namespaces"].values()]
        )
        rules = [
            NamedRuleWithOperationsArgs(
                api_groups=[group],
                api_versions=["v1"],
                operations=[*check.operations],
                resources=[*resources],
                scope="Namespaced",
            )
            for group, resources in check.resources.items()
        ]
        return MatchResourcesArgs(
            namespace_selector=LabelSelectorArgs(match_expressions=[fabric]), resource_rules=rules
        )


def check_registries(registries: Sequence[str]) -> None:
    """Raises ``Refused``, as ``KubernetesGuardrails`` does."""
    wrong = [registry for registry in registries if not _REGISTRY.fullmatch(registry)]
    if wrong or not registries:
        raise Refused(
            f"registries: expected as registry.example or registry.example/team, got {wrong or 'none'}: "
            "name the runtime's image, and so its registry, by gateway.image"
        )


def _images(registries: Sequence[str]) -> Check:
    """An image can be changed at a pod that runs, so updates count too. One can be a volume as well.

    What was let in stays, for a pod of the registry before still has its labels and finalizers changed.
    """
    check_registries(registries)
    allowed = json.dumps([f"{registry}/" for registry in sorted(registries)])
    new = f"({images('object')}).filter(image, !(image in variables.before))"
    return Check(
        "images",
        ("CREATE", "UPDATE"),
        {"before": BEFORE, "images": new, "registries": allowed},
        {
            "variables.images.all(image, variables.registries.exists(registry, image.startsWith(registry)))": (
                f"images come from {', '.join(sorted(registries))} alone: push this one there"
            ),
            "variables.images.all(image, image.matches('@sha256:[0-9a-f]{64}$'))": (
                "images are named by digest (@sha256:…): a tag can be moved"
            ),
        },
    )


def _host() -> Check:
    privileged = " + ".join(
        f"object.spec.?{kind}.orValue([]).map(c, c.?securityContext.?privileged.orValue(false))" for kind in CONTAINERS
    )
    ports = " + ".join(
        f"object.spec.?{kind}.orValue([]).map(c, c.?ports.orValue([]).exists(p, p.?hostPort.orValue(0) != 0))"
        for kind in CONTAINERS
    )
    spaces = "[object.spec.?hostNetwork, object.spec.?hostPID, object.spec.?hostIPC]"
    return Check(
        "host",
        ("CREATE", "UPDATE"),
        {"privileged": privileged, "ports": ports},
        {
            f"!{spaces}.exists(space, space.orValue(false))": (
                "hostNetwork, hostPID and hostIPC go round the network policies: leave them out"
            ),
            "!object.spec.?volumes.orValue([]).exists(volume, has(volume.hostPath))": (
                "a hostPath volume reaches the node's files: take a claim"
            ),
            "!variables.privileged.exists(found, found)": "privileged containers are the node's root: leave it out",
            "!variables.ports.exists(found, found)": "a hostPort opens the node: take a Service",
        },
    )


def _region(region: str) -> Check:
    """A pod cannot change its node, so only its creation counts."""
    if not _REGION.fullmatch(region):
        raise ValueError(f"region: expected a label's value as eu-central-1, got {region!r}")
    return Check(
        "region",
        ("CREATE",),
        {},
        {
            f'object.spec.?nodeSelector[?"{REGION_LABEL}"].orValue("") == "{region}"': (
                f"pods run in {region} alone: set nodeSelector {REGION_LABEL}: {region}"
            )
        },
    )


def _interface(resource: str) -> Check:
    """Webhooks that change a pod come before policies. AWS's fails open, and a pod that it did not see starts in its
    node's groups; it gives the first container one, and the node looks at that container's limits alone
    (aws/amazon-vpc-resource-controller-k8s b8d4251, config/webhook/manifests.yaml, webhooks/core/pod_webhook.go;
    aws/amazon-vpc-cni-k8s b521883, pkg/ipamd/rpc_handler.go). Resources cannot change, so only creation counts.
    """
    limits = "object.spec.containers[0].?resources.?limits"
    return Check(
        "interface",
        ("CREATE",),
        {},
        {
            f'{limits}[?{json.dumps(resource)}].orValue("") == "1"': (
                f"the cluster gave this pod no {resource}, and with it no security groups of its own: its workload's "
                "controller tries again, and if that goes on, see whether the cluster's webhook answers"
            )
        },
    )
