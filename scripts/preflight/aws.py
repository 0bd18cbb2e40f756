"""Facts of an AWS account and region, asked with whatever credentials the machine has. Nothing is changed there."""

import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from components.spec import FabricSpec, Platform
from scripts.preflight.facts import Facts, FactsError, Quota, Reach, State
from scripts.preflight.wanted import names

_QUOTAS = {
    "vcpu": ("ec2", "L-1216C47A"),
    "addresses": ("ec2", "L-0263D0A3"),
}
"""Running On-Demand Standard instances (vCPUs); elastic addresses (Service Quotas, EC2)."""
_GPU_QUOTAS = {"g": ("ec2", "L-DB2E81BA"), "p": ("ec2", "L-417A185B")}
"""Running On-Demand G and VT, and P instances (vCPUs)."""

_SECONDS = 5
"""That a private API has to answer in."""


def collect(spec: FabricSpec, stack: str, actions: tuple[str, ...]) -> Facts | None:
    """``None`` without credentials; raises ``FactsError`` where AWS does not say who they are."""
    session = botocore.session.get_session()
    if session.get_credentials() is None:
        return None
    asking, own = Asking(session, spec.region), spec.network.own
    try:
        caller = asking.client("sts").get_caller_identity()
    except NoCredentialsError:
        return None
    except (BotoCoreError, ClientError) as error:
        raise FactsError(f"AWS does not take the credentials of this machine: {error}") from error
    return Facts(
        platform=Platform.AWS,
        region=spec.region,
        recorded=datetime.now(UTC),
        account=caller["Account"],
        principal=caller["Arn"],
        permissions=asking.permissions(caller["Arn"], actions),
        quotas=asking.quotas(spec),
        zones=asking.zones(),
        models=asking.models(spec),
        networks=(networks := asking.networks()),
        names=asking.names(names(spec, stack)),
        reach=asking.reach(spec.cluster.own or stack),
        machine=address_towards(spec.network.cidr or (networks or {}).get(own.id if own else "")),
    )


class Asking:
    """What may not be asked is not known: each answer is ``None`` then."""

    def __init__(self, session: botocore.session.Session, region: str) -> None:
        self._session, self._region = session, region

    def client(self, service: str) -> Any:
        return self._session.create_client(service, region_name=self._region)

    def permissions(self, principal: str, actions: tuple[str, ...]) -> dict[str, bool] | None:
        if not actions:
            return {}
        asked = {"PolicySourceArn": role_of(principal), "ActionNames": [*actions]}
        found = self._told("iam", "simulate_principal_policy", **asked)
        if found is None:
            return None
        return {each["EvalActionName"]: each["EvalDecision"] == "allowed" for each in found["EvaluationResults"]}

    def quotas(self, spec: FabricSpec) -> dict[str, Quota] | None:
        wanted = dict(_QUOTAS)
        if spec.cluster.gpu:
            wanted["gpu"] = _GPU_QUOTAS["p" if spec.cluster.gpu.family.startswith("p") else "g"]
        found = {}
        for name, (service, code) in wanted.items():
            said = self._told("service-quotas", "get_service_quota", ServiceCode=service, QuotaCode=code)
            if said is not None:
                found[name] = Quota(limit=said["Quota"]["Value"], used=self.used(name))
        return found or None

    def used(self, quota: str) -> float:
        """Addresses in use are counted; running machines are not: of their quota the whole is taken to be left."""
        if quota != "addresses":
            return 0
        return len((self._told("ec2", "describe_addresses") or {}).get("Addresses", []))

    def zones(self) -> tuple[str, ...] | None:
        found = self._told("ec2", "describe_availability_zones")
        return None if found is None else tuple(zone["ZoneName"] for zone in found["AvailabilityZones"])

    def models(self, spec: FabricSpec) -> dict[str, bool] | None:
        """Profiles are listed apart from models. An id that is listed nowhere may not be called from the region."""
        wanted = [each.model for each in spec.managed() if each.provider == "bedrock"]
        listed = self._told("bedrock", "list_foundation_models") if wanted else None
        if listed is None:
            return None
        profiles = self._told("bedrock", "list_inference_profiles") or {}
        known = {model["modelId"] for model in listed["modelSummaries"]}
        known |= {profile["inferenceProfileId"] for profile in profiles.get("inferenceProfileSummaries", [])}
        return {model: model in known for model in wanted}

    def networks(self) -> Mapping[str, Any] | None:
        found = self._told("ec2", "describe_vpcs")
        return None if found is None else dict(_blocks(found["Vpcs"]))

    def names(self, given: tuple[str, ...]) -> dict[str, State]:
        return {name: state for name in given if (state := self._name(name)) is not None}

    def _name(self, name: str) -> State | None:
        try:
            found = self.client("secretsmanager").describe_secret(SecretId=name)
        except ClientError as error:
            return State.FREE if error.response["Error"]["Code"] == "ResourceNotFoundException" else None
        except BotoCoreError:
            return None
        return State.DELETED if "DeletedDate" in found else State.OWN

    def reach(self, cluster: str) -> Reach | None:
        """A cluster whose API has no address yet is being made: none is there."""
        try:
            found = self.client("eks").describe_cluster(name=cluster)["cluster"]
        except ClientError as error:
            return Reach.ABSENT if error.response["Error"]["Code"] == "ResourceNotFoundException" else None
        except BotoCoreError:
            return None
        return answers(found["endpoint"]) if found.get("endpoint") else Reach.ABSENT

    def _told(self, service: str, call: str, **arguments: Any) -> dict[str, Any] | None:
        try:
            return getattr(self.client(service), call)(**arguments)
        except (BotoCoreError, ClientError):
            return None


def answers(url: str) -> Reach:
    """Whether a connection comes about; nothing is said over it."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port or 443), timeout=_SECONDS):
            return Reach.ANSWERS
    except OSError:
        return Reach.SILENT


def address_towards(block: object | None) -> IPv4Address | IPv6Address | None:
    """The address that this machine would call a network from; nothing is sent. ``None``: no way leads there."""
    if block is None:
        return None
    there = ip_network(str(block))
    family = socket.AF_INET if there.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(there[1]), 443))
            return ip_address(probe.getsockname()[0])
    except OSError:
        return None


def role_of(principal: str) -> str:
    """Of a session, the role that it is of: a simulation takes no other."""
    if ":assumed-role/" not in principal:
        return principal
    role = principal.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/")
    return role.rpartition("/")[0]


def _blocks(vpcs: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for vpc in vpcs:
        for index, each in enumerate(vpc.get("CidrBlockAssociationSet") or [{"CidrBlock": vpc["CidrBlock"]}]):
            yield f"{vpc['VpcId']}{f' ({index + 1})' if index else ''}", ip_network(each["CidrBlock"])
