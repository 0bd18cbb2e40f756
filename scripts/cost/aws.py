"""What AWS's fabric uses in a month, from the stack file and the tables of sizes of its parts."""

from collections.abc import Iterator

from components.cache.aws_sizes import SIZES as CACHES
from components.cluster.aws_plan import GPUS, gpu_machine, system_nodes
from components.infrastructure import Engine, Extent
from components.network.aws_plan import INTERFACES
from components.parity import Capability
from components.postgres.aws_sizes import SIZES as DATABASES
from components.spec import FabricSpec
from regions.catalogue import Catalogue
from scripts.cost.use import GPU_HOURS, HOURS, LOGS_GB, TASKS, TRAFFIC_GB, Use, always, grown, tokens

KEYS = ("encryption", "manifest")
"""Of KMS, as components/keys/aws.py makes them."""
SECRETS = ("ledger", "subjects", "webhook")
NODE_GIB, GPU_NODE_GIB = 50, 200
"""Disk of a node (components/cluster/aws_nodes.py)."""
TRANSITIONS_OF_A_TASK, MESSAGES_OF_A_TASK, REQUESTS_OF_A_TASK = 30, 60, 40
"""Assumed: ten steps of a task, each a few states, a few messages and a few calls of the gateway."""
FILTER_RULES = 4
BALANCER_UNITS = (1, 2, 20)
WEIGHTS_GB = 30


def used(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Use]:
    """Raises ``Refused`` for machines that cannot be had."""
    yield from _network(spec)
    yield from _keys(spec)
    yield from _database(spec)
    yield from _observability(spec)
    yield from tokens(spec, "bedrock")
    yield grown(Capability.BACKUP, "snapshots", "rds.snapshot", _stored(spec))
    if spec.extent is Extent.FABRIC:
        yield from _runtime(spec, catalogue)
    if spec.budget:
        yield always(Capability.BUDGET, "anomaly monitor and its reports", "budgets.actions", 1)


def _network(spec: FabricSpec) -> Iterator[Use]:
    network, zones = Capability.NETWORK, len(spec.network.zones) or 3
    if spec.network.own is None:
        yield always(network, f"NAT gateways, {zones}", "nat.gateway", zones * HOURS)
        yield grown(network, "traffic through NAT", "nat.data", TRAFFIC_GB)
        yield always(network, f"firewall endpoints, {zones}", "firewall.endpoint", zones * HOURS)
        yield grown(network, "traffic through the firewall", "firewall.data", TRAFFIC_GB)
        yield always(network, f"public addresses, {zones}", "vpc.address", zones * HOURS)
        yield always(network, "names asked of the resolver, and their log", "dns.query", 1)
    endpoints = len(INTERFACES) * zones
    yield always(
        network, f"interface endpoints, {len(INTERFACES)} in {zones} zones at most", "vpc.endpoint", endpoints * HOURS
    )


def _keys(spec: FabricSpec) -> Iterator[Use]:
    made = [key for key in KEYS if key != "encryption" or spec.keys.encryption is None]
    yield always(Capability.KEYS, f"KMS keys, {len(made)}", "kms.key", len(made))
    secrets = len(SECRETS) + len(spec.credentials())
    yield always(Capability.KEYS, f"secrets, {secrets}", "secrets.secret", secrets)


def _database(spec: FabricSpec) -> Iterator[Use]:
    size, asked = DATABASES[spec.size], spec.postgres
    primary, replica = asked.machine or size.primary, asked.replica_machine or size.replica
    yield always(Capability.POSTGRES, f"primary, {primary} in two zones", f"rds.{primary}", 2 * HOURS)
    yield grown(Capability.POSTGRES, "its storage in two zones", "rds.gp3", _stored(spec), 2)
    yield always(Capability.REPLICA, f"replica for agents, {replica}", f"rds.{replica}", HOURS)
    yield grown(Capability.REPLICA, "its storage", "rds.gp3", _stored(spec))


def _stored(spec: FabricSpec) -> tuple[float, float, float]:
    size = DATABASES[spec.size]
    first = spec.postgres.storage_gib or size.storage
    return first, first, max(first, size.most)


def _observability(spec: FabricSpec) -> Iterator[Use]:
    months = spec.logs.days * 12 / 365
    yield grown(Capability.OBSERVABILITY, "logs written", "logs.ingested", LOGS_GB)
    yield grown(Capability.OBSERVABILITY, f"logs kept for {spec.logs.days} days", "logs.kept", LOGS_GB, months)
    yield always(Capability.OBSERVABILITY, "metrics and traces", "amp.xray", 1)


def _runtime(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Use]:
    if spec.cluster.own is None:
        yield from _cluster(spec, catalogue)
    cache = CACHES[spec.size]
    machine = spec.cache.machine or cache.machine
    yield always(Capability.CACHE, f"nodes, {cache.nodes} of {machine}", f"elasticache.{machine}", cache.nodes * HOURS)
    yield always(Capability.GATEWAY, "internal load balancer", "alb.hour", HOURS)
    yield grown(Capability.GATEWAY, "its capacity units", "alb.capacity", BALANCER_UNITS)
    yield always(Capability.GATEWAY, "web ACL", "waf.acl", 1)
    yield always(Capability.GATEWAY, f"its rules, {FILTER_RULES}", "waf.rule", FILTER_RULES)
    yield grown(Capability.GATEWAY, "requests", "waf.requests", TASKS, REQUESTS_OF_A_TASK / 1e6)
    if spec.orchestrator.engine is not Engine.TEMPORAL:
        steps = TRANSITIONS_OF_A_TASK / 1e3
        yield grown(Capability.ORCHESTRATOR, "state transitions", "sfn.transitions", TASKS, steps)
        yield grown(Capability.ORCHESTRATOR, "messages", "sqs.requests", TASKS, MESSAGES_OF_A_TASK / 1e6)
    if spec.triggers.kafka and not spec.triggers.kafka.bootstrap:
        yield always(Capability.TRIGGERS, "MSK Serverless", "msk.serverless", HOURS)
    if spec.triggers.mail and not spec.triggers.mail.server:
        yield always(Capability.TRIGGERS, "mails received by SES", "ses.received", 1)


def _cluster(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Use]:
    nodes = system_nodes(spec.size, spec.cluster.machine, spec.cluster.nodes)
    numbers = (nodes.number, nodes.number, nodes.most)
    yield always(Capability.CLUSTER, "EKS's control plane", "eks.cluster", HOURS)
    named = f"nodes, {nodes.number} to {nodes.most} of {nodes.machine}"
    yield grown(Capability.CLUSTER, named, f"ec2.{nodes.machine}", numbers, HOURS)
    yield grown(Capability.CLUSTER, "their disks", "ebs.gp3", numbers, NODE_GIB)
    gpu = spec.cluster.gpu
    if gpu is None:
        return
    offered = {name for name, family in catalogue.gpus.items() if spec.region in family.regions and name in GPUS}
    machine = gpu_machine(spec.region, gpu.family, gpu.machine, gpu.per_node, offered)
    host, most = Capability.MODEL_HOST, gpu.nodes * HOURS
    named = f"nodes with GPUs, 0 to {gpu.nodes} of {machine}"
    yield Use(host, named, f"ec2.{machine}", 0, GPU_HOURS, most, most - GPU_HOURS)
    share = GPU_HOURS / HOURS
    yield Use(host, "their disks", "ebs.gp3", 0, GPU_NODE_GIB * share, gpu.nodes * GPU_NODE_GIB)
    yield always(host, "weights in their bucket", "s3.kept", WEIGHTS_GB)
