"""A bucket as every one of ours is: private, over TLS alone, encrypted, versioned, of one owner.

It is protected and outlives its stack, and so does what makes it private.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.documents import Statement, document

UNFINISHED_DAYS = 7


@dataclass(frozen=True)
class BucketArgs:
    """``key``: ARN of what encrypts it; none: S3's own key (SSE-S3), for services that write under no other.

    ``days``: how long objects are kept; none: until somebody deletes them. ``old_days``: how long one is kept that was
    overwritten or deleted. ``allowed``: by the bucket's ARN, whom its policy lets in beside the account's own.
    """

    key: Input[str] | None
    days: int | None = None
    old_days: int = 30
    allowed: Callable[[Output[str]], Sequence[Statement]] = lambda _: ()


class PrivateBucket:
    """``bucket`` is called ``name``, what belongs to it after it; all are children of ``parent``. A service that checks
    whether it may write there is told of it after ``policy``."""

    bucket: aws.s3.Bucket
    policy: aws.s3.BucketPolicy

    def __init__(self, parent: pulumi.Resource, name: str, args: BucketArgs) -> None:
        self._name, self._args = name, args
        self._kept = pulumi.ResourceOptions(parent=parent, retain_on_delete=True)
        self.bucket = aws.s3.Bucket(
            name, opts=pulumi.ResourceOptions(parent=parent, protect=True, retain_on_delete=True)
        )
        self._create_encryption()
        self._close()
        self._create_lifecycle()
        self.policy = self._create_policy()

    def _create_encryption(self) -> None:
        key = self._args.key
        by: aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgsDict = (
            {"sse_algorithm": "AES256"} if key is None else {"sse_algorithm": "aws:kms", "kms_master_key_id": key}
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{self._name}-encryption",
            bucket=self.bucket.id,
            rules=[{"apply_server_side_encryption_by_default": by, "bucket_key_enabled": key is not None}],
            opts=self._kept,
        )

    def _close(self) -> None:
        """No access from outside the account, and no object that belongs to whoever wrote it."""
        aws.s3.BucketPublicAccessBlock(
            f"{self._name}-private",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._kept,
        )
        aws.s3.BucketOwnershipControls(
            f"{self._name}-owner",
            bucket=self.bucket.id,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=self._kept,
        )
        aws.s3.BucketVersioning(
            f"{self._name}-versions",
            bucket=self.bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=self._kept,
        )

    def _create_lifecycle(self) -> None:
        rule: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
            "id": "forget",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abort_incomplete_multipart_upload": {"days_after_initiation": UNFINISHED_DAYS},
            "noncurrent_version_expiration": {"noncurrent_days": self._args.old_days},
        }
        if self._args.days is not None:
            rule["expiration"] = {"days": self._args.days}
        aws.s3.BucketLifecycleConfiguration(
            f"{self._name}-lifecycle",
            bucket=self.bucket.id,
            rules=[rule],
            opts=self._kept,
        )

    def _create_policy(self) -> aws.s3.BucketPolicy:
        arn = self.bucket.arn
        unencrypted: Statement = {
            "Sid": "OverTlsAlone",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, Output.format("{0}/*", arn)],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        return aws.s3.BucketPolicy(
            f"{self._name}-policy",
            bucket=self.bucket.id,
            policy=document(unencrypted, *self._args.allowed(arn)),
            opts=self._kept,
        )
