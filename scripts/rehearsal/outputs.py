"""What the pretend cloud gives a resource: an id and an ARN in the cloud's form, and the outputs it always fills."""

import hashlib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi import _types

from scripts.rehearsal.answers import ACCOUNT, MARK, Place
from scripts.rehearsal.sdk import Shape, filled
from scripts.rehearsal.wire import UNKNOWN, Properties, as_text, is_marked, revealed

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
"""Where the stack names none."""
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
_NAMED: Mapping[str, tuple[str, str]] = {
    "aws:cloudwatch/logGroup:LogGroup": ("name", "{regional}:log-group:{name}"),
    "aws:dynamodb/table:Table": ("name", "{regional}:table/{name}"),
    "aws:eks/cluster:Cluster": ("name", "{regional}:cluster/{name}"),
    "aws:iam/instanceProfile:InstanceProfile": ("name", "{global_}:instance-profile/{name}"),
    "aws:iam/role:Role": ("name", "{global_}:role/{name}"),
    "aws:iam/user:User": ("name", "{global_}:user/{name}"),
    "aws:kms/alias:Alias": ("name", "{regional}:{name}"),
    "aws:rds/instance:Instance": ("identifier", "{regional}:db:{name}"),
    "aws:s3/bucket:Bucket": ("bucket", "arn:{partition}:s3:::{name}"),
}
"""Types whose id is their name: the input that it is, and what their ARN looks like."""
_ARNS: Mapping[str, tuple[str, str]] = {
    "aws:iam/policy:Policy": ("name", "{global_}:policy/{name}"),
    "aws:secretsmanager/secret:Secret": ("name", "{regional}:secret:{name}-{short}"),
    "aws:sfn/stateMachine:StateMachine": ("name", "{regional}:stateMachine:{name}"),
    "aws:sns/topic:Topic": ("name", "{regional}:{name}"),
    "aws:sqs/queue:Queue": ("name", "{regional}:{name}"),
}
"""Types whose ARN holds their name; of all but the queue it is the id too."""
_SERVICES = {"cloudwatch": "logs", "sfn": "states", "alb": "elasticloadbalancing", "lb": "elasticloadbalancing"}
"""Names of services in ARNs where Pulumi's module is called otherwise."""


@dataclass(frozen=True)
class Made:
    """A resource of the pretend cloud, and where its provider works."""

    token: str
    urn: str
    place: Place
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

    def called(self, inputs: Mapping[str, Any], key: str) -> str:
        """The physical name: as given, or as Pulumi makes one."""
        return str(revealed(inputs.get(key)) or f"{self.name}-{self.digest[:7]}")


def identity(made: Made, inputs: Mapping[str, Any]) -> str:
    package = made.token.partition(":")[0]
    if prefix := EC2_PREFIXES.get(made.token):
        return f"{prefix}-{made.digest[:17]}"
    if package == "aws":
        return _aws_id(made, inputs)
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
    given |= {name: value for name, value in _named(made, inputs).items() if given.get(name) is None}
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
    if name == "region" and made.place.region:
        return made.place.region
    if isinstance(kind, type) and _types.is_output_type(kind):
        return {part: _invented(made, rid, part, inner) for part, inner in filled(kind).items()}
    if typing.get_origin(kind) is not None:
        return None  # lists and maps: what they would hold is not known, so nothing is said
    return {bool: False, int: 1, float: 1, str: f"{name}-of-{made.name}"}.get(kind)


def _named(made: Made, inputs: Mapping[str, Any]) -> Properties:
    """The physical name, and the ARN that holds it, of a type that has both."""
    if found := _NAMED.get(made.token) or _ARNS.get(made.token):
        key, form = found
        called = made.called(inputs, key)
        return {key: called, "arn": _written(made, form, called)}
    return {}


def _aws_id(made: Made, inputs: Mapping[str, Any]) -> str:
    if made.token in _NAMED:
        return made.called(inputs, _NAMED[made.token][0])
    if made.token in _ARNS:
        return str(_named(made, inputs)["arn"])
    return f"{made.kind}-{MARK}-{made.digest[:12]}"


def _arn(made: Made, rid: str) -> str:
    return _written(made, "{regional}:{name}", f"{made.kind}/{rid}")


def _written(made: Made, form: str, name: str) -> str:
    service, place = made.token.split(":")[1].partition("/")[0], made.place
    service, account = _SERVICES.get(service, service), place.account or ACCOUNT
    partition = place.partition if place.region else "aws"
    return form.format(
        regional=f"arn:{partition}:{service}:{place.region}:{account}",
        global_=f"arn:{partition}:{service}::{account}",
        partition=partition,
        name=name,
        short=made.digest[:6],
    )


def _azure_id(made: Made, inputs: Mapping[str, Any]) -> str:
    subscription = f"/subscriptions/{made.place.account or SUBSCRIPTION}"
    name = f"{made.name}-{MARK}-{made.digest[:12]}"
    if made.kind == "resourcegroup":
        return f"{subscription}/resourceGroups/{inputs.get('resourceGroupName', name)}"
    _, module, kind = made.token.split(":")
    group = inputs.get("resourceGroupName", "no-group")
    return f"{subscription}/resourceGroups/{group}/providers/Microsoft.{module}/{kind}/{name}"


def _metadata(made: Made, inputs: Mapping[str, Any]) -> Properties:
    given = inputs.get("metadata") or {}
    return {**given, "name": revealed(given.get("name")) or f"{made.name}-{made.digest[:8]}"}
