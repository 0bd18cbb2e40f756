"""What Azure's foundation uses in a month, from the stack file and the tables of sizes of its parts."""

from collections.abc import Iterator

from components.parity import Capability
from components.postgres.azure_sizes import SIZES
from components.spec import FabricSpec
from regions.catalogue import Catalogue
from scripts.cost.use import HOURS, LOGS_GB, TASKS, TRAFFIC_GB, Use, always, grown, tokens

ENDPOINTS = 3
"""Private: of the vault, the monitoring and the models."""
SECRET_READS_OF_A_TASK = 2


def used(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Use]:
    del catalogue  # machines are not chosen by it here
    network, size = Capability.NETWORK, SIZES[spec.size]
    if spec.network.own is None:
        yield always(network, "firewall", "firewall.standard", HOURS)
        yield grown(network, "traffic through it", "firewall.data", TRAFFIC_GB)
        yield always(network, "its public address", "network.address", HOURS)
    yield always(network, f"private endpoints, {ENDPOINTS} at most", "network.endpoint", ENDPOINTS * HOURS)
    if spec.directory and spec.directory.key_administrators:
        yield always(Capability.KEYS, "Managed HSM", "vault.hsm", HOURS)
    else:
        yield grown(Capability.KEYS, "operations of the vault", "vault.operations", TASKS, SECRET_READS_OF_A_TASK / 1e4)
    machine = spec.postgres.machine or size[0]
    replica = spec.postgres.replica_machine or machine
    stored = spec.postgres.storage_gib or size[1]
    servers = 2 if len(spec.network.zones) > 1 else 1
    standby = " and its standby" if servers == 2 else ""
    yield always(Capability.POSTGRES, f"primary{standby}, {machine}", f"postgres.{machine}", servers * HOURS)
    yield always(Capability.POSTGRES, "their storage", "postgres.storage", servers * stored)
    yield always(Capability.REPLICA, f"replica for agents, {replica}", f"postgres.{replica}", HOURS)
    yield always(Capability.REPLICA, "its storage", "postgres.storage", stored)
    yield from tokens(spec, "azure")
    yield grown(Capability.OBSERVABILITY, "logs written", "logs.ingested", LOGS_GB)
    yield always(Capability.OBSERVABILITY, f"logs kept for {spec.logs.days} days", "logs.kept", 1)
    yield always(Capability.OBSERVABILITY, "Monitor workspace: metrics and alarms", "monitor.metrics", 1)
