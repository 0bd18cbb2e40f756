"""What the fabric's own pods may do on AWS: as much as their code calls, and no more.

The gateway and the worker read no secret there: they have them mounted. What models, orchestrator, cache and the like
let them do is said by those, in documents that are handed through.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, NotRequired, TypedDict

from pulumi import Input, Output

from components.aws.documents import Statement
from components.kubernetes.parts import PROVISION

GATEWAY, WORKER, TOOLS, COLLECTOR = "gateway", "worker", "tools", "collector"
"""ServiceAccounts, beside ``PROVISION``."""
READER: Final = "agent_reader"
"""The database's role of the tools; no identity may sign in as another."""


class PodPolicies(TypedDict):
    """``gateway``, ``worker``, ``collector``: policies as JSON. ``arns``: how ARNs of the stack begin.

    ``secrets``: what the names of its secrets begin with; ``key``: ARN of what encrypts them. ``primary``: ARN of the
    database's instance. ``replica_resource``: id of the replica in policies that say who may sign in.
    """

    gateway: Sequence[Input[str]]
    worker: Sequence[Input[str]]
    collector: Sequence[Input[str]]
    arns: "Arns"
    secrets: Input[str]
    key: Input[str]
    primary: Input[str]
    replica_resource: NotRequired[Input[str]]


class Arns(NamedTuple):
    partition: str
    region: str
    account: str

    def of(self, service: str, resource: Input[str]) -> Output[str]:
        """ARN of something of the account in the region."""
        return Output.concat(f"arn:{self.partition}:{service}:{self.region}:{self.account}:", resource)


class Pod(NamedTuple):
    """``namespace``: which of them. ``documents``: what others say that it may."""

    service_account: str
    namespace: Literal["runtime", "tools", "observability"]
    statements: Sequence[Statement]
    documents: Sequence[Input[str]]


def pods_of(policies: PodPolicies) -> Iterator[Pod]:
    """Every pod that has a role."""
    yield Pod(GATEWAY, "runtime", [], policies["gateway"])
    yield Pod(WORKER, "runtime", [], policies["worker"])
    yield Pod(PROVISION, "runtime", _provision(policies), [])
    if "replica_resource" in policies:
        user = Output.concat("dbuser:", policies["replica_resource"], f"/{READER}")
        signs_in: Statement = {
            "Effect": "Allow",
            "Action": "rds-db:connect",
            "Resource": policies["arns"].of("rds-db", user),
        }
        yield Pod(TOOLS, "tools", [signs_in], [])
    yield Pod(COLLECTOR, "observability", [], policies["collector"])


def _provision(policies: PodPolicies) -> list[Statement]:
    """Secrets of the stack's prefix are made and read; the master's password of the primary is set."""
    arns = policies["arns"]
    return [
        {
            "Effect": "Allow",
            "Action": ["secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:GetSecretValue"],
            "Resource": arns.of("secretsmanager", Output.concat("secret:", policies["secrets"], "*")),
        },
        {
            "Effect": "Allow",
            "Action": ["kms:GenerateDataKey", "kms:Decrypt", "kms:DescribeKey"],
            "Resource": policies["key"],
        },
        {
            "Effect": "Allow",
            "Action": ["rds:ModifyDBInstance", "rds:DescribeDBInstances"],
            "Resource": policies["primary"],
        },
    ]
