"""The table of replacing inputs against the SDKs: a misspelt row would never fire."""

import pytest

from scripts.rehearsal.replacing import replacing
from scripts.rehearsal.sdk import shape


@pytest.mark.parametrize("token", replacing())
def test_every_input_in_the_table_is_one_of_the_types(token: str) -> None:
    row = replacing()[token]
    assert (row.replaces | row.undecided) - shape(token).inputs.keys() == set()
    assert row.replaces & row.undecided == set()
    assert row.replaces | row.undecided


def test_every_kind_of_store_of_the_fabric_is_in_the_table() -> None:
    assert replacing().keys() >= {
        "aws:rds/instance:Instance",
        "aws:rds/cluster:Cluster",
        "aws:s3/bucket:Bucket",
        "aws:kms/key:Key",
        "azure-native:dbforpostgresql:Server",
        "azure-native:storage:StorageAccount",
        "azure-native:keyvault:Vault",
        "gcp:sql/databaseInstance:DatabaseInstance",
        "gcp:kms/cryptoKey:CryptoKey",
        "gcp:storage/bucket:Bucket",
        "gcp:logging/projectBucketConfig:ProjectBucketConfig",
        "aws:secretsmanager/secret:Secret",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:sqs/queue:Queue",
        "aws:msk/serverlessCluster:ServerlessCluster",
        "aws:eks/cluster:Cluster",
        "aws:backup/vault:Vault",
        "azure-native:dbforpostgresql:Database",
        "azure-native:keyvault:Key",
        "azure-native:keyvault:ManagedHsm",
        "gcp:secretmanager/regionalSecret:RegionalSecret",
        "gcp:sql/database:Database",
        "gcp:kms/keyRing:KeyRing",
        "kubernetes:core/v1:PersistentVolumeClaim",
        "kubernetes:apps/v1:StatefulSet",
    }


def test_every_source_names_a_file_at_a_commit_or_another_row() -> None:
    for token, row in replacing().items():
        assert "@" in row.source or "as above" in row.source, token
