"""What the clouds' own functions answer a program (``invoke``) in a region; what nobody told is refused.

Suffixes of service names are residency-facts.md's (§4), prefixes of endpoint services those of AWS's partitions
(aws/aws-cdk#36471 for the European Sovereign Cloud). What nobody looked up is not answered: China's services have
suffixes that differ from one to the next.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from components.cluster.aws_plan import NETWORK
from regions.catalogue import load_catalogue
from scripts.rehearsal.wire import Properties

ACCOUNT = "123456789012"
"""The account where the stack names none: AWS keeps it for examples."""
MARK = "rehearsed"
"""In what is made up here and has no form of the cloud's own."""
DRAWN = f"{MARK}-canary-"
"""How every secret begins that is drawn here: it may be in no file that is written."""
_SUFFIXES = {
    "aws": ("amazonaws.com", "com.amazonaws"),
    "aws-us-gov": ("amazonaws.com", "com.amazonaws"),
    "aws-eusc": ("amazonaws.eu", "eu.amazonaws"),
}


class NoAnswer(LookupError):
    """Nobody told what the cloud answers; the message says how to."""


@dataclass(frozen=True)
class Place:
    """Where a provider works. ``account``: AWS's, or a subscription or project; empty where it has none."""

    region: str = ""
    account: str = ""

    @property
    def partition(self) -> str:
        """Of the region; raises ``NoAnswer``."""
        found = load_catalogue().regions.get(self.region)
        if found is None:
            raise NoAnswer(f"region {self.region!r} is not in regions/catalogue")
        return found.partition

    @property
    def suffixes(self) -> tuple[str, str]:
        """Of service names and, reversed, of endpoint services; raises ``NoAnswer``."""
        if self.partition not in _SUFFIXES:
            raise NoAnswer(f"partition {self.partition}: the suffixes of its services are not known here")
        return _SUFFIXES[self.partition]


Asked = Mapping[str, Any]
Find = Callable[[str], Mapping[str, Any] | None]
"""Inputs of what is there, by its id."""


def _nothing(_: str) -> None:
    """Nobody says what is there."""


def answer(token: str, asked: Asked, place: Place, find: Find = _nothing) -> Properties:
    """``find``: what is there, for functions that describe it. Raises ``NoAnswer``."""
    if token in _DESCRIBING and (there := find(str(asked.get("id")))):
        return {**there, "id": asked["id"]}
    if token not in _FUNCTIONS:
        raise NoAnswer(f"{token}: say under `invokes` of the control file what the cloud answers")
    return {"id": f"{MARK}-{token.rpartition(':')[2]}", **_FUNCTIONS[token](asked, place)}


def answers(place: Place, find: Find = _nothing) -> dict[str, Callable[[Asked], Properties]]:
    """Every function of which the answer is known, by token."""
    known = (*_FUNCTIONS, *_DESCRIBING)
    return {token: lambda asked, token=token: answer(token, asked, place, find) for token in known}


def own_cluster(name: str, vpc: str, place: Place) -> dict[str, Properties]:
    """By token, what AWS answers of a cluster that is there and has what a fabric needs."""
    issuer = f"https://oidc.eks.{place.region}.{place.suffixes[0]}/id/{MARK}"
    key = f"arn:{place.partition}:kms:{place.region}:{place.account or ACCOUNT}:key/{MARK}"
    services = {"serviceIpv4Cidr": "172.20.0.0/16", "serviceIpv6Cidr": ""}
    addresses = {"ipFamily": "ipv4", "elasticLoadBalancings": [], **services}
    encrypted = {"EncryptionConfig": [{"Provider": {"KeyArn": key}, "Resources": ["secrets"]}]}
    return {
        "aws:eks/getCluster:getCluster": {
            "id": name,
            "name": name,
            "arn": f"arn:{place.partition}:eks:{place.region}:{place.account or ACCOUNT}:cluster/{name}",
            "status": "ACTIVE",
            "version": "1.35",
            "endpoint": f"https://{MARK}.{place.region}.eks.{place.suffixes[0]}",
            "certificateAuthorities": [{"data": base64.b64encode(MARK.encode()).decode()}],
            "identities": [{"oidcs": [{"issuer": issuer}]}],
            "computeConfigs": [{"enabled": False, "nodePools": [], "nodeRoleArn": ""}],
            "remoteNetworkConfigs": [],
            "outpostConfigs": [],
            "kubernetesNetworkConfigs": [addresses],
            "vpcConfig": {
                "vpcId": vpc,
                "endpointPrivateAccess": True,
                "endpointPublicAccess": False,
                "clusterSecurityGroupId": "sg-0123456789abcdef0",
                "controlPlaneEgressMode": "AWS_MANAGED",
                "publicAccessCidrs": [],
                "securityGroupIds": [],
                "subnetIds": [],
            },
        },
        "aws:cloudcontrol/getResource:getResource": {
            "id": name,
            "identifier": name,
            "typeName": "AWS::EKS::Cluster",
            "properties": json.dumps(encrypted),
        },
        "aws:eks/getAddon:getAddon": {"id": name, "clusterName": name, "configurationValues": json.dumps(NETWORK)},
    }


def public_key(name: str) -> str:
    """PEM of a P-256 key that is the same for the same name; nothing signs with it."""
    scalar = int.from_bytes(hashlib.sha256(name.encode()).digest()[:31]) + 1
    public = ec.derive_private_key(scalar, ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _partition(_: Asked, place: Place) -> Properties:
    suffix, reverse = place.suffixes
    named = place.partition
    return {"id": named, "partition": named, "dnsSuffix": suffix, "reverseDnsPrefix": reverse}


def _caller(_: Asked, place: Place) -> Properties:
    account = place.account or ACCOUNT
    arn = f"arn:{place.partition}:iam::{account}:root"
    return {"id": account, "accountId": account, "arn": arn, "userId": "deployer"}


def _region(asked: Asked, place: Place) -> Properties:
    region = asked.get("region") or place.region
    return {"id": region, "region": region, "name": region, "endpoint": f"ec2.{region}.{place.suffixes[0]}"}


def _principal(asked: Asked, place: Place) -> Properties:
    service, suffix = asked["serviceName"], place.suffixes[0]
    name = f"{service}.{suffix}"
    region = asked.get("region") or place.region
    return {"id": f"{service}.{region}.{suffix}", "name": name, "suffix": suffix, "region": region, **asked}


def _endpoint_service(asked: Asked, place: Place) -> Properties:
    name = f"{place.suffixes[1]}.{place.region}.{asked['service']}"
    return {"id": asked["service"], "serviceName": name, "region": place.region, **asked}


def _zones(_: Asked, place: Place) -> Properties:
    letters = "ab" if place.partition == "aws-eusc" else "abc"  # the first of them; residency-facts.md §4
    return {"names": [f"{place.region}{letter}" for letter in letters], "zoneIds": [], "groupNames": []}


def _password(_: Asked, __: Place) -> Properties:
    return {"randomPassword": DRAWN + secrets.token_urlsafe()}


def _aws_public_key(asked: Asked, place: Place) -> Properties:
    arn = f"arn:{place.partition}:kms:{place.region}:{place.account or ACCOUNT}:key/{asked['keyId']}"
    return {"publicKeyPem": public_key(str(asked["keyId"])), "keyId": asked["keyId"], "arn": arn}


def _addon_version(asked: Asked, place: Place) -> Properties:
    """Some version: which ones there are, only EKS knows."""
    return {"version": "v1.0.0-eksbuild.1", "region": place.region, **asked}


def _prefix_list(asked: Asked, _: Place) -> Properties:
    """AWS's own list of a service's addresses; they are those kept for documentation (RFC 5737)."""
    name = str(asked.get("name") or asked.get("prefixListId"))
    rid = "pl-" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return {"id": rid, "prefixListId": rid, "name": name, "cidrBlocks": ["192.0.2.0/24"]}


def _session(asked: Asked, _: Place) -> Properties:
    """Of a session of an assumed role the role; of any other caller itself."""
    arn = str(asked["arn"])
    found = re.fullmatch(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/(.+)", arn)
    if found is None:
        return {"arn": arn, "issuerArn": arn, "issuerId": "", "issuerName": "", "sessionName": ""}
    partition, account, role, session = found.groups()
    issuer = f"arn:{partition}:iam::{account}:role/{role}"
    return {"arn": arn, "issuerArn": issuer, "issuerId": "", "issuerName": role, "sessionName": session}


def _azure_client(_: Asked, place: Place) -> Properties:
    zero = "00000000-0000-0000-0000-00000000000"
    return {"clientId": f"{zero}2", "objectId": f"{zero}3", "tenantId": f"{zero}4", "subscriptionId": place.account}


def _google_client(_: Asked, place: Place) -> Properties:
    token = DRAWN + secrets.token_urlsafe()
    return {"project": place.account, "region": place.region, "zone": "", "accessToken": token}


def _project(asked: Asked, place: Place) -> Properties:
    project = asked.get("projectId") or place.account
    return {"projectId": project, "name": project, "number": ACCOUNT}


def _log_settings(asked: Asked, place: Place) -> Properties:
    account = f"cmek-p{ACCOUNT}@gcp-sa-logging.iam.gserviceaccount.com"
    return {
        "project": asked["project"],
        "name": f"projects/{asked['project']}/cmekSettings",
        "serviceAccountId": account,
    }


def _key_version(asked: Asked, place: Place) -> Properties:
    key = str(asked["cryptoKey"])
    public = {"algorithm": "EC_SIGN_P256_SHA256", "pem": public_key(key)}
    return {"cryptoKey": key, "name": f"{key}/cryptoKeyVersions/1", "version": 1, "publicKeys": [public]}


_DESCRIBING = ("aws:ec2/getVpc:getVpc", "aws:ec2/getSubnet:getSubnet")
_FUNCTIONS: Mapping[str, Callable[[Asked, Place], Properties]] = {
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getServicePrincipal:getServicePrincipal": _principal,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:ec2/getVpcEndpointService:getVpcEndpointService": _endpoint_service,
    "aws:secretsmanager/getRandomPassword:getRandomPassword": _password,
    "aws:kms/getPublicKey:getPublicKey": _aws_public_key,
    "aws:ec2/getPrefixList:getPrefixList": _prefix_list,
    "aws:eks/getAddonVersion:getAddonVersion": _addon_version,
    "aws:iam/getSessionContext:getSessionContext": _session,
    "azure-native:authorization:getClientConfig": _azure_client,
    "gcp:organizations/getClientConfig:getClientConfig": _google_client,
    "gcp:organizations/getProject:getProject": _project,
    "gcp:kms/getKMSCryptoKeyVersion:getKMSCryptoKeyVersion": _key_version,
    "gcp:logging/getProjectCmekSettings:getProjectCmekSettings": _log_settings,
}
