"""Guardrails of AWS: a boundary that every role of the fabric carries, and a service control policy for its account.

The latter is the organisation's: made and attached here where a target is named, otherwise a document that
``loomstead guardrails`` prints for those who administer it.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Output

from components.guardrails import aws_documents as documents
from components.guardrails.contract import Guardrails
from regions.boundary import Boundary
from regions.catalogue import Catalogue


class AwsGuardrailsArgs(TypedDict):
    """``account``: 12 digits. ``on``: the day of the Boundary, as relaxations end. ``target``: an organisational unit
    or an account that gets the service control policy; credentials have to be of the organisation's management account,
    or of its delegate. ``administrators``: names of the roles that may take guards away.
    """

    stack: str
    region: str
    account: str
    boundary: Boundary
    catalogue: Catalogue
    on: date
    target: NotRequired[str]
    administrators: NotRequired[Sequence[str]]


class AwsGuardrails(Guardrails):
    """``boundary``: ARN of the policy that bounds roles. ``service_control_policy``: the document.

    Raises ``Refused`` for a Boundary whose regions AWS's policies have no room for.
    """

    boundary: Output[str]
    service_control_policy: Output[str]

    def __init__(self, name: str, args: AwsGuardrailsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        within = documents.fence(args["boundary"], args["catalogue"], args["region"], args["on"])
        bounds = documents.permission_boundary(within, args["account"])
        controls = documents.service_control_policy(within, args.get("administrators", ()))
        self.boundary = self._create_boundary(bounds).arn
        self.service_control_policy = Output.from_input(documents.text(controls))
        attached = [self._attach(controls, args["target"])] if "target" in args else []
        self.policies = Output.all(self.boundary, *attached)
        self.register_outputs(
            {
                "policies": self.policies,
                "boundary": self.boundary,
                "service_control_policy": self.service_control_policy,
            }
        )

    def _create_boundary(self, policy: Mapping[str, Any]) -> aws.iam.Policy:
        return aws.iam.Policy(
            f"{self._name}-boundary",
            name=f"{self._args['stack']}-boundary",
            description=f"What no role of {self._args['stack']} goes beyond, whatever its own policies say",
            policy=documents.text(policy),
            opts=self._child,
        )

    def _attach(self, policy: Mapping[str, Any], target: str) -> Output[str]:
        """The ARN, known once it is attached."""
        controls = aws.organizations.Policy(
            f"{self._name}-controls",
            name=f"{self._args['stack']}-boundary",
            description=f"Where the account of {self._args['stack']} may do what",
            type="SERVICE_CONTROL_POLICY",
            content=documents.text(policy),
            opts=self._child,
        )
        attached = aws.organizations.PolicyAttachment(
            f"{self._name}-controls-attached", policy_id=controls.id, target_id=target, opts=self._child
        )
        return Output.all(controls.arn, attached.id).apply(lambda known: known[0])
