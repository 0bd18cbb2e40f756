"""A small real program over AWS, as a project of its own."""

from pathlib import Path

import pytest

from scripts.engine import Engine, ensure_engine
from scripts.progress import progress

PROJECT = "name: small\nmain: program\nruntime: python\n"
PROGRAM = """
import time

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
options = pulumi.ResourceOptions(
    provider=aws.Provider("aws", region="eu-central-1"),
    protect=config.get_bool("protect"),
    retain_on_delete=config.get_bool("retain"),
)
key = aws.kms.Key("key", enable_key_rotation=True, opts=options)
bucket = aws.s3.Bucket("bucket", tags={"at": str(time.time()) if config.get("restless") else "rest"}, opts=options)
primary = aws.rds.Instance(
    "primary",
    instance_class=config.get("size") or "db.t4g.medium",
    engine=config.get("engine") or "postgres",
    allocated_storage=20,
    username="fabric",
    password=pulumi.Output.secret("canary-5e1f"),
    storage_encrypted=True,
    kms_key_id=key.arn,
    opts=options,
)
replica = aws.rds.Instance(
    "replica", instance_class="db.t4g.medium", replicate_source_db=primary.arn, opts=options
)
mistakes = {
    "reference": {"kms_key_id": "arn:aws:kms:eu-central-1:123456789012:key/none"},
    "region": {"availability_zone": "us-east-1a"},
    "enum": {"storage_type": "gp4"},
}
if client := config.get("client"):
    from components.keys.local import SecretFiles
    from components.naming import stack_home

    files = SecretFiles("client", {"home": str(stack_home("dev")), "signers": ["operator"]})
    told = pulumi.ResourceOptions(provider=options.provider, ignore_changes=["tags"] if client == "forgotten" else [])
    aws.s3.Bucket("client", tags={"client": files.public["operator"]["kid"]}, opts=told)
if mistake := config.get("mistake"):
    aws.rds.Instance("mistaken", instance_class="db.t4g.medium", **mistakes[mistake], opts=options)
pulumi.export("address", primary.address)
pulumi.export("password", primary.password)
"""


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, a bucket, a database and its replica; its configuration says how it errs, and whether it has a client."""
    folder = tmp_path_factory.mktemp("small") / "a project"
    (folder / "program").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "program" / "__main__.py").write_text(PROGRAM)
    return folder


@pytest.fixture(scope="session")
def engine() -> Engine:
    with progress() as report:
        return ensure_engine(report)
