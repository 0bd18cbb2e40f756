"""What the pretend cloud makes up, and what it does not."""

import json

from pulumi.runtime import rpc

from scripts.rehearsal.answers import Place
from scripts.rehearsal.outputs import Made, identity, outputs, unknown
from scripts.rehearsal.sdk import shape
from scripts.rehearsal.wire import SIGNATURE, UNKNOWN, redacted

URN = "urn:pulumi:stack::project::component${}::data"


def made(token: str, region: str = "eu-central-1", serial: int = 1) -> Made:
    return Made(token, URN.format(token), Place(region), serial)


def test_an_output_that_the_cloud_always_gives_is_there_and_one_that_it_may_give_is_not() -> None:
    instance = made("aws:rds/instance:Instance")
    given = outputs(instance, shape(instance.token), {"engine": "postgres"}, "an-id", {})
    assert given["engine"] == "postgres"
    assert given["arn"].startswith("arn:aws:rds:eu-central-1:123456789012:db:data-")
    assert given["address"] == "address-of-data"
    assert isinstance(given["allocatedStorage"], int)
    assert isinstance(given["multiAz"], bool)
    assert given["region"] == "eu-central-1"
    assert "storageEncrypted" not in given
    assert "deletionProtection" not in given


def test_a_policy_given_as_an_object_comes_back_as_text_and_stays_a_secret() -> None:
    role = made("aws:iam/role:Role")
    hush = {SIGNATURE: rpc._special_secret_sig, "value": "hush"}
    given = outputs(role, shape(role.token), {"assumeRolePolicy": {"Version": "1", "Id": hush}}, "r", {})
    assert json.loads(given["assumeRolePolicy"]["value"]) == {"Version": "1", "Id": "hush"}
    assert "hush" not in str(redacted(given))


def test_an_object_among_the_outputs_has_the_members_that_the_cloud_always_gives() -> None:
    account = made("azure-native:storage:StorageAccount")
    given = outputs(account, shape(account.token), {}, "a", {"name": "here"})
    assert given["primaryEndpoints"]["blob"] == "blob-of-data"
    assert "internetEndpoints" not in given["primaryEndpoints"]
    assert given["name"] == "here"


def test_a_preview_knows_the_inputs_alone() -> None:
    key = shape("aws:kms/key:Key")
    known = unknown(key, {"description": "ours"})
    assert known["description"] == "ours"
    assert known["arn"] == UNKNOWN


def test_ids_have_the_clouds_form_and_differ_for_each_creation() -> None:
    assert identity(made("aws:ec2/vpc:Vpc"), {}).startswith("vpc-")
    group = identity(made("azure-native:resources:ResourceGroup"), {"resourceGroupName": "data"})
    assert group.endswith("/resourceGroups/data")
    server = identity(made("azure-native:dbforpostgresql:Server"), {"resourceGroupName": "data"})
    assert server.startswith(f"{group}/providers/Microsoft.dbforpostgresql/Server/")
    token = "gcp:sql/databaseInstance:DatabaseInstance"
    assert identity(made(token), {}) == identity(made(token), {}) != identity(made(token, serial=2), {})


def test_an_arn_is_of_the_regions_partition() -> None:
    key = made("aws:kms/key:Key", "eusc-de-east-1")
    assert outputs(key, shape(key.token), {}, "k", {})["arn"].startswith("arn:aws-eusc:kms:eusc-de-east-1:")
