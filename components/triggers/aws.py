"""What starts tasks on AWS beside the gateway's webhook: events in MSK Serverless, mails that SES puts on a queue.

Both are ways in, and no more: no process of the runtime reads them yet. What arrives waits for its time, an alarm tells
of none of it, and it is then forgotten.
"""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.documents import document
from components.aws.door import create_door
from components.infrastructure import Refused
from components.triggers.aws_mail import Mail, MailArgs
from components.triggers.aws_regions import check_mail
from components.triggers.contract import Triggers

KAFKA = 9098
"""The port of SASL by IAM (MSK developer guide, port information)."""


class AwsTriggersArgs(TypedDict):
    """``vpc``, ``subnets`` (the workloads', in two zones at least), ``runtime_group``: the network's outputs. ``key``:
    ARN of what encrypts mails and queues. ``topic``: ARN, told when a mail could not be handled.

    ``topics``: of Kafka, that start tasks; none: no cluster is made. ``readers``: ARNs of roles that read them.
    ``address``: that mails are sent to; without it none are received. ``mail_days``: how long a mail is kept.
    """

    stack: str
    region: str
    vpc: Input[str]
    subnets: Input[list[str]]
    runtime_group: Input[str]
    key: Input[str]
    topic: Input[str]
    topics: Sequence[str]
    readers: Sequence[Input[str]]
    address: NotRequired[str]
    mail_days: NotRequired[int]


class AwsTriggers(Triggers):
    def __init__(self, name: str, args: AwsTriggersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        self.kafka = self._create_kafka() if args["topics"] else Output.from_input("")
        self.mail = self._create_mail(args["address"]) if "address" in args else Output.from_input("")
        self.register_outputs({"kafka": self.kafka, "mail": self.mail})

    def _create_kafka(self) -> Output[str]:
        """Its bootstrap servers. It is encrypted at rest by AWS's own key: Serverless takes no other."""
        args = self._args
        door = create_door(
            self, f"{self._name}-kafka", args["vpc"], args["runtime_group"], KAFKA, f"events of {args['stack']}"
        )
        cluster = aws.msk.ServerlessCluster(
            f"{self._name}-events",
            vpc_configs=[{"subnet_ids": args["subnets"], "security_group_ids": [door.id]}],
            client_authentication={"sasl": {"iam": {"enabled": True}}},
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
        aws.msk.ClusterPolicy(
            f"{self._name}-events-policy",
            cluster_arn=cluster.arn,
            policy=cluster.arn.apply(self._readers_policy),
            opts=self._child,
        )
        return cluster.bootstrap_brokers_sasl_iam

    def _readers_policy(self, arn: str) -> Output[str]:
        """The readers read the topics that start tasks, in groups of the stack's own name, and nothing else."""
        args = self._args
        topic, group = arn.replace(":cluster/", ":topic/"), arn.replace(":cluster/", ":group/")
        allowed = {"Effect": "Allow", "Principal": {"AWS": [*args["readers"]]}}
        return document(
            {**allowed, "Action": ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster"], "Resource": arn},
            {
                **allowed,
                "Action": ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"],
                "Resource": [f"{topic}/{each}" for each in args["topics"]],
            },
            {
                **allowed,
                "Action": ["kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"],
                "Resource": f"{group}/{args['stack']}-*",
            },
        )

    def _create_mail(self, address: str) -> Output[str]:
        args = self._args
        mail = MailArgs(args["stack"], args["region"], address, args["key"], args["topic"], args.get("mail_days", 30))
        return Mail(self, f"{self._name}-mail", mail).queue


def _checked(args: AwsTriggersArgs) -> AwsTriggersArgs:
    if args["topics"] and not args["readers"]:
        raise Refused("triggers.kafka: nobody is named who may read the topics; name the worker's role")
    if "address" in args:
        check_mail(args["region"])
    return args
