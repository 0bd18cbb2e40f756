"""What Google Cloud's foundation uses in a month, from the stack file and the tables of sizes of its parts."""

from collections.abc import Iterator

from components.parity import Capability
from components.postgres.gcp_sizes import SIZES
from components.spec import FabricSpec
from regions.catalogue import Catalogue
from scripts.cost.use import HOURS, LOGS_GB, TASKS, TRAFFIC_GB, Use, always, grown, tokens

SIGNERS = ("manifest", "issuer", "worker", "operator")
SECRETS = ("ledger", "subjects", "webhook")
"""As components/keys/gcp.py makes them."""
ENDPOINTS = ("all APIs", "Secret Manager")
"""Of Private Service Connect; components/network/gcp_apis.py."""
ZONES = ("the APIs", "the images")
SECRET_READS_OF_A_TASK = 2
DAYS_KEPT_FREE = 30


def used(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Use]:
    del catalogue  # machines are not chosen by it here
    yield from _network(spec)
    yield from _keys(spec)
    yield from _database(spec)
    yield from tokens(spec, "vertex")
    yield grown(Capability.OBSERVABILITY, "logs written", "logs.ingested", LOGS_GB)
    if spec.logs.days > DAYS_KEPT_FREE:
        yield always(Capability.OBSERVABILITY, f"logs kept for {spec.logs.days} days", "logs.kept", 1)


def _network(spec: FabricSpec) -> Iterator[Use]:
    network, own = Capability.NETWORK, spec.network.own
    if own is None:
        yield always(network, "address of the NAT gateway", "network.address", HOURS)
        yield always(network, "NAT gateway", "nat.gateway", HOURS)
        yield grown(network, "traffic through it", "nat.data", TRAFFIC_GB)
    if own is None or not own.egress:
        endpoints = len(ENDPOINTS)
        yield always(network, f"endpoints of Google's APIs, {endpoints}", "network.endpoint", endpoints * HOURS)
        yield always(network, f"private DNS zones, {len(ZONES)}", "dns.zone", len(ZONES))


def _keys(spec: FabricSpec) -> Iterator[Use]:
    keys = Capability.KEYS
    if spec.keys.encryption is None:
        yield always(keys, "key that encrypts, in hardware", "kms.hsm-symmetric", 1)
    yield always(keys, f"keys that sign, in hardware, {len(SIGNERS)}", "kms.hsm-elliptic", len(SIGNERS))
    yield always(keys, f"secrets, {len(SECRETS)}", "secrets.version", len(SECRETS))
    yield grown(keys, "reads of them", "secrets.reads", TASKS, SECRET_READS_OF_A_TASK / 1e4)


def _database(spec: FabricSpec) -> Iterator[Use]:
    size, asked = SIZES[spec.size], spec.postgres
    primary, replica = asked.machine or size.primary, asked.replica_machine or size.replica
    first = asked.storage_gib or size.storage
    stored = (first, first, max(first, size.most))
    yield from _server(Capability.POSTGRES, "primary in two zones", primary, 2)
    yield grown(Capability.POSTGRES, "its storage in two zones", "sql.ssd", stored, 2)
    yield grown(Capability.BACKUP, "backups", "sql.backup", stored)
    yield from _server(Capability.REPLICA, "replica for agents", replica, 1)
    yield grown(Capability.REPLICA, "its storage", "sql.ssd", stored)


def _server(capability: Capability, what: str, tier: str, zones: int) -> Iterator[Use]:
    """``tier``: ``db-custom-<vCPUs>-<MiB>``; Cloud SQL refuses others (components/postgres/gcp.py)."""
    cores, memory = (int(each) for each in tier.removeprefix("db-custom-").split("-"))
    yield always(capability, f"{what}, {cores} vCPUs", "sql.cpu", zones * cores * HOURS)
    yield always(capability, f"{what}, {memory // 1024} GiB", "sql.memory", zones * memory / 1024 * HOURS)
