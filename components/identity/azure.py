"""Identity on Azure: each scope class is an identity of Entra that trusts the gateway's issuer for one subject alone.

Whoever holds a token of the gateway for ``scope:<stack>:<class>`` may change it for one of Entra in that class's name;
what it then may do is what the core system's owner grants that identity. It has no right in this stack, nor has the
tool executors' identity on Azure itself: PostgreSQL knows it as a reader of the replica, and the network leads to no
other. The runtime's gets its rights where what it uses is made.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict
from urllib.parse import urlsplit

import pulumi
from pulumi import Input, Output
from pulumi_azure_native import managedidentity

from components.identity.contract import Identity
from components.infrastructure import Refused
from components.naming import operator_subject, worker_subject

AUDIENCES = {
    "public": "api://AzureADTokenExchange",
    "usgovernment": "api://AzureADTokenExchangeUSGov",
    "china": "api://AzureADTokenExchangeChina",
}
"""By cloud of Azure: whom a token has to be meant for that Entra takes in exchange."""


class AzureIdentityError(Refused):
    """The identities asked for cannot be made; nothing was created. The message says what, and what to do."""


class AzureIdentityArgs(TypedDict):
    """``environment``: Azure's cloud. ``group``: name of the resource group. ``public``: public JWK by name, as the
    keys give them out.

    ``issuer``: ``iss`` of the gateway's tokens, a public HTTPS address at which Entra fetches its discovery document
    and keys; no scope class can be without.
    """

    stack: str
    region: str
    environment: str
    group: Input[str]
    public: Input[dict[str, dict[str, Any]]]
    scope_classes: Sequence[str]
    issuer: NotRequired[str]


class AzureIdentity(Identity):
    """``issuer``: empty where there is none. ``clients``: those whose key is known.

    ``runtime``, ``tools``: object ids of gateway and worker's identity, and of the tool executors'. ``scopes``: client
    id of each scope class's.
    """

    runtime: Output[str]
    tools: Output[str]
    scopes: Output[dict[str, str]]

    def __init__(self, name: str, args: AzureIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(args.get("issuer"), args["scope_classes"])
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self.runtime = self._create_identity("runtime").principal_id
        self.tools = self._create_identity("tools").principal_id
        self.scopes = Output.all(**{scope: self._create_scope(scope) for scope in sorted(args["scope_classes"])})
        self.issuer = Output.from_input(args.get("issuer", ""))
        self.clients = Output.from_input(args["public"]).apply(self._clients)
        self.register_outputs(
            {
                "issuer": self.issuer,
                "clients": self.clients,
                "runtime": self.runtime,
                "tools": self.tools,
                "scopes": self.scopes,
            }
        )

    def _create_identity(self, role: str) -> managedidentity.UserAssignedIdentity:
        return managedidentity.UserAssignedIdentity(
            f"{self._name}-{role}",
            resource_group_name=self._args["group"],
            location=self._args["region"],
            opts=self._child,
        )

    def _create_scope(self, scope: str) -> Output[str]:
        """Its client id, known once it trusts the issuer."""
        made = self._create_identity(f"scope-{scope}")
        trust = managedidentity.FederatedIdentityCredential(
            f"{self._name}-scope-{scope}-trust",
            resource_group_name=self._args["group"],
            resource_name_=made.name,
            audiences=[AUDIENCES[self._args["environment"]]],
            issuer=self._args.get("issuer", ""),
            subject=f"scope:{self._args['stack']}:{scope}",
            opts=self._child,
        )
        return Output.all(made.client_id, trust.id).apply(lambda told: told[0])

    def _clients(self, public: Mapping[str, Any]) -> list[dict[str, Any]]:
        subjects = (
            ("worker", "workload", worker_subject(self._args["stack"])),
            ("operator", "person", operator_subject()),
        )
        return [
            {"id": client, "subject": subject, "kind": kind, "jwk": public[client]}
            for client, kind, subject in subjects
            if client in public
        ]


def check(issuer: str | None, scope_classes: Sequence[str]) -> None:
    """Raises ``AzureIdentityError`` where Entra could not trust the issuer."""
    if issuer is None and scope_classes:
        raise AzureIdentityError(
            f"directory.issuer: scope classes {', '.join(sorted(scope_classes))} are identities that trust the "
            "gateway's issuer: give the public HTTPS address at which Entra finds its public keys"
        )
    if issuer is not None and urlsplit(issuer).scheme != "https":
        raise AzureIdentityError(f"directory.issuer: Entra fetches keys by HTTPS alone, got {issuer}")
