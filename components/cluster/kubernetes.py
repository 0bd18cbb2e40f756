"""A cluster that is there: nothing of it is made, and what has to be so is looked up or has to be said.

The fabric gets an authority of its own there, which signs what its parts know each other by. cert-manager, which the
cluster has to run, holds its key. A ClusterIssuer answers every namespace, so a policy of the API server keeps this one
to the fabric's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NotRequired, TypedDict
from urllib.parse import urlsplit

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.admissionregistration.v1 import (
    MatchResourcesArgs,
    NamedRuleWithOperationsArgs,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpecArgs,
    ValidatingAdmissionPolicySpecArgs,
    ValidationArgs,
)
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, LabelSelectorRequirementArgs, ObjectMetaArgs
from pulumi_kubernetes.storage.v1 import StorageClass

from components.cluster.contract import Cluster
from components.infrastructure import Refused

CERT_MANAGER: Final = "cert-manager.io/v1"
_TEN_YEARS = "87600h0m0s"


class KubernetesClusterArgs(TypedDict):
    """``context``: of the kubeconfig. ``issuer``: what the cluster's own tokens name as theirs, the ``issuer`` of its
    ``/.well-known/openid-configuration``. ``namespaces``: the fabric's.

    ``encrypted_at_rest``: that its API server encrypts Secrets; ``key``: a reference to the key outside that it does it
    with. Neither can be seen from inside. ``cert_manager``: where cert-manager looks for the keys of ClusterIssuers.
    """

    stack: str
    context: str
    issuer: str
    storage_class: str
    namespaces: Input[Sequence[Input[str]]]
    encrypted_at_rest: bool
    key: str | None
    cert_manager: NotRequired[str]


class KubernetesCluster(Cluster):
    """``storage_class``: known once the cluster was seen to have it. ``issuer``: of its ServiceAccounts' tokens.

    ``authority``: name of the ClusterIssuer that signs for the fabric's namespaces, known once no other is signed for.
    Raises ``Refused``.
    """

    storage_class: Output[str]
    issuer: Output[str]
    authority: Output[str]

    def __init__(self, name: str, args: KubernetesClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        check_cluster(encrypted_at_rest=args["encrypted_at_rest"], key=args["key"], issuer=args["issuer"])
        self._name, self._args = name, args
        self._signs = f"{args['stack']}-authority"
        self._holder = args.get("cert_manager", "cert-manager")
        self._child = pulumi.ResourceOptions(parent=self)
        self.name = Output.from_input(args["context"])
        self.issuer = Output.from_input(args["issuer"])
        self.storage_class = _known(args["storage_class"], self._find_storage_class())
        self.authority = _known(self._signs, *self._create_authority(), *self._create_fence())
        outputs = {"storage_class": self.storage_class, "issuer": self.issuer, "authority": self.authority}
        self.register_outputs({"name": self.name, **outputs})

    def _find_storage_class(self) -> StorageClass:
        """It fails where the cluster has none of that name."""
        return StorageClass.get(f"{self._name}-storage", self._args["storage_class"], opts=self._child)

    def _create_authority(self) -> list[pulumi.Resource]:
        root = f"{self._args['stack']}-root"
        authority = {
            "isCA": True,
            "commonName": self._signs,
            "secretName": self._signs,
            "duration": _TEN_YEARS,
            "privateKey": {"algorithm": "ECDSA", "size": 256},
            "issuerRef": {"group": "cert-manager.io", "kind": "Issuer", "name": root},
        }
        return [
            self._create("root", "Issuer", root, {"selfSigned": {}}),
            self._create("authority", "Certificate", self._signs, authority),
            self._create("issuer", "ClusterIssuer", self._signs, {"ca": {"secretName": self._signs}}),
        ]

    def _create(self, role: str, kind: str, name: str, spec: Mapping[str, Any]) -> CustomResource:
        namespace = None if kind == "ClusterIssuer" else self._holder
        return CustomResource(
            f"{self._name}-{role}",
            api_version=CERT_MANAGER,
            kind=kind,
            metadata=ObjectMetaArgs(name=name, namespace=namespace),
            spec=spec,
            opts=self._child,
        )

    def _create_fence(self) -> list[pulumi.Resource]:
        """Certificates are signed by request, so the requests are what is refused; a cluster's other requests are not
        looked at, and a namespace's name is one that nobody can change."""
        name = f"{self._args['stack']}-certificates"
        rule = NamedRuleWithOperationsArgs(
            api_groups=["cert-manager.io"],
            api_versions=["v1"],
            operations=["CREATE", "UPDATE"],
            resources=["certificaterequests"],
            scope="Namespaced",
        )
        refusal = ValidationArgs(
            expression=f'object.spec.issuerRef.name != "{self._signs}"',
            message=f"{self._signs} signs for the namespaces of its own fabric alone: take another issuer",
            reason="Forbidden",
        )
        elsewhere = LabelSelectorRequirementArgs(
            key="kubernetes.io/metadata.name", operator="NotIn", values=self._args["namespaces"]
        )
        policy = ValidatingAdmissionPolicy(
            f"{self._name}-certificates",
            metadata=ObjectMetaArgs(name=name),
            spec=ValidatingAdmissionPolicySpecArgs(
                failure_policy="Fail",
                match_constraints=MatchResourcesArgs(
                    namespace_selector=LabelSelectorArgs(match_expressions=[elsewhere]), resource_rules=[rule]
                ),
                validations=[refusal],
            ),
            opts=self._child,
        )
        binding = ValidatingAdmissionPolicyBinding(
            f"{self._name}-certificates-bound",
            metadata=ObjectMetaArgs(name=name),
            spec=ValidatingAdmissionPolicyBindingSpecArgs(
                policy_name=policy.metadata.name, validation_actions=["Deny", "Audit"]
            ),
            opts=self._child,
        )
        return [policy, binding]


def _known(value: str, *after: pulumi.Resource) -> Output[str]:
    return Output.all(*(each.urn for each in after)).apply(lambda _: value)


def check_cluster(*, encrypted_at_rest: bool, key: str | None, issuer: str) -> None:
    """Raises ``Refused``, as ``KubernetesCluster`` does."""
    if not encrypted_at_rest:
        raise Refused(
            "cluster.encrypted_at_rest: the fabric's Secrets would lie in etcd as they are. Configure the API server's "
            "encryption by a KMS provider (kubernetes.io, Using a KMS provider for data encryption), then say true"
        )
    if not key:
        raise Refused(
            "cluster.key: expected a reference to the key outside the cluster that its Secrets are encrypted with, "
            "such as the KMS provider's name and the key's there: a key that lies beside etcd guards nothing"
        )
    parts = urlsplit(issuer)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise Refused(
            f"cluster.issuer: {issuer!r} is no issuer of tokens: expected an https URL as "
            "`kubectl get --raw /.well-known/openid-configuration` says"
        )
