"""Guardrails of a Kubernetes cluster: ValidatingAdmissionPolicies, decided by the API server itself (1.30 and newer).

They bind by the namespaces' names, which nobody can change, so that no label taken off a namespace takes it out.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

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
from components.kubernetes.parts import REGION_LABEL

_REGISTRY = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]([-a-z0-9._]*[a-z0-9])?)*")
_REGION = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_PODS = ("pods", "pods/ephemeralcontainers")


class KubernetesGuardrailsArgs(TypedDict):
    """``stack``: begins every policy's name. ``namespaces``: those of the fabric.

    ``registries``: host, with or without the beginning of a path, of every registry that images may come from.
    ``region``: value of the region's label at the nodes that may run a pod.
    """

    stack: str
    namespaces: Input[Sequence[Input[str]]]
    registries: Sequence[str]
    region: str


@dataclass(frozen=True)
class _Check:
    """``variables``: CEL by name. ``refusals``: CEL that has to hold → what is said where it does not."""

    name: str
    operations: tuple[str, ...]
    variables: dict[str, str]
    refusals: dict[str, str]


class KubernetesGuardrails(Guardrails):
    """``policies``: known once they are bound. Raises ``ValueError`` for a registry or region that is none."""

    def __init__(self, name: str, args: KubernetesGuardrailsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        checks = (_images(args["registries"]), _host(), _region(args["region"]))
        self.policies = pulumi.Output.all(*(self._create_policy(check) for check in checks))
        self.register_outputs({"policies": self.policies})

    def _create_policy(self, check: _Check) -> pulumi.Output[str]:
        policy = ValidatingAdmissionPolicy(
            f"{self._name}-{check.name}",
            metadata=ObjectMetaArgs(name=f"{self._args['stack']}-{check.name}"),
            spec=ValidatingAdmissionPolicySpecArgs(
                failure_policy="Fail",
                match_constraints=self._pods(check.operations),
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

    def _pods(self, operations: Sequence[str]) -> MatchResourcesArgs:
        fabric = LabelSelectorRequirementArgs(
            key="kubernetes.io/metadata.name", operator="In", values=self._args["namespaces"]
        )
        rule = NamedRuleWithOperationsArgs(
            api_groups=[""], api_versions=["v1"], operations=[*operations], resources=[*_PODS], scope="Namespaced"
        )
        return MatchResourcesArgs(
            namespace_selector=LabelSelectorArgs(match_expressions=[fabric]), resource_rules=[rule]
        )


def _images(registries: Sequence[str]) -> _Check:
    """An image can be changed at a pod that runs, so updates count too. One can be a volume as well."""
    wrong = [registry for registry in registries if not _REGISTRY.fullmatch(registry)]
    if wrong or not registries:
        raise ValueError(f"registries: expected as registry.example or registry.example/team, got {wrong or 'none'}")
    run = [f"object.spec.?{kind}.orValue([]).map(c, c.image)" for kind in _CONTAINERS]
    mounted = 'object.spec.?volumes.orValue([]).filter(v, has(v.image)).map(v, v.image.?reference.orValue(""))'
    allowed = json.dumps([f"{registry}/" for registry in sorted(registries)])
    return _Check(
        "images",
        ("CREATE", "UPDATE"),
        {"images": " + ".join([*run, mounted]), "registries": allowed},
        {
            "variables.images.all(image, variables.registries.exists(registry, image.startsWith(registry)))": (
                f"images come from {', '.join(sorted(registries))} alone: push this one there"
            ),
            "variables.images.all(image, image.matches('@sha256:[0-9a-f]{64}$'))": (
                "images are named by digest (@sha256:…): a tag can be moved"
            ),
        },
    )


def _host() -> _Check:
    privileged = " + ".join(
        f"object.spec.?{kind}.orValue([]).map(c, c.?securityContext.?privileged.orValue(false))" for kind in _CONTAINERS
    )
    ports = " + ".join(
        f"object.spec.?{kind}.orValue([]).map(c, c.?ports.orValue([]).exists(p, p.?hostPort.orValue(0) != 0))"
        for kind in _CONTAINERS
    )
    spaces = "[object.spec.?hostNetwork, object.spec.?hostPID, object.spec.?hostIPC]"
    return _Check(
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


def _region(region: str) -> _Check:
    """A pod cannot change its node, so only its creation counts."""
    if not _REGION.fullmatch(region):
        raise ValueError(f"region: expected a label's value as eu-central-1, got {region!r}")
    return _Check(
        "region",
        ("CREATE",),
        {},
        {
            f'object.spec.?nodeSelector[?"{REGION_LABEL}"].orValue("") == "{region}"': (
                f"pods run in {region} alone: set nodeSelector {REGION_LABEL}: {region}"
            )
        },
    )
