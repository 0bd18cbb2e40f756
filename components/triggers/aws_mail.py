"""Mails to a stack: SES takes them over TLS alone, puts each as an object into a bucket, and its name on a queue.

An account has one active set of rules in a region: this one takes the place of another, so one stack alone of an
account and region may receive mail. Two records of the address's domain are its owner's to make: the TXT record
``_amazonses`` with ``token``, and an MX record that names ``inbound-smtp.<region>.amazonaws.com``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.alarms import Watched, create_alarm
from components.aws.bucket import BucketArgs, PrivateBucket
from components.aws.documents import Statement, document

TRIES = 5
"""After so many a mail goes to the dead-letter queue."""
HIDDEN_SECONDS = 300
"""How long whoever took a mail has for it."""
KEPT_SECONDS = 14 * 86_400
"""The longest that SQS keeps a message."""


@dataclass(frozen=True)
class MailArgs:
    """``days``: how long a mail is kept. ``key``, ``topic``: ARNs."""

    stack: str
    region: str
    address: str
    key: Input[str]
    topic: Input[str]
    days: int


class Mail:
    """``queue``: URL, its messages are S3's events. ``token``: what proves the domain. All children of ``parent``."""

    queue: Output[str]
    token: Output[str]

    def __init__(self, parent: pulumi.Resource, name: str, args: MailArgs) -> None:
        self._parent, self._name, self._args = parent, name, args
        self._child = pulumi.ResourceOptions(parent=parent)
        self._asked = pulumi.InvokeOutputOptions(parent=parent)
        self._account = aws.get_caller_identity_output(opts=self._asked).account_id
        self._partition = aws.get_partition_output(opts=self._asked).partition
        kept = PrivateBucket(parent, f"{name}-kept", BucketArgs(args.key, args.days, allowed=self._writer))
        dead = self._create_queue("dead")
        queue = self._create_queue("arrived", dead)
        self._notify(kept.bucket, queue)
        self._create_rule(kept)
        self._create_alarm(dead)
        identity = aws.ses.DomainIdentity(f"{name}-domain", domain=args.address.partition("@")[2], opts=self._child)
        self.queue, self.token = queue.url, identity.verification_token

    @property
    def _set(self) -> str:
        return f"{self._args.stack}-mail"

    def _principal(self, service: str) -> Output[str]:
        return aws.get_service_principal_output(service_name=service, opts=self._asked).name

    def _writer(self, bucket: Output[str]) -> Sequence[Statement]:
        rules = "arn:{0}:ses:{1}:{2}:receipt-rule-set/{3}:receipt-rule/*"
        return [
            {
                "Sid": "MailsAreWritten",
                "Effect": "Allow",
                "Principal": {"Service": self._principal("ses")},
                "Action": "s3:PutObject",
                "Resource": Output.format("{0}/*", bucket),
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": self._account},
                    "ArnLike": {
                        "aws:SourceArn": Output.format(
                            rules, self._partition, self._args.region, self._account, self._set
                        )
                    },
                },
            }
        ]

    def _create_queue(self, role: str, dead: aws.sqs.Queue | None = None) -> aws.sqs.Queue:
        redrive = (
            None if dead is None else Output.json_dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": TRIES})
        )
        return aws.sqs.Queue(
            f"{self._name}-{role}",
            kms_master_key_id=self._args.key,
            message_retention_seconds=KEPT_SECONDS,
            visibility_timeout_seconds=HIDDEN_SECONDS,
            redrive_policy=redrive,
            opts=self._child,
        )

    def _notify(self, bucket: aws.s3.Bucket, queue: aws.sqs.Queue) -> None:
        policy = aws.sqs.QueuePolicy(
            f"{self._name}-arrived-policy",
            queue_url=queue.url,
            policy=document(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": self._principal("s3")},
                    "Action": "sqs:SendMessage",
                    "Resource": queue.arn,
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": self._account},
                        "ArnEquals": {"aws:SourceArn": bucket.arn},
                    },
                }
            ),
            opts=self._child,
        )
        aws.s3.BucketNotification(
            f"{self._name}-notification",
            bucket=bucket.id,
            queues=[{"queue_arn": queue.arn, "events": ["s3:ObjectCreated:*"]}],
            opts=pulumi.ResourceOptions(parent=self._parent, depends_on=[policy]),
        )

    def _create_rule(self, kept: PrivateBucket) -> None:
        rules = aws.ses.ReceiptRuleSet(f"{self._name}-rules", rule_set_name=self._set, opts=self._child)
        rule = aws.ses.ReceiptRule(
            f"{self._name}-rule",
            name="keep",
            rule_set_name=rules.rule_set_name,
            enabled=True,
            recipients=[self._args.address],
            scan_enabled=True,
            tls_policy="Require",
            s3_actions=[{"bucket_name": kept.bucket.id, "position": 1}],
            opts=pulumi.ResourceOptions(parent=self._parent, depends_on=[kept.policy]),
        )
        aws.ses.ActiveReceiptRuleSet(
            f"{self._name}-active",
            rule_set_name=rules.rule_set_name,
            opts=pulumi.ResourceOptions(parent=self._parent, depends_on=[rule]),
        )

    def _create_alarm(self, dead: aws.sqs.Queue) -> None:
        left = f"A mail to {self._args.address.partition('@')[2]} was given up after {TRIES} tries"
        watched = Watched(left, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 0, {"QueueName": dead.name})
        create_alarm(self._parent, f"{self._name}-given-up", watched, self._args.topic)
