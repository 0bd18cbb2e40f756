"""What the pretend cloud gives a resource: an id and an ARN in the cloud's form, and the outputs it always fills."""

import hashlib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi import _types

from scripts.rehearsal.sdk import Shape, filled
from scripts.rehearsal.wire import UNKNOWN, Properties, as_text, is_marked, revealed

ACCOUNT = "123456789012"
"""The account of every ARN made here: AWS keeps it for examples."""
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
MARK = "rehearsed"
"""In every id made here that has no form of the cloud's own."""
EC2_PREFIXES: Mapping[str, str] = {
    "aws:ec2/eip:Eip": "eipalloc",
    "aws:ec2/internetGateway:InternetGateway": "igw",
    "aws:ec2/launchTemplate:LaunchTemplate": "lt",
    "aws:ec2/natGateway:NatGateway": "nat",
    "aws:ec2/networkAcl:NetworkAcl": "acl",
    "aws:ec2/networkInterface:NetworkInterface": "eni",
    "aws:ec2/routeTable:RouteTable": "rtb",
    "aws:ec2/securityGroup:SecurityGroup": "sg",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce",
}


@dataclass(frozen=True)
class Made:
    """A resource of the pretend cloud. ``region``: its provider's, empty where the provider has none."""

    token: str
    urn: str
    region: str
    serial: int

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def kind(self) -> str:
        return self.token.rpartition(":")[2].lower()

    @property
    def digest(self) -> str:
        """Differs for every creation: a resource created anew never has the id of the one that was deleted."""
        return hashlib.sha256(f"{self.urn} {self.serial}".encode()).hexdigest()


def identity(made: Made, inputs: Mapping[str, Any]) -> str:
    package = made.token.partition(":")[0]
    if prefix := EC2_PREFIXES.get(made.token):
        return f"{prefix}-{made.digest[:17]}"
    if package == "kubernetes":
        metadata = _metadata(made, inputs)
        return "/".join(filter(None, [metadata.get("namespace"), metadata["name"]]))
    if package == "azure-native":
        return _azure_id(made, inputs)
    return f"{made.kind}-{MARK}-{made.digest[:12]}"


def outputs(made: Made, shape: Shape, inputs: Mapping[str, Any], rid: str, fixed: Mapping[str, Any]) -> Properties:
    """The inputs, and for what is missing a value of the SDK's type; ``fixed`` decides where it says something."""
    given = {name: _as_given_back(value, shape.outputs.get(name)) for name, value in inputs.items()}
    if made.token.startswith("kubernetes:"):
        given["metadata"] = _metadata(made, inputs)
    missing = {name: kind for name, kind in _filled(shape).items() if given.get(name) is None}
    return {**given, **{name: _invented(made, rid, name, kind) for name, kind in missing.items()}, **fixed}


def unknown(shape: Shape, inputs: Mapping[str, Any]) -> Properties:
    """What a preview knows of a resource that is not there yet."""
    return {**dict.fromkeys(_filled(shape), UNKNOWN), **inputs}


def _filled(shape: Shape) -> Mapping[str, Any]:
    return {name: kind for name, kind in shape.filled.items() if name not in ("id", "urn")}


def _as_given_back(value: Any, kind: Any) -> Any:
    """A policy given as an object comes back as JSON text: where the SDK says text, the program would die of less."""
    return as_text(value) if isinstance(value, dict | list) and not is_marked(value) and kind is str else value


def _invented(made: Made, rid: str, name: str, kind: Any) -> Any:
    if made.token.startswith("aws:") and name == "arn":
        return _arn(made, rid)
    if name == "region" and made.region:
        return made.region
    if isinstance(kind, type) and _types.is_output_type(kind):
        return {part: _invented(made, rid, part, inner) for part, inner in filled(kind).items()}
    if typing.get_origin(kind) is not None:
        return None  # lists and maps: what they would hold is not known, so nothing is said
    return {bool: False, int: 1, float: 1, str: f"{name}-of-{made.name}"}.get(kind)


def _arn(made: Made, rid: str) -> str:
    service = made.token.split(":")[1].partition("/")[0]
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}
    partition = next((found for prefix, found in prefixes.items() if made.region.startswith(prefix)), "aws")
    return f"arn:{partition}:{service}:{made.region}:{ACCOUNT}:{made.kind}/{rid}"


def _azure_id(made: Made, inputs: Mapping[str, Any]) -> str:
    name = f"{made.name}-{MARK}-{made.digest[:12]}"
    if made.kind == "resourcegroup":
        return f"{SUBSCRIPTION}/resourceGroups/{inputs.get('resourceGroupName', name)}"
    _, module, kind = made.token.split(":")
    group = inputs.get("resourceGroupName", "no-group")
    return f"{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.{module}/{kind}/{name}"


def _metadata(made: Made, inputs: Mapping[str, Any]) -> Properties:
    given = inputs.get("metadata") or {}
    return {**given, "name": revealed(given.get("name")) or f"{made.name}-{made.digest[:8]}"}
