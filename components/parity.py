"""Which capability exists on which platform, as data: the source of the table in the documentation.

Native       the platform's own service, or on ``local`` the real software
Equivalent   the same contract met by other means, named
Unsupported  not there; asking for it raises, it never silently does less
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TypeVar

import pulumi

Contract = TypeVar("Contract", bound=pulumi.ComponentResource)

PLATFORMS = ("aws", "azure", "gcp", "kubernetes", "local")
"""As ``components.spec.Platform``, without which providers of dynamic resources start faster."""


class Capability(StrEnum):
    NETWORK = "network"
    CLUSTER = "cluster"
    KEYS = "keys"
    IDENTITY = "identity"
    POSTGRES = "postgres"
    REPLICA = "replica"
    CACHE = "cache"
    VECTOR = "vector"
    MODELS = "models"
    MODEL_HOST = "model_host"
    GATEWAY = "gateway"
    ORCHESTRATOR = "orchestrator"
    CORE_SYSTEM = "core_system"
    TRIGGERS = "triggers"
    OBSERVABILITY = "observability"
    GUARDRAILS = "guardrails"
    BUDGET = "budget"
    BACKUP = "backup"
    COST = "cost"


RUNS = (Capability.CLUSTER, Capability.CACHE, Capability.VECTOR, Capability.GATEWAY, Capability.ORCHESTRATOR)
"""What a whole fabric has beyond its foundation."""


@dataclass(frozen=True)
class Native:
    """``by``: what it is there."""

    by: str


@dataclass(frozen=True)
class Equivalent:
    """``by``: what stands in for the platform's own service."""

    by: str


@dataclass(frozen=True)
class Unsupported:
    reason: str


Parity = Native | Equivalent | Unsupported

_LOCAL: Mapping[Capability, Parity] = {
    Capability.NETWORK: Unsupported("not needed: every part listens on loopback alone"),
    Capability.GUARDRAILS: Unsupported("not needed: there is no cloud account to fence in"),
    Capability.CLUSTER: Native("supervisord, ports on loopback"),
    Capability.KEYS: Native("files, mode 0600"),
    Capability.IDENTITY: Native("the gateway as issuer, ES256 client keys"),
    Capability.POSTGRES: Native("PostgreSQL 18, streaming replica"),
    Capability.VECTOR: Native("pgvector"),
    Capability.MODEL_HOST: Native("llama.cpp, or an OpenAI-compatible endpoint"),
    Capability.GATEWAY: Native("gateway and worker processes"),
    Capability.ORCHESTRATOR: Native("Temporal development server"),
    Capability.CORE_SYSTEM: Native("the demo's order system, or an own one by URL"),
    Capability.REPLICA: Native("streaming standby: role agent_reader, read-only, time and connections bounded"),
    Capability.COST: Unsupported("not needed: its machine is your own"),
}
_AWS: Mapping[Capability, Parity] = {
    Capability.NETWORK: Native(
        "VPC, private endpoints, egress and DNS by host name alone; or an own VPC, with its own DNS"
    ),
    Capability.KEYS: Native("KMS keys of one region, Secrets Manager"),
    Capability.CLUSTER: Native("EKS with a private API, system and GPU nodes, security groups for pods"),
    Capability.IDENTITY: Native(
        "an IAM role for each scope class, which trusts the gateway's issuer and nobody assumes yet; Pod Identity"
    ),
    Capability.POSTGRES: Native("RDS PostgreSQL 18, several zones, replica of its own for agents"),
    Capability.CACHE: Native("ElastiCache for Valkey, TLS, IAM"),
    Capability.VECTOR: Native("pgvector on a database of its own"),
    Capability.MODELS: Native("Bedrock, only the models and profiles that the stack file names, private endpoint"),
    Capability.MODEL_HOST: Native("vLLM on GPU nodes, weights by digest from a bucket of the region, from and to zero"),
    Capability.GATEWAY: Native("gateway and worker on EKS, internal load balancer with WAF"),
    Capability.ORCHESTRATOR: Native("Step Functions with a step queue; or Temporal on the cluster"),
    Capability.TRIGGERS: Native("signed webhook; MSK Serverless and mail to a queue, which no process reads yet"),
    Capability.OBSERVABILITY: Native("CloudWatch, X-Ray and Prometheus in the region, one collector"),
    Capability.GUARDRAILS: Native("permission boundary of every role, service control policy, admission policies"),
    Capability.BUDGET: Native("AWS Budgets, anomalies where AWS tells them"),
    Capability.BACKUP: Native("RDS to any second, AWS Backup in a locked vault"),
    Capability.REPLICA: Native("subnets and security group of its own, which let in the tools' pods alone"),
    Capability.COST: Native("dated price table by region: least, typical, most; what is unpriced is named"),
}
_AZURE: Mapping[Capability, Parity] = {
    Capability.NETWORK: Native("VNet, delegated subnets, private DNS zones, Firewall by host name; or an own VNet"),
    Capability.KEYS: Native("Key Vault, or a Managed HSM where its region's pair is outside the Boundary"),
    Capability.POSTGRES: Native(
        "Flexible Server 18, standby in another zone, replica of its own for agents, Entra alone"
    ),
    Capability.IDENTITY: Native("an identity of Entra for each scope class, which trusts the gateway's issuer"),
    Capability.MODELS: Native("Azure OpenAI: deployments that answer in the region, private endpoint, Entra alone"),
    Capability.OBSERVABILITY: Native("Log Analytics, Application Insights, Monitor workspace; private link scope"),
    Capability.GUARDRAILS: Native("Azure Policy on the resource group: regions, deployments' SKUs, private, own keys"),
    Capability.BUDGET: Native("consumption budget of the resource group"),
    Capability.REPLICA: Native("subnet of its own, which lets in the tools' subnet alone"),
    Capability.COST: Native("dated price table by region: least, typical, most; what is unpriced is named"),
}
_GCP: Mapping[Capability, Parity] = {
    Capability.NETWORK: Native("VPC, Private Service Connect, regional firewall policy by host name"),
    Capability.KEYS: Native("Cloud KMS and Secret Manager of one region"),
    Capability.POSTGRES: Native("Cloud SQL in several zones, agent-only replica"),
    Capability.IDENTITY: Native(
        "a service account for each scope class, which trusts the gateway's key; none has its own"
    ),
    Capability.MODELS: Native("Vertex AI by the hosts of regions, one permission, prompts not cached"),
    Capability.OBSERVABILITY: Native("one log bucket of the region with the stack's own key, alarms on logs"),
    Capability.GUARDRAILS: Native(
        "organisation policies on the project: regions, endpoints, models, own keys, private"
    ),
    Capability.BUDGET: Unsupported("not built yet: it is a billing account's, which no stack file names"),
    Capability.REPLICA: Native("addresses of its own, which only the tools' service account signs in to"),
    Capability.COST: Native("dated price table by region: least, typical, most; what is unpriced is named"),
}
_KUBERNETES: Mapping[Capability, Parity] = {
    Capability.NETWORK: Native("a namespace for each part, NetworkPolicies that deny all but what is listed"),
    Capability.KEYS: Equivalent(
        "a Secret that the API server encrypts by a key outside it; the deployer's own key file"
    ),
    Capability.CLUSTER: Native("declared: context, API server, storage class, GPU label"),
    Capability.IDENTITY: Native("ServiceAccounts by projected tokens; core systems trust the gateway's issuer"),
    Capability.POSTGRES: Native("CloudNativePG, replica of its own for agents behind its own Service"),
    Capability.CACHE: Native("Valkey, TLS, in memory"),
    Capability.VECTOR: Native("pgvector on a database of its own"),
    Capability.MODELS: Unsupported("no managed models on a cluster of one's own"),
    Capability.MODEL_HOST: Native("vLLM on declared GPU nodes, weights by digest from a given store, from and to zero"),
    Capability.GATEWAY: Native("gateway and worker, Gateway API"),
    Capability.ORCHESTRATOR: Native("Temporal on the cluster"),
    Capability.TRIGGERS: Unsupported("the gateway's signed webhook alone: nothing reads Kafka or mail yet"),
    Capability.OBSERVABILITY: Native("one collector to the declared destinations"),
    Capability.GUARDRAILS: Native("ValidatingAdmissionPolicies: images, the node's own, its region label, whose pods"),
    Capability.BUDGET: Equivalent("ResourceQuota and LimitRange of each namespace"),
    Capability.BACKUP: Native("CloudNativePG's backups to a given bucket"),
    Capability.REPLICA: Native("namespace of its own, whose NetworkPolicy lets in the tools' pods alone"),
    Capability.COST: Unsupported("not needed: its machines are your own, and nobody here knows their price"),
}
_TABLE: Mapping[str, Mapping[Capability, Parity]] = {
    "aws": _AWS,
    "azure": _AZURE,
    "gcp": _GCP,
    "kubernetes": _KUBERNETES,
    "local": _LOCAL,
}
_NOT_BUILT = Unsupported("not built yet")


def parity(capability: Capability, platform: str) -> Parity:
    """How ``platform`` has ``capability``."""
    return _TABLE.get(platform, {}).get(capability, _NOT_BUILT)


class NotSupported(Exception):
    """A capability that the platform does not have was asked for; the message names both and the reason."""


def require(capabilities: Iterable[Capability], platform: str) -> None:
    """Raises ``NotSupported`` with every one of these that the platform does not have."""
    lacking = {
        capability: f"{capability} on {platform}: {found.reason}"
        for capability in capabilities
        if isinstance(found := parity(capability, platform), Unsupported)
    }
    if lacking:
        less = ", or extent: foundation, which is without what runs there" if lacking.keys() & set(RUNS) else ""
        remedy = f"Take a platform that has them (components/parity.py lists them){less}"
        raise NotSupported(f"{'; '.join(lacking.values())}. {remedy}")


def implementation(contract: type[Contract], platform: str) -> type[Contract]:
    """The class that meets ``contract`` on ``platform``; only that platform's module is imported.

    ``contract`` is defined in ``components.<capability>.contract``; the table ``PLATFORMS`` of the capability's package
    names the class. Raises ``NotSupported``.
    """
    package = contract.__module__.rpartition(".")[0]
    capability = Capability(package.rpartition(".")[2])
    found = parity(capability, platform)
    if isinstance(found, Unsupported):
        raise NotSupported(
            f"{capability} on {platform}: {found.reason}. Take a platform that has it: components/parity.py lists them"
        )
    module, _, name = import_module(package).PLATFORMS[platform].partition(":")
    return getattr(import_module(module), name)
