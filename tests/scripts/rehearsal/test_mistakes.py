"""What the recording provider refuses before anything is made, and the property it names."""

import re
from pathlib import Path
from typing import Any

import pytest

from scripts.rehearsal.answers import Place
from scripts.rehearsal.cloud import Cloud, Control, Recorded
from scripts.rehearsal.provider import Provider, Real
from scripts.rehearsal.wire import SIGNATURE, UNKNOWN

INSTANCE = "aws:rds/instance:Instance"
BUCKET = "aws:s3/bucket:Bucket"
KEY = "aws:kms/key:Key"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
ACCOUNT = "azure-native:storage:StorageAccount"
SERVER = "azure-native:dbforpostgresql:Server"
SQL = "gcp:sql/databaseInstance:DatabaseInstance"

REGION = "eu-central-1"
PLACE = Place(REGION)
ARN = f"arn:aws:kms:{REGION}:123456789012:key/there"
VPC = "vpc-0123456789abcdef0"
SECRET = "1b47061264138c4ac30d75fd1eb44270"

OF_INSTANCE = {"instanceClass": "db.r8g.large", "engine": "postgres", "allocatedStorage": 20, "kmsKeyId": ARN}
OF_ACCOUNT = {"resourceGroupName": "data", "kind": "StorageV2", "sku": {"name": "Standard_ZRS"}}
OF_SERVER = {"resourceGroupName": "data"}
OF_SQL = {"databaseVersion": "POSTGRES_17", "settings": {"tier": "db-custom-2-7680"}}


def secret(value: object) -> dict[str, object]:
    return {SIGNATURE: SECRET, "value": value}


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    """Over a cloud in which one key is, and a network is said to be."""
    cloud = Cloud(tmp_path)
    cloud.tell(Control(existing=frozenset({VPC})))
    cloud.put(Recorded(KEY, "there", "urn:pulumi:s::p::k::key", {}, {"arn": ARN}))
    return Provider(cloud, Real())


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (INSTANCE, OF_INSTANCE),
        (INSTANCE, {**OF_INSTANCE, "password": secret("hush"), "kmsKeyId": UNKNOWN}),
        (INSTANCE, {**OF_INSTANCE, "availabilityZone": f"{REGION}b", "storageType": "gp3"}),
        (BUCKET, {"region": REGION, "tags": {"owner": "us"}, "policy": "{}", "acl": "private"}),
        (SUBNET, {"vpcId": VPC, "cidrBlock": "10.0.0.0/24"}),
        (ENDPOINT, {"vpcId": VPC, "serviceName": f"com.amazonaws.{REGION}.s3", "policy": '{"Resource": "*"}'}),
        (ACCOUNT, OF_ACCOUNT),
        (SQL, OF_SQL),
    ],
)
def test_what_is_right_is_let_through(provider: Provider, token: str, inputs: dict[str, Any]) -> None:
    assert provider.problems(token, inputs, PLACE) == []


@pytest.mark.parametrize(
    ("token", "inputs", "place", "reason"),
    [
        (INSTANCE, OF_INSTANCE | {"instanceClas": "db.t4g.medium"}, "instanceClas", "did you mean 'instanceClass'?"),
        (INSTANCE, OF_INSTANCE | {"instance_class": "x"}, "instance_class", "did you mean 'instanceClass'?"),
        (INSTANCE, OF_INSTANCE | {"encrypted": True}, "encrypted", "no such property"),
        (INSTANCE, {"engine": "postgres"}, "instanceClass", "required"),
        (INSTANCE, OF_INSTANCE | {"allocatedStorage": "20"}, "allocatedStorage", "expected a whole number, got '20'"),
        (INSTANCE, OF_INSTANCE | {"allocatedStorage": 20.5}, "allocatedStorage", "expected a whole number, got 20.5"),
        (INSTANCE, OF_INSTANCE | {"allocatedStorage": True}, "allocatedStorage", "expected a whole number, got True"),
        (INSTANCE, OF_INSTANCE | {"multiAz": "yes"}, "multiAz", "expected true or false, got 'yes'"),
        (INSTANCE, OF_INSTANCE | {"storageType": "gp4"}, "storageType", "'gp4' is none of 'standard', 'gp2'"),
        (INSTANCE, OF_INSTANCE | {"vpcSecurityGroupIds": "sg"}, "vpcSecurityGroupIds", "expected a list, got 'sg'"),
        (INSTANCE, OF_INSTANCE | {"blueGreenUpdate": {"enable": True}}, "blueGreenUpdate.enable", "'enabled'?"),
        (INSTANCE, OF_INSTANCE | {"password": secret(["hush"])}, "password", "the secret given is not of the SDK's"),
        (INSTANCE, OF_INSTANCE | {"kmsKeyId": ARN.replace("there", "gone")}, "kmsKeyId", "key/gone is neither"),
        (
            INSTANCE,
            OF_INSTANCE | {"replicateSourceDb": "instance-rehearsed-0123456789ab"},
            "replicateSourceDb",
            "ab is",
        ),
        (
            INSTANCE,
            OF_INSTANCE | {"vpcSecurityGroupIds": ["sg-0123456789abcdef0"]},
            "vpcSecurityGroupIds[0]",
            "neither",
        ),
        (INSTANCE, OF_INSTANCE | {"availabilityZone": "us-east-1a"}, "availabilityZone", f"outside .* '{REGION}'"),
        (BUCKET, {"region": "eu-west-1"}, "region", "'eu-west-1' is outside the provider's region"),
        (BUCKET, {"acl": "publik-read"}, "acl", "'publik-read' is none of 'private', 'public-read'"),
        (BUCKET, {"tags": {"owner": 7}}, "tags.owner", "expected a string, got 7"),
        (BUCKET, {"tags": ["owner"]}, "tags", "expected a map"),
        (BUCKET, {"versioning": {"enabled": "on"}}, "versioning.enabled", "expected true or false"),
        (BUCKET, {"policy": {"Version": "2012-10-17", "Statment": []}}, "policy.Statment", "did you mean 'Statement'?"),
        (BUCKET, {"lifecycleRules": [{"enabled": True}, {"id": "x"}]}, "lifecycleRules[1].enabled", "required"),
        (SUBNET, {"vpcId": "vpc-0fffffffffffffff0"}, "vpcId", "vpc-0fffffffffffffff0 is neither recorded"),
        (SUBNET, {"cidrBlock": "10.0.0.0/24"}, "vpcId", "required"),
        (SUBNET, {"vpcId": VPC, "availabilityZone": "eu-central-2a"}, "availabilityZone", "outside"),
        (GROUP, {"ingress": [{"fromPort": 1, "toPort": 2, "protocl": "tcp"}]}, "ingress[0].protocl", "'protocol'?"),
        (GROUP, {"vpcId": VPC, "ingress": [{"fromPort": 1, "toPort": 2}]}, "ingress[0].protocol", "required"),
        (ACCOUNT, OF_ACCOUNT | {"kind": "StorageV3"}, "kind", "'StorageV3' is none of"),
        (ACCOUNT, OF_ACCOUNT | {"sku": {"name": "Standard_LSR"}}, "sku.name", "'Standard_LSR' is none of"),
        (ACCOUNT, OF_ACCOUNT | {"sku": {}}, "sku.name", "required"),
        (ACCOUNT, OF_ACCOUNT | {"location": "westeurope"}, "location", "outside"),
        (SERVER, {}, "resourceGroupName", "required"),
        (SERVER, OF_SERVER | {"highAvailability": {"mode": "SameRegion"}}, "highAvailability.mode", "is none of"),
        (SERVER, OF_SERVER | {"network": {"publicAccess": "No"}}, "network.publicAccess", "did you mean"),
        (
            SERVER,
            OF_SERVER | {"sourceServerResourceId": "/subscriptions/s/resourceGroups/g/providers/x/y/z"},
            "sourceServerResourceId",
            "neither recorded",
        ),
        (SQL, OF_SQL | {"region": "us-central1"}, "region", "outside"),
        (SQL, OF_SQL | {"settings": {"tir": "x"}}, "settings.tir", "did you mean 'tier'?"),
        ("aws:rds/instanse:Instanse", {}, "", "aws:rds/instanse:Instanse: the installed SDK has no such resource type"),
        ("oracle:db:Db", {}, "", "pulumi_oracle is not installed"),
    ],
)
def test_a_planted_mistake_is_refused_with_its_place(
    provider: Provider, token: str, inputs: dict[str, Any], place: str, reason: str
) -> None:
    problems = {problem.property: problem.reason for problem in provider.problems(token, inputs, PLACE)}
    assert place in problems, problems
    assert re.search(reason, problems[place])


def test_a_refused_secret_is_not_in_the_reason(provider: Provider) -> None:
    inputs = OF_INSTANCE | {"password": secret({"value": "hush"}), "tags": secret("hush")}
    problems = provider.problems(INSTANCE, inputs, PLACE)
    assert {problem.property for problem in problems} == {"password", "tags"}
    assert "hush" not in str(problems)


def test_without_a_region_of_the_provider_no_place_is_foreign(provider: Provider) -> None:
    assert provider.problems(BUCKET, {"region": "eu-west-1"}, Place()) == []
