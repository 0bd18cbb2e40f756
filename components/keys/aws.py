"""Keys on AWS: what signs the Manifest and encrypts stays in KMS, what must be read lies in Secrets Manager, all in one
region. The operator signs in with a file in the stack's home, on the machine of whoever raises it.

Pulumi makes the secrets without a value: nothing secret passes through it, so none is in its state. Their names begin
with ``secrets``; whoever fills them in does so in the account.
"""

import re
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Output

from components.aws.key_policy import ADMINISTRATION, USE
from components.infrastructure import Refused
from components.keys.contract import Keys
from components.keys.jwk import jwk
from components.keys.local import SecretFiles

MANIFEST = "manifest"
FILES = ("operator",)
SECRETS = ("ledger", "subjects", "webhook")
SERVICES = (
    *("rds", "secretsmanager", "s3", "sqs", "sns", "ec2", "eks", "elasticache", "kafka", "states", "network-firewall"),
    *("backup", "bedrock", "aps", "xray"),
)
"""What encrypts with the stack's key on behalf of who calls it; nobody uses it directly."""
SENDERS = ("s3", "ses", "cloudwatch", "bedrock", "delivery.logs")
"""What writes of its own accord to queues, buckets and topics under the stack's key: events of a bucket, mails, alarms,
the log of models' calls."""

_ROTATION_DAYS = 365
_RECOVERY_DAYS = 30
"""The longest that AWS gives to notice that a key or a secret was deleted by mistake."""


class AwsKeysArgs(TypedDict):
    """``home``: folder of the stack's state on the deployer's machine. ``account``: 12 digits.

    ``encryption``: ARN of an own key that encrypts instead of one made here; it has to let the same services in.
    """

    stack: str
    region: str
    account: str
    home: str
    encryption: NotRequired[str]


class AwsKeys(Keys):
    """``encryption``: ARN of the key that encrypts what the stack stores."""

    encryption: Output[str]

    def __init__(self, name: str, args: AwsKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        check_encryption(args.get("encryption"), args["region"], args["account"])
        self._child = pulumi.ResourceOptions(parent=self)
        self._data = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        self._asked = pulumi.InvokeOutputOptions(parent=self)
        self._read_account()
        self.encryption = self._create_encryption()
        self._create_secrets()
        signer = self._create_signer()
        files = SecretFiles(f"{name}-files", {"home": args["home"], "signers": [*FILES]}, self._child)
        self.secrets = Output.from_input(f"loomstead/{args['stack']}/")
        self.public = Output.all(self._public(signer), files.public).apply(lambda told: {MANIFEST: told[0], **told[1]})
        self.manifest_key = signer.arn
        self.generation = Output.from_input(1)  # a deleted secret can be restored, so none is made anew
        self.register_outputs(
            {
                "secrets": self.secrets,
                "public": self.public,
                "manifest_key": self.manifest_key,
                "generation": self.generation,
                "encryption": self.encryption,
            }
        )

    def _read_account(self) -> None:
        partition = aws.get_partition_output(opts=self._asked)
        self._account = aws.get_caller_identity_output(opts=self._asked).account_id
        self._partition, self._suffix = partition.partition, partition.dns_suffix
        self._root = Output.format("arn:{0}:iam::{1}:root", self._partition, self._account)

    def _create_encryption(self) -> Output[str]:
        if own := self._args.get("encryption"):
            return Output.from_input(own)
        key = aws.kms.Key(
            f"{self._name}-encryption",
            description=f"What the stack {self._args['stack']} stores",
            multi_region=False,
            enable_key_rotation=True,
            rotation_period_in_days=_ROTATION_DAYS,
            deletion_window_in_days=_RECOVERY_DAYS,
            policy=Output.json_dumps(self._encryption_policy()),
            opts=self._data,
        )
        self._alias("encryption", key)
        return key.arn

    def _encryption_policy(self) -> dict[str, Any]:
        region = self._args["region"]
        services = [Output.format("{0}.{1}.{2}", service, region, self._suffix) for service in SERVICES]
        through = {"StringEquals": {"kms:ViaService": services, "kms:CallerAccount": self._account}}
        logs = aws.get_service_principal_output(service_name="logs", region=region, opts=self._asked)
        groups = Output.format("arn:{0}:logs:{1}:{2}:log-group:*", self._partition, region, self._account)
        machines = Output.format(
            "arn:{0}:states:{1}:{2}:stateMachine:{3}-*", self._partition, region, self._account, self._args["stack"]
        )
        delivered = Output.format("arn:{0}:logs:{1}:{2}:*", self._partition, region, self._account)
        return _policy(
            self._administration(),
            _statement("Services", {"AWS": self._root}, USE, through),
            _statement(
                "ServicesGrants",
                {"AWS": self._root},
                ["kms:CreateGrant"],
                {**through, "Bool": {"kms:GrantIsForAWSResource": "true"}},
            ),
            *self._nodes(),
            _statement(
                "StateMachines",
                {"AWS": self._root},
                ["kms:Decrypt", "kms:GenerateDataKey"],
                {
                    "StringEquals": {"kms:CallerAccount": self._account},
                    "ArnLike": {"kms:EncryptionContext:aws:states:stateMachineArn": machines},
                },
            ),
            _statement(
                "StateMachinesLogs",
                {"AWS": self._root, "Service": self._principal("delivery.logs")},
                ["kms:Decrypt", "kms:GenerateDataKey"],
                {"ArnLike": {"kms:EncryptionContext:SourceArn": delivered}},
            ),
            _statement(
                "Senders",
                {"Service": [self._principal(service) for service in SENDERS]},
                ["kms:Decrypt", "kms:GenerateDataKey*"],
                {"StringEquals": {"aws:SourceAccount": self._account}},
            ),
            _statement(
                "Logs",
                {"Service": Output.format("logs.{0}.{1}", region, logs.suffix)},
                USE,
                {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            ),
        )

    def _nodes(self) -> list[dict[str, Any]]:
        """Who starts nodes with encrypted volumes: Auto Scaling's own role, whose policies nobody can add the key to.
        It is known by its path, which AWS alone gives out; named as principal, it would have to be there already.
        """
        role = Output.format("arn:{0}:iam::{1}:role/aws-service-role/autoscaling.*", self._partition, self._account)
        starts = {"StringEquals": {"kms:CallerAccount": self._account}, "ArnLike": {"aws:PrincipalArn": role}}
        grants = {**starts, "Bool": {"kms:GrantIsForAWSResource": "true"}}
        return [
            _statement("Nodes", {"AWS": "*"}, USE, starts),
            _statement("NodesGrants", {"AWS": "*"}, ["kms:CreateGrant"], grants),
        ]

    def _principal(self, service: str) -> Output[str]:
        return aws.get_service_principal_output(service_name=service, opts=self._asked).name

    def _create_signer(self) -> aws.kms.Key:
        signing = {"StringEquals": {"kms:CallerAccount": self._account, "kms:SigningAlgorithm": "ECDSA_SHA_256"}}
        key = aws.kms.Key(
            f"{self._name}-{MANIFEST}",
            description=f"What the Manifest of the stack {self._args['stack']} is signed with",
            key_usage="SIGN_VERIFY",
            customer_master_key_spec="ECC_NIST_P256",
            multi_region=False,
            deletion_window_in_days=_RECOVERY_DAYS,
            policy=Output.json_dumps(
                _policy(
                    self._administration(),
                    _statement("Signing", {"AWS": self._root}, ["kms:Sign"], signing),
                )
            ),
            opts=self._data,
        )
        self._alias(MANIFEST, key)
        return key

    def _create_secrets(self) -> None:
        for secret in SECRETS:
            aws.secretsmanager.Secret(
                f"{self._name}-{secret}",
                name=f"loomstead/{self._args['stack']}/{secret}",
                kms_key_id=self.encryption,
                recovery_window_in_days=_RECOVERY_DAYS,
                opts=self._data,
            )

    def _alias(self, role: str, key: aws.kms.Key) -> None:
        alias = f"alias/loomstead/{self._args['stack']}/{role}"
        aws.kms.Alias(f"{self._name}-{role}-alias", name=alias, target_key_id=key.key_id, opts=self._child)

    def _administration(self) -> dict[str, Any]:
        """The account's own policies say who; none of it reads, encrypts or signs."""
        return _statement("Administration", {"AWS": self._root}, ADMINISTRATION)

    def _public(self, key: aws.kms.Key) -> Output[dict[str, Any]]:
        return aws.kms.get_public_key_output(key_id=key.key_id, opts=self._asked).public_key_pem.apply(jwk)


def check_encryption(own: str | None, region: str, account: str) -> None:
    """Raises ``Refused`` for an own key that is none, or lies elsewhere."""
    if own and not re.fullmatch(rf"arn:aws[a-z-]*:kms:{re.escape(region)}:{account}:key/[\w-]+", own):
        raise Refused(
            f"keys.encryption: {own!r} is no KMS key in {region} and account {account}; "
            "name one by its ARN, or leave it out"
        )


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(
    sid: str, principal: Mapping[str, object], actions: list[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    """In a key's policy the resource ``*`` is this key."""
    allowed = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"}
    return {**allowed, "Condition": condition} if condition else allowed
