"""Identity on Kubernetes: workloads are who the cluster's tokens say, for the gateway's issuer alone.

A pod mounts such a token (its ServiceAccount's, projected, audience the issuer); the gateway verifies it by the keys
that the API server publishes, which its own account may read. Nobody's account may do anything else, and none has a
token unless a pod asks for one. For scope classes nothing is made: an on-premises core system trusts the gateway's
issuer itself, by its published keys.
"""

from typing import Any, Final, NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import ClusterRoleBinding, RoleRefArgs, SubjectArgs

from components.identity.contract import Identity
from components.infrastructure import Refused
from components.kubernetes.parts import PART_LABEL, STACK_LABEL, Part
from components.naming import operator_subject, worker_subject

JWKS: Final = "https://kubernetes.default.svc/openid/v1/jwks"
"""Where the API server publishes its keys, by the name that it has in every cluster."""
DISCOVERY: Final = "system:service-account-issuer-discovery"
"""A role of every cluster; a hardened one binds nobody to it (kubernetes.io, Service account issuer discovery)."""


class KubernetesIdentityArgs(TypedDict):
    """``gateway``: ``iss`` of the fabric's tokens. ``public``: public JWK by name, as the keys give them out.

    ``runtime``, ``tools``: their namespaces. ``cluster_issuer``: of the cluster's own tokens. ``jwks``: an https URL of
    its keys, for a gateway elsewhere; otherwise the API server's own.
    """

    stack: str
    gateway: str
    runtime: Input[str]
    tools: Input[str]
    cluster_issuer: Input[str]
    public: Input[dict[str, dict[str, Any]]]
    jwks: NotRequired[str]


class KubernetesIdentity(Identity):
    """``gateway``, ``worker``, ``tools``: names of ServiceAccounts. ``audience``: what a projected token has to be for.

    Raises ``Refused``.
    """

    gateway: Output[str]
    worker: Output[str]
    tools: Output[str]
    audience: Output[str]

    def __init__(self, name: str, args: KubernetesIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        _check(args)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        gateway = self._create_account("gateway", Part.RUNTIME, args["runtime"])
        worker = self._create_account("worker", Part.RUNTIME, args["runtime"])
        tools = self._create_account("tools", Part.TOOLS, args["tools"])
        bound = self._create_discovery(gateway)
        self.issuer = self.audience = Output.from_input(args["gateway"])
        self.gateway = Output.all(gateway.metadata.name, bound.urn).apply(lambda known: known[0])
        self.worker, self.tools = worker.metadata.name, tools.metadata.name
        self.clients = self._clients(worker)
        self.register_outputs(
            {
                "issuer": self.issuer,
                "clients": self.clients,
                "gateway": self.gateway,
                "worker": self.worker,
                "tools": self.tools,
                "audience": self.audience,
            }
        )

    def _create_account(self, role: str, part: Part, namespace: Input[str]) -> ServiceAccount:
        labels = {STACK_LABEL: self._args["stack"], PART_LABEL: str(part)}
        return ServiceAccount(
            f"{self._name}-{role}",
            metadata=ObjectMetaArgs(name=role, namespace=namespace, labels=labels),
            automount_service_account_token=False,
            opts=self._child,
        )

    def _create_discovery(self, gateway: ServiceAccount) -> ClusterRoleBinding:
        account = SubjectArgs(kind="ServiceAccount", name=gateway.metadata.name, namespace=gateway.metadata.namespace)
        return ClusterRoleBinding(
            f"{self._name}-discovery",
            metadata=ObjectMetaArgs(name=f"{self._args['stack']}-discovery"),
            role_ref=RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=DISCOVERY),
            subjects=[account],
            opts=self._child,
        )

    def _clients(self, worker: ServiceAccount) -> Output[list[dict[str, Any]]]:
        stack, jwks = self._args["stack"], self._args.get("jwks", JWKS)
        known = Output.all(
            issuer=self._args["cluster_issuer"], namespace=worker.metadata.namespace, public=self._args["public"]
        )
        return known.apply(
            lambda told: [
                {
                    "id": "worker",
                    "subject": worker_subject(stack),
                    "kind": "workload",
                    "service_account": {
                        "issuer": told["issuer"],
                        "jwks": jwks,
                        "subject": f"system:serviceaccount:{told['namespace']}:worker",
                    },
                },
                {
                    "id": "operator",
                    "subject": operator_subject(),
                    "kind": "person",
                    "jwk": told["public"]["operator"],
                },
            ]
        )


def _check(args: KubernetesIdentityArgs) -> None:
    for key, url in (("gateway", args["gateway"]), ("jwks", args.get("jwks", JWKS))):
        if not url.startswith("https://"):
            raise Refused(
                f"identity.{key}: {url!r} is no https URL, and whoever is on the way could change what it says"
            )
