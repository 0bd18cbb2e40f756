"""Lists and objects that a cloud fills in and programs look into: the SDK says that they are there, and not what is
in them. By type; what is not here stays empty, and ``Control.outputs`` can say it."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from scripts.rehearsal.answers import Find
from scripts.rehearsal.outputs import Made
from scripts.rehearsal.wire import Properties


def fills(made: Made, inputs: Mapping[str, Any], find: Find) -> Properties:
    """``inputs``: without marks of secrets."""
    return _FILLS[made.token](made, inputs, find) if made.token in _FILLS else {}


def _firewall(made: Made, inputs: Mapping[str, Any], find: Find) -> Properties:
    subnets = [mapping["subnetId"] for mapping in inputs.get("subnetMappings", ())]
    states = [
        {
            "availabilityZone": (find(subnet) or {}).get("availabilityZone", f"{made.place.region}{'abc'[number % 3]}"),
            "attachments": [{"subnetId": subnet, "endpointId": f"vpce-{made.digest[number : number + 17]}"}],
        }
        for number, subnet in enumerate(subnets)
    ]
    return {"firewallStatuses": [{"syncStates": states}]}


def _instance(made: Made, inputs: Mapping[str, Any], _: Find) -> Properties:
    called = inputs.get("identifier") or made.name
    suffix = made.place.suffixes[0]
    address = f"{called}.{made.digest[:12]}.{made.place.region}.rds.{suffix}"
    port = int(inputs.get("port") or 5432)
    return {
        "address": address,
        "endpoint": f"{address}:{port}",
        "port": port,
        "resourceId": f"db-{made.digest[:26].upper()}",
    }


def _cluster(made: Made, inputs: Mapping[str, Any], _: Find) -> Properties:
    region, (suffix, _reversed) = made.place.region, made.place.suffixes
    number = made.digest[:32].upper()
    network = {**(inputs.get("vpcConfig") or {}), "clusterSecurityGroupId": f"sg-{made.digest[:17]}", "vpcId": ""}
    return {
        "endpoint": f"https://{number}.gr7.{region}.eks.{suffix}",
        "certificateAuthority": {"data": base64.b64encode(b"rehearsed").decode()},
        "certificateAuthorities": [{"data": base64.b64encode(b"rehearsed").decode()}],
        "identities": [{"oidcs": [{"issuer": f"https://oidc.eks.{region}.{suffix}/id/{number}"}]}],
        "vpcConfig": network,
    }


def _endpoint(made: Made, inputs: Mapping[str, Any], _: Find) -> Properties:
    named = f"vpce-{made.digest[:17]}.{inputs.get('serviceName', '')}"
    return {"dnsEntries": [{"dnsName": named, "hostedZoneId": "Z1"}], "cidrBlocks": [], "prefixListId": "pl-1"}


def _azure_firewall(_: Made, inputs: Mapping[str, Any], __: Find) -> Properties:
    given = inputs.get("ipConfigurations", ())
    return {"ipConfigurations": [{**one, "privateIPAddress": "10.40.9.4"} for one in given]}


def _assigned(_: Made, inputs: Mapping[str, Any], __: Find) -> Properties:
    """Azure: a list of identities goes in, and a map comes out."""
    identity = inputs.get("identity") or {}
    given = identity.get("userAssignedIdentities")
    return {"identity": {**identity, "userAssignedIdentities": {one: {} for one in given}}} if given else {}


def _store(zone: str, key: str) -> Callable[[Made, Mapping[str, Any], Find], Properties]:
    """Where a vault or an HSM answers."""

    def fill(made: Made, inputs: Mapping[str, Any], _: Find) -> Properties:
        named = inputs.get("vaultName") or inputs.get("name") or made.name
        return {"properties": {**(inputs.get("properties") or {}), key: f"https://{named}.{zone}/"}}

    return fill


def _key(made: Made, inputs: Mapping[str, Any], _: Find) -> Properties:
    uri = f"https://{inputs.get('vaultName')}.vault.azure.net/keys/{inputs.get('keyName') or made.name}"
    return {"keyUri": uri, "keyUriWithVersion": f"{uri}/{made.digest[:32]}"}


def _queue(made: Made, inputs: Mapping[str, Any], _: Find) -> Properties:
    place = made.place
    return {"url": f"https://sqs.{place.region}.{place.suffixes[0]}/{place.account}/{inputs.get('name') or made.name}"}


def _models_account(made: Made, inputs: Mapping[str, Any], find: Find) -> Properties:
    """Azure calls a resource as it is asked to."""
    return {"name": inputs.get("accountName") or made.name, **_assigned(made, inputs, find)}


def _sql(made: Made, _: Mapping[str, Any], __: Find) -> Properties:
    named = f"{made.digest[:12]}.{made.digest[12:24]}.{made.place.region}.sql.goog."
    return {
        "privateIpAddress": "10.64.0.3",
        "dnsName": named,
        "dnsNames": [{"name": named, "connectionType": "PRIVATE_SERVICES_ACCESS", "dnsScope": "INSTANCE"}],
        "ipAddresses": [{"ipAddress": "10.64.0.3", "type": "PRIVATE"}],
        "serverCaCerts": [{"cert": "rehearsed"}],
    }


_FILLS: Mapping[str, Callable[[Made, Mapping[str, Any], Find], Properties]] = {
    "aws:networkfirewall/firewall:Firewall": _firewall,
    "aws:rds/instance:Instance": _instance,
    "aws:sqs/queue:Queue": _queue,
    "aws:eks/cluster:Cluster": _cluster,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "azure-native:network:AzureFirewall": _azure_firewall,
    "azure-native:network:FlowLog": _assigned,
    "azure-native:dbforpostgresql:Server": _assigned,
    "azure-native:cognitiveservices:Account": _models_account,
    "azure-native:storage:StorageAccount": _assigned,
    "azure-native:keyvault:Vault": _store("vault.azure.net", "vaultUri"),
    "azure-native:keyvault:Key": _key,
    "azure-native:keyvault:ManagedHsm": _store("managedhsm.azure.net", "hsmUri"),
    "gcp:sql/databaseInstance:DatabaseInstance": _sql,
}
