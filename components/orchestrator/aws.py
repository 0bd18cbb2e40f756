"""Step Functions on AWS: the agent's state machine, the queue its steps wait in, and what is put aside of them.

``state_machine.json`` beside this is written from the runtime's own table of states (``scripts/state_machine.py``).
Messages and history hold ids, digests and codes, and tokens that answer a step: so all of it is under the stack's key,
and the log is without the execution's data.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.alarms import Watched, create_alarm
from components.aws.documents import Statement, document, trusting
from components.aws.logs import checked_days, create_log_group
from components.orchestrator.contract import Orchestrator

DEFINITION = Path(__file__).with_name("state_machine.json")
KEPT_SECONDS = 14 * 86_400
"""The longest that SQS keeps a message, alive or put aside."""
HIDDEN_SECONDS = 30
"""A dead worker's step is given to another after this; the worker says more often that it lives."""
MOST_DEATHS = 5
"""Workers that took a step and never answered, before it is put aside."""
OLDEST_SECONDS = 300
"""A step that nobody took for so long: too few workers, or none."""
DATA_KEY_SECONDS = 300
LOG_DELIVERY = (
    *("CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"),
    *("PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"),
)
TRACING = ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")
CONSOLES = {"aws": "https://{0}.console.aws.amazon.com/states/home?region={0}#/statemachines/view/{1}"}
"""By partition, as AWS documents its console; of the others no source was read."""


class AwsOrchestratorArgs(TypedDict):
    """``key``: ARN of what encrypts. ``boundary``: of the policy that bounds the state machine's role. ``topic``: of
    who is told of what went wrong. ``log_days``: how long logs are kept."""

    stack: str
    region: str
    key: Input[str]
    boundary: Input[str]
    topic: Input[str]
    log_days: int


class AwsOrchestrator(Orchestrator):
    """``ui``: empty where AWS's console is not known. ``gateway``, ``worker``: what their roles have to allow."""

    gateway: Sequence[Statement]
    worker: Sequence[Statement]

    def __init__(self, name: str, args: AwsOrchestratorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        checked_days(args["log_days"])
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._data = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        self._place = self._read_place()
        dead, queue = self._create_queues()
        machine = self._create_machine(dead, queue)
        self.endpoint = Output.all(
            kind="step-functions", state_machine=machine.arn, queue=queue.url, ui=self._console(machine.arn)
        )
        self.ui = self._console(machine.arn)
        self.gateway = gateway_statements(machine.arn)
        self.worker = worker_statements(queue.arn, machine.arn, args["key"], self._place["sqs"])
        self._create_alarms(dead, queue, machine)
        self.register_outputs({"endpoint": self.endpoint, "ui": self.ui})

    def _read_place(self) -> Mapping[str, Output[str]]:
        """``partition``, ``account``; ``states``: the service that assumes the role; ``sqs``: as KMS calls it."""
        asked = pulumi.InvokeOutputOptions(parent=self)
        partition = aws.get_partition_output(opts=asked)
        return {
            "partition": partition.partition,
            "account": aws.get_caller_identity_output(opts=asked).account_id,
            "states": aws.get_service_principal_output(service_name="states", opts=asked).name,
            "sqs": Output.format("sqs.{0}.{1}", self._args["region"], partition.dns_suffix),
        }

    def _arn(self, service: str, resource: str) -> Output[str]:
        place = self._place
        return Output.format(
            "arn:{0}:{1}:{2}:{3}:{4}", place["partition"], service, self._args["region"], place["account"], resource
        )

    def _create_queues(self) -> tuple[aws.sqs.Queue, aws.sqs.Queue]:
        """The dead-letter queue and the queue; nobody outside the account reaches either, nor anybody without TLS."""
        dead = self._create_queue("dead-letters", {})
        redrive = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": MOST_DEATHS}
        queue = self._create_queue("steps", {"redrive_policy": Output.json_dumps(redrive)})
        aws.sqs.RedriveAllowPolicy(
            f"{self._name}-dead-letters-from",
            queue_url=dead.url,
            redrive_allow_policy=Output.json_dumps({"redrivePermission": "byQueue", "sourceQueueArns": [queue.arn]}),
            opts=self._child,
        )
        return dead, queue

    def _create_queue(self, role: str, more: Mapping[str, Any]) -> aws.sqs.Queue:
        return aws.sqs.Queue(
            f"{self._name}-{role}",
            name=f"{self._args['stack']}-{role}",
            message_retention_seconds=KEPT_SECONDS,
            visibility_timeout_seconds=HIDDEN_SECONDS,
            kms_master_key_id=self._args["key"],
            kms_data_key_reuse_period_seconds=DATA_KEY_SECONDS,
            **more,
            opts=self._data,
        )

    def _create_queue_policy(self, role: str, queue: aws.sqs.Queue, *more: Statement) -> None:
        aws.sqs.QueuePolicy(
            f"{self._name}-{role}-policy",
            queue_url=queue.url,
            policy=document(*queue_statements(queue.arn, self._place["account"]), *more),
            opts=self._child,
        )

    def _create_machine(self, dead: aws.sqs.Queue, queue: aws.sqs.Queue) -> aws.sfn.StateMachine:
        args, name = self._args, f"{self._args['stack']}-tasks"
        log = create_log_group(
            self, f"{self._name}-log", f"/aws/vendedlogs/states/{name}", args["key"], args["log_days"]
        )
        role, allowed = self._create_role(queue, self._arn("states", f"stateMachine:{name}"))
        self._create_queue_policy("dead-letters", dead)
        self._create_queue_policy("steps", queue, sender_statement(queue.arn, role.arn))
        return aws.sfn.StateMachine(
            f"{self._name}-machine",
            name=name,
            type="STANDARD",
            definition=Output.all(queue=queue.url, partition=self._place["partition"]).apply(_filled),
            role_arn=role.arn,
            logging_configuration={
                "level": "ALL",
                "include_execution_data": False,  # tokens that answer steps are in it
                "log_destination": Output.concat(log.arn, ":*"),
            },
            tracing_configuration={"enabled": True},
            encryption_configuration={
                "type": "CUSTOMER_MANAGED_KMS_KEY",
                "kms_key_id": args["key"],
                "kms_data_key_reuse_period_seconds": DATA_KEY_SECONDS,
            },
            # AWS tries the role when the machine is made.
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True, depends_on=[allowed]),
        )

    def _create_role(self, queue: aws.sqs.Queue, machine: Output[str]) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(
            f"{self._name}-role",
            description=f"What the state machine of {self._args['stack']} may do",
            assume_role_policy=trusting(self._place["states"], self._place["account"], machine),
            permissions_boundary=self._args["boundary"],
            opts=self._child,
        )
        statements = machine_statements(
            queue.arn, machine, self._args["key"], self._place["sqs"], self._arn("logs", "*")
        )
        policy = aws.iam.RolePolicy(
            f"{self._name}-role-policy", role=role.id, policy=document(*statements), opts=self._child
        )
        return role, policy

    def _create_alarms(self, dead: aws.sqs.Queue, queue: aws.sqs.Queue, machine: aws.sfn.StateMachine) -> None:
        of_machine = {"StateMachineArn": machine.arn}
        watched = {
            "dead-letters-alarm": Watched(
                "Steps were put aside: each worker that took one died, or none could read it",
                *("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 0, {"QueueName": dead.name}),
            ),
            "old-steps-alarm": Watched(
                "Steps wait: too few workers, or none",
                *("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", OLDEST_SECONDS, {"QueueName": queue.name}),
            ),
            "failed-alarm": Watched(
                "A task's execution ended without its task: orchestrator and gateway disagree, or AWS failed",
                *("AWS/States", "ExecutionsFailed", "Sum", 0, of_machine),
            ),
            "timed-out-alarm": Watched(
                "A task's execution was a year old, the longest that AWS lets one be",
                *("AWS/States", "ExecutionsTimedOut", "Sum", 0, of_machine),
            ),
        }
        for role, what in watched.items():
            create_alarm(self, f"{self._name}-{role}", what, self._args["topic"])

    def _console(self, machine: Output[str]) -> Output[str]:
        return Output.all(self._place["partition"], machine).apply(
            lambda known: CONSOLES.get(known[0], "").format(self._args["region"], known[1])
        )


def machine_statements(
    queue: Input[str], machine: Input[str], key: Input[str], sqs: Input[str], logs: Input[str]
) -> list[Statement]:
    """What the state machine may do. ARNs; ``sqs``: SQS as KMS names it; ``logs``: of every log group of the account.

    AWS takes no resource for the delivery of logs and for traces.
    """
    encrypts = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key}
    return [
        {"Sid": "Steps", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue},
        {"Sid": "StepsKey", **encrypts, "Condition": {"StringEquals": {"kms:ViaService": sqs}}},
        {
            "Sid": "HistoryKey",
            **encrypts,
            "Condition": {"StringEquals": {"kms:EncryptionContext:aws:states:stateMachineArn": machine}},
        },
        {
            "Sid": "LogKey",
            **encrypts,
            "Action": "kms:GenerateDataKey",
            "Condition": {"ArnLike": {"kms:EncryptionContext:SourceArn": logs}},
        },
        {"Sid": "Log", "Effect": "Allow", "Action": [f"logs:{action}" for action in LOG_DELIVERY], "Resource": "*"},
        {"Sid": "Traces", "Effect": "Allow", "Action": [f"xray:{action}" for action in TRACING], "Resource": "*"},
    ]


def worker_statements(queue: Input[str], machine: Input[str], key: Input[str], sqs: Input[str]) -> list[Statement]:
    """What the worker's role has to allow: take steps, and answer them."""
    taking = ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes")
    answering = ("SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat")
    return [
        {"Sid": "TakeSteps", "Effect": "Allow", "Action": [f"sqs:{action}" for action in taking], "Resource": queue},
        {
            "Sid": "StepsKey",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key,
            "Condition": {"StringEquals": {"kms:ViaService": sqs}},
        },
        {"Sid": "Answer", "Effect": "Allow", "Action": [f"states:{each}" for each in answering], "Resource": machine},
    ]


def gateway_statements(machine: Input[str]) -> list[Statement]:
    """What the gateway's role has to allow: start tasks, and bring them what people say."""
    actions = ("StartExecution", "DescribeStateMachine", "SendTaskSuccess")
    return [{"Sid": "Tasks", "Effect": "Allow", "Action": [f"states:{each}" for each in actions], "Resource": machine}]


def queue_statements(queue: Input[str], account: Input[str]) -> list[Statement]:
    """What nobody may do with a queue, whatever their own policies say."""
    denied = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": queue}
    return [
        {"Sid": "OnlyTls", **denied, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Sid": "OnlyOwn", **denied, "Condition": {"StringNotEquals": {"aws:PrincipalAccount": account}}},
    ]


def sender_statement(queue: Input[str], role: Input[str]) -> Statement:
    """Nobody but the state machine puts a step into its queue: a worker would do it, and keep the token in it."""
    return {
        "Sid": "OnlyStateMachine",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": role}},
    }


def _filled(known: Mapping[str, str]) -> str:
    text = DEFINITION.read_text()
    for name, value in known.items():
        text = text.replace(f"${{{name}}}", value)
    return text
