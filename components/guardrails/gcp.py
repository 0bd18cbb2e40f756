"""Guardrails on Google Cloud: organisation policies on the stack's project, which refuse what would leave the Boundary.

They need a project that is in an organisation, and a deployer with ``roles/orgpolicy.policyAdmin``, which only the
organisation grants. A list of what is allowed takes the place of one from above, so it may be wider than that: say in
``residency`` what your organisation says. What is there already stays: a policy is asked when something is made or,
for endpoints and models, called.

Snapshots of the project's disks have a default place of their own, near rather than inside, so it is set here too.
"""

from collections.abc import Collection
from typing import TypedDict

import pulumi
from pulumi import Output
from pulumi_gcp import compute, orgpolicy

from components.guardrails.contract import Guardrails
from components.guardrails.gcp_policies import Policy, Rule, policies
from regions.rules.rule import Plan


class GcpGuardrailsArgs(TypedDict):
    """``plan``: whose Boundary they are made from. ``models``: that may be called, as ``GcpModels`` names them."""

    project: str
    plan: Plan
    models: Collection[str]


class GcpGuardrails(Guardrails):
    """``policies``: their full names."""

    def __init__(self, name: str, args: GcpGuardrailsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._project = name, args["project"]
        self._child = pulumi.ResourceOptions(parent=self)
        made = [self._create_policy(policy) for policy in policies(args["plan"], args["models"])]
        compute.SnapshotSettings(f"{name}-snapshots", storage_location={"policy": "LOCAL_REGION"}, opts=self._child)
        self.policies = Output.all(*made)
        self.register_outputs({"policies": self.policies})

    def _create_policy(self, policy: Policy) -> Output[str]:
        return orgpolicy.Policy(
            f"{self._name}-{policy.constraint.replace('.', '-')}",
            name=f"projects/{self._project}/policies/{policy.constraint}",
            parent=f"projects/{self._project}",
            spec={"inherit_from_parent": policy.inherits, "rules": [_rule(policy.rule)]},
            opts=self._child,
        ).name


def _rule(rule: Rule) -> orgpolicy.PolicySpecRuleArgsDict:
    if values := rule.get("values"):
        if "allowedValues" in values:
            return {"values": {"allowed_values": values["allowedValues"]}}
        return {"values": {"denied_values": values["deniedValues"]}}
    return {"deny_all": "TRUE"} if rule.get("denyAll") else {"enforce": "TRUE"}
