"""Identity on Google Cloud: each scope class is a service account that one subject of the gateway's issuer may become.

A pool of Workload Identity Federation knows the issuer by its public key, given here, so Google fetches nothing from
it and it needs no public address. Whoever holds a token of the gateway for ``scope:<stack>:<class>``, meant for the
provider, may act as that class's account; what it then may do is what the core system's owner grants the account. It
has no right in this stack. No account has a key: nothing of it can be taken away.

The tool executors' account signs in to the replica alone; gateway and worker's gets its rights where what it uses is
made. A pool's name is taken for 30 days after its deletion.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NotRequired, TypedDict
from urllib.parse import urlsplit

import pulumi
from pulumi import Input, Output
from pulumi_gcp import iam, serviceaccount

from components.identity.contract import Identity
from components.infrastructure import Refused
from components.naming import operator_subject, worker_subject

BECOME = "roles/iam.workloadIdentityUser"
PRINCIPALS = "principal://iam.googleapis.com"
MOST_SUBJECT = 127
"""Bytes of ``google.subject``; longer ones are refused at every exchange."""
MOST_NAME = 30
"""Characters of an account's id."""


class GcpIdentityError(Refused):
    """The identities asked for cannot be made; nothing was created. The message says what, and what to do."""


class GcpIdentityArgs(TypedDict):
    """``public``: public JWK by name, as the keys give them out; ``issuer``'s is whose tokens are trusted.

    ``issuer``: ``iss`` of the gateway's tokens, an https URL that nobody fetches; no scope class can be without.
    """

    stack: str
    public: Input[dict[str, dict[str, Any]]]
    scope_classes: Sequence[str]
    issuer: NotRequired[str]


class GcpIdentity(Identity):
    """``issuer``: empty where there is none. ``clients``: those whose key is known.

    ``runtime``, ``tools``: e-mail addresses of gateway and worker's account, and of the tool executors'. ``scopes``:
    each scope class's. ``audience``: whom a token has to be meant for to be exchanged; empty without scope classes.
    """

    runtime: Output[str]
    tools: Output[str]
    scopes: Output[dict[str, str]]
    audience: Output[str]

    def __init__(self, name: str, args: GcpIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(args["stack"], args.get("issuer"), args["scope_classes"])
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self.runtime = self._create_account("runtime").email
        self.tools = self._create_account("tools").email
        self.scopes, self.audience = Output.from_input({}), Output.from_input("")
        if args["scope_classes"]:
            self._create_scopes()
        self.issuer = Output.from_input(args.get("issuer", ""))
        self.clients = Output.from_input(args["public"]).apply(self._clients)
        told = ("issuer", "clients", "runtime", "tools", "scopes", "audience")
        self.register_outputs({key: getattr(self, key) for key in told})

    def _create_account(self, role: str) -> serviceaccount.Account:
        return serviceaccount.Account(
            f"{self._name}-{role}",
            account_id=short_name(self._args["stack"], role),
            display_name=f"{self._args['stack']} {role}",
            opts=self._child,
        )

    def _create_scopes(self) -> None:
        """Sets ``scopes`` and ``audience``."""
        pool = iam.WorkloadIdentityPool(
            f"{self._name}-pool",
            workload_identity_pool_id=short_name(self._args["stack"], "gateway"),
            display_name="gateway",
            description=f"Scope classes of {self._args['stack']}",
            opts=self._child,
        )
        provider = self._create_provider(pool)
        scopes = sorted(self._args["scope_classes"])
        self.scopes = Output.all(**{scope: self._create_scope(scope, pool, provider) for scope in scopes})
        self.audience = Output.concat("https://iam.googleapis.com/", provider.name)

    def _create_provider(self, pool: iam.WorkloadIdentityPool) -> iam.WorkloadIdentityPoolProvider:
        subjects = [subject(self._args["stack"], scope) for scope in sorted(self._args["scope_classes"])]
        return iam.WorkloadIdentityPoolProvider(
            f"{self._name}-issuer",
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id="issuer",
            attribute_mapping={"google.subject": "assertion.sub"},
            attribute_condition=f"assertion.sub in {json.dumps(subjects)}",
            # Without a list of audiences a token has to be meant for this provider.
            oidc={
                "issuer_uri": self._args.get("issuer", ""),
                "jwks_json": Output.from_input(self._args["public"]).apply(_keys),
            },
            opts=self._child,
        )

    def _create_scope(
        self, scope: str, pool: iam.WorkloadIdentityPool, provider: iam.WorkloadIdentityPoolProvider
    ) -> Output[str]:
        """Its e-mail address, known once it can be taken."""
        account = self._create_account(f"scope-{scope}")
        trust = serviceaccount.IAMMember(
            f"{self._name}-scope-{scope}-trust",
            service_account_id=account.name,
            role=BECOME,
            member=Output.concat(PRINCIPALS, "/", pool.name, "/subject/", subject(self._args["stack"], scope)),
            opts=self._child,
        )
        return Output.all(account.email, trust.id, provider.id).apply(lambda told: told[0])

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


def subject(stack: str, scope: str) -> str:
    """Of the gateway's tokens for a scope class."""
    return f"scope:{stack}:{scope}"


def short_name(stack: str, role: str) -> str:
    """A name that Google takes for an account or a pool, unique to both stack and role."""
    unique = sha256(f"{stack}/{role}".encode()).hexdigest()[:8]
    return f"{role[: MOST_NAME - 9].rstrip('-')}-{unique}"


def _keys(public: Mapping[str, Any]) -> str:
    return json.dumps({"keys": [public["issuer"]]}, sort_keys=True)


def check(stack: str, issuer: str | None, scope_classes: Sequence[str]) -> None:
    """Raises ``GcpIdentityError`` where Google could not trust the issuer."""
    if issuer is None and scope_classes:
        raise GcpIdentityError(
            f"scope_classes: {', '.join(sorted(scope_classes))} are accounts that trust the gateway's issuer: "
            "give its https URL"
        )
    if issuer is not None and urlsplit(issuer).scheme != "https":
        raise GcpIdentityError(f"scope_classes: Google trusts https URLs alone, got {issuer}")
    if long := [each for each in scope_classes if len(subject(stack, each).encode()) > MOST_SUBJECT]:
        raise GcpIdentityError(
            f"scope_classes: {', '.join(sorted(long))}: with the stack's name a subject is longer than {MOST_SUBJECT} "
            "bytes, which Google refuses: take shorter names"
        )
