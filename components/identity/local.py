"""Identity on this machine: the gateway is the issuer, its clients have a key file each."""

from typing import Any, TypedDict

import pulumi
from pulumi import Input

from components.identity.contract import Identity
from components.naming import operator_subject, worker_subject


class LocalIdentityArgs(TypedDict):
    """``gateway``: its URL. ``public``: public JWK by name, as the keys give them out."""

    stack: str
    gateway: Input[str]
    public: Input[dict[str, dict[str, Any]]]


class LocalIdentity(Identity):
    def __init__(self, name: str, args: LocalIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        clients = (
            ("worker", "workload", worker_subject(args["stack"])),
            ("operator", "person", operator_subject()),
        )
        self.issuer = pulumi.Output.from_input(args["gateway"])
        self.clients = pulumi.Output.from_input(args["public"]).apply(
            lambda public: [
                {"id": client, "subject": subject, "kind": kind, "jwk": public[client]}
                for client, kind, subject in clients
            ]
        )
        self.register_outputs({"issuer": self.issuer, "clients": self.clients})
