"""Network, keys and PostgreSQL on Azure together: what one gives is what the next takes, and the rules bless it all."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.keys.azure import AzureKeys
from components.network.azure import AzureNetwork
from components.postgres.azure import AzurePostgres
from components.providers import azure_provider
from regions.catalogue import load_catalogue
from tests.fixtures.recording import Graph, record, reviewed
from tests.fixtures.resources import plan

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "11111111-1111-1111-1111-111111111111"
VAULT = "azure-native:keyvault:Vault"
FIREWALL = "azure-native:network:AzureFirewall"
FLOWS = "azure-native:network:FlowLog"


def answers(type_: str, _name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if type_ == FIREWALL:
        return {"ipConfigurations": [{**inputs["ipConfigurations"][0], "privateIPAddress": "10.40.9.4"}]}
    if type_ == FLOWS:  # a list goes in, a mapping comes out
        return {"identity": {"type": "UserAssigned", "userAssignedIdentities": {}}}
    if type_ == VAULT:
        return {"properties": {**inputs["properties"], "vaultUri": "https://made.vault.azure.net/"}}
    return {}


def built(regime: str, region: str) -> Graph:
    environment = load_catalogue().regions[region].partition

    def program() -> None:
        provider = azure_provider("azure", region, environment, SUBSCRIPTION, {SUBSCRIPTION})
        options = pulumi.ResourceOptions(providers=[provider])
        network = AzureNetwork(
            "net",
            {
                "stack": "test",
                "subscription": SUBSCRIPTION,
                "region": region,
                "environment": environment,
                "cidr": "10.40.0.0/20",
                "hosts": ["orders.example.org"],
                "zones": ["1", "2", "3"],
                "retention_days": 90,
                "log_account": "flowstest",
            },
            options,
        )
        keys = AzureKeys(
            "keys",
            {
                "subscription": SUBSCRIPTION,
                "tenant": TENANT,
                "plan": plan(regime, region),
                "name": "keys-test",
                "group": network.group,
                "endpoints": network.endpoints,
                "zones": network.zones,
                "logs": network.logs,
            },
            options,
        )
        AzurePostgres(
            "postgres",
            {
                "name": "loomstead-test",
                "tenant": TENANT,
                "region": region,
                "group": network.group,
                "primary": network.primary.apply(lambda subnets: subnets[0]),
                "replica": network.replica.apply(lambda subnets: subnets[0]),
                "zone": network.zones["postgres"],
                "encryption": keys.encryption,
                "encryptor": keys.encryptor,
                "administrator": "group-id",
                "administrator_name": "database-administrators",
                "logs": network.logs,
                "zones": 3,
                "size": "small",
                "statement_timeout_ms": 5000,
                "backup_days": 14,
            },
            options,
        )

    return record(program, answers=answers)


@pytest.mark.parametrize(
    ("regime", "region"), [("eu-gdpr", "swedencentral"), ("ch-fadp", "switzerlandnorth"), ("us-itar", "usgovvirginia")]
)
def test_the_rules_have_nothing_against_all_of_it(regime: str, region: str) -> None:
    assert reviewed(built(regime, region), regime, region) == []


def test_a_database_waits_until_its_key_may_be_used_and_its_name_is_known() -> None:
    graph = built("eu-gdpr", "swedencentral")

    for role in ("primary", "replica"):
        server = graph.named(f"postgres-{role}")
        awaited = {"keys-encryption", "keys-encryptor-role", "net-postgres-zone-link", f"net-{role}"}
        assert {graph.named(name).urn for name in awaited} <= server.dependencies
        assert server.properties["network"]["delegatedSubnetResourceId"] == f"net-{role}-id"
