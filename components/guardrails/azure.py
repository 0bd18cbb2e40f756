"""Guardrails on Azure: Azure Policy on the stack's resource group, which refuses what would leave the Boundary.

They are assigned to the group and not to the subscription, where other stacks may stand in other places. Their texts
are the subscription's all the same, so whoever deploys needs to be Resource Policy Contributor there. Azure takes up to
half an hour until a new assignment refuses: what is created meanwhile is the review's to have judged.
"""

from typing import TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_azure_native import authorization

from components.guardrails.azure_policies import Policy, policies
from components.guardrails.contract import Guardrails
from regions.rules.rule import Plan


class AzureGuardrailsArgs(TypedDict):
    """``plan``: whose Boundary they are made from. ``group``: id of the resource group."""

    stack: str
    plan: Plan
    group: Input[str]


class AzureGuardrails(Guardrails):
    """``policies``: ids of the assignments."""

    def __init__(self, name: str, args: AzureGuardrailsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self.policies = Output.all(*(self._create_policy(policy) for policy in policies(args["plan"])))
        self.register_outputs({"policies": self.policies})

    def _create_policy(self, policy: Policy) -> Output[str]:
        named = f"{self._args['stack']}-{policy.name}"
        definition = authorization.PolicyDefinition(
            f"{self._name}-{policy.name}",
            policy_definition_name=named,
            display_name=f"Loomstead {self._args['stack']}: {policy.name}",
            description=policy.says,
            policy_type=authorization.PolicyType.CUSTOM,
            mode=policy.mode,
            policy_rule=policy.rule,
            opts=self._child,
        )
        return authorization.PolicyAssignment(
            f"{self._name}-{policy.name}-assigned",
            policy_assignment_name=named,
            display_name=f"Loomstead {self._args['stack']}: {policy.name}",
            policy_definition_id=definition.id,
            scope=self._args["group"],
            enforcement_mode=authorization.EnforcementMode.DEFAULT,
            non_compliance_messages=[authorization.NonComplianceMessageArgs(message=policy.says)],
            opts=self._child,
        ).id
