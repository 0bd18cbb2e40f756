"""PostgreSQL on Google Cloud: Cloud SQL in several zones, and a replica that only the agents' tools reach.

The replica is a boundary: an address range of its own, which the network opens to the tool executors alone, and a
right to sign in there that the tools' identity has on no other instance. Every session is encrypted and signs in by
IAM; there is no password. How many sessions ``agent_reader`` may have is a limit of that role: a standby that allows
fewer than its primary does not start. Users of a replica are its primary's, so both are made there.
"""

import re
from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_gcp import projects, sql

from components.infrastructure import Refused
from components.postgres.contract import Postgres
from components.postgres.gcp_sizes import SIZES, Sized

DATABASE = "loomstead"
PORT = 5432
LOG_DAYS = 7
"""Of transaction logs, for recovery to a point in time: the most that the edition ENTERPRISE keeps."""


Size = Literal["small", "medium", "large"]


class GcpPostgresError(Refused):
    """Cloud SQL does not have what is asked for; nothing was created. The message says what, and what to do."""


class GcpPostgresSizes(TypedDict):
    """``statement_timeout_ms``: the longest that a read of an agent may take. ``backups``: how many are kept, one a
    day. ``version``: of PostgreSQL. The others say what is otherwise the ``size``'s."""

    size: Size
    statement_timeout_ms: int
    backups: int
    version: NotRequired[int]
    primary_tier: NotRequired[str]
    replica_tier: NotRequired[str]
    storage_gib: NotRequired[int]
    most_storage_gib: NotRequired[int]
    connections: NotRequired[int]


class GcpPostgresArgs(GcpPostgresSizes):
    """``network``, ``primary``, ``replica`` (names of address ranges): the network's outputs. ``key``: full name of
    the key that encrypts all of it. ``runtime``, ``tools``: e-mail addresses of the service accounts that may sign in
    to the primary and to the replica.
    """

    project: str
    region: str
    network: Input[str]
    primary: Input[list[str]]
    replica: Input[list[str]]
    key: Input[str]
    runtime: Input[str]
    tools: Input[str]


class GcpPostgres(Postgres):
    def __init__(self, name: str, args: GcpPostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._size = checked(args)
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        primary = self._create_primary()
        replica = self._create_replica(primary)
        self._create_database(primary)
        self._create_user("runtime", args["runtime"], primary, primary)
        self._create_user("tools", args["tools"], primary, replica)
        self.primary_host, self.replica_host = primary.private_ip_address, replica.private_ip_address
        self.primary_port, self.replica_port = Output.from_input(PORT), Output.from_input(PORT)
        self.database = Output.from_input(DATABASE)
        self.register_outputs(
            {
                "primary_host": self.primary_host,
                "primary_port": self.primary_port,
                "replica_host": self.replica_host,
                "replica_port": self.replica_port,
                "database": self.database,
            }
        )

    def _create_primary(self) -> sql.DatabaseInstance:
        args = self._args
        return sql.DatabaseInstance(
            f"{self._name}-primary",
            region=args["region"],
            database_version=self._engine,
            encryption_key_name=args["key"],
            deletion_protection=True,
            settings={
                **self._settings(self._size.primary, args["primary"]),
                "availability_type": "REGIONAL",
                "retain_backups_on_delete": True,
                "backup_configuration": {
                    "enabled": True,
                    "location": args["region"],  # unset, backups go to the closest multi-region
                    "start_time": "02:00",
                    "point_in_time_recovery_enabled": True,
                    "transaction_log_retention_days": min(LOG_DAYS, args["backups"]),
                    "backup_retention_settings": {"retained_backups": args["backups"], "retention_unit": "COUNT"},
                },
                "database_flags": _flags(self._shared_flags),
            },
            opts=self._data,
        )

    def _create_replica(self, primary: sql.DatabaseInstance) -> sql.DatabaseInstance:
        """Without backups: those of its primary are all there are."""
        args, timeout = self._args, str(self._args["statement_timeout_ms"])
        limits = {"statement_timeout": timeout, "idle_in_transaction_session_timeout": timeout}
        return sql.DatabaseInstance(
            f"{self._name}-replica",
            region=args["region"],
            instance_type="READ_REPLICA_INSTANCE",
            master_instance_name=primary.name,
            database_version=self._engine,
            encryption_key_name=args["key"],
            deletion_protection=True,
            settings={
                **self._settings(self._size.replica, args["replica"]),
                "availability_type": "ZONAL",
                "database_flags": _flags({**self._shared_flags, **limits}),
            },
            opts=self._data,
        )

    @property
    def _engine(self) -> str:
        return f"POSTGRES_{self._args.get('version', 18)}"

    @property
    def _shared_flags(self) -> dict[str, str]:
        """A replica takes none of its primary's flags over, signing in by IAM included."""
        return {
            "cloudsql.iam_authentication": "on",
            "log_connections": "on",
            "log_disconnections": "on",
            "max_connections": str(self._size.connections),
        }

    @property
    def _data(self) -> pulumi.ResourceOptions:
        # Storage grows by itself; a later `up` that takes it back to what was first asked would replace the instance.
        return pulumi.ResourceOptions(
            parent=self, protect=True, retain_on_delete=True, ignore_changes=["settings.diskSize"]
        )

    def _settings(self, tier: str, ranges: Input[list[str]]) -> sql.DatabaseInstanceSettingsArgsDict:
        return {
            "tier": tier,
            "edition": "ENTERPRISE",
            "disk_type": "PD_SSD",
            "disk_size": self._size.storage,
            "disk_autoresize": True,
            "disk_autoresize_limit": self._size.most,
            "deletion_protection_enabled": True,
            "data_api_access": "DISALLOW_DATA_API",  # else SQL could be sent from the internet, private address or not
            "ip_configuration": {
                "ipv4_enabled": False,
                "private_network": self._args["network"],
                "allocated_ip_range": Output.from_input(ranges).apply(lambda names: names[0]),
                "ssl_mode": "ENCRYPTED_ONLY",
            },
            "maintenance_window": {"day": 7, "hour": 3, "update_track": "stable"},
        }

    def _create_database(self, primary: sql.DatabaseInstance) -> None:
        sql.Database(
            f"{self._name}-database",
            name=DATABASE,
            instance=primary.name,
            charset="UTF8",
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )

    def _create_user(
        self, role: str, account: Input[str], primary: sql.DatabaseInstance, where: sql.DatabaseInstance
    ) -> None:
        """A user without password on the primary, whose identity may sign in to ``where`` and nowhere else."""
        sql.User(
            f"{self._name}-{role}",
            name=Output.from_input(account).apply(_user_name),
            instance=primary.name,
            type="CLOUD_IAM_SERVICE_ACCOUNT",
            deletion_policy="ABANDON",  # a user that owns or was granted anything cannot be deleted
            opts=self._child,
        )
        projects.IAMMember(
            f"{self._name}-{role}-sign-in",
            project=self._args["project"],
            role="roles/cloudsql.instanceUser",
            member=Output.concat("serviceAccount:", account),
            condition={
                "title": f"{self._name}-{role}",
                "expression": Output.concat('resource.name.endsWith("/instances/', where.name, '")'),
            },
            opts=self._child,
        )


def _flags(flags: Mapping[str, str]) -> list[sql.DatabaseInstanceSettingsDatabaseFlagArgsDict]:
    return [{"name": name, "value": value} for name, value in sorted(flags.items())]


def _user_name(account: str) -> str:
    """Cloud SQL's name for a service account in PostgreSQL; a universe's own prefix of the domain stays in it."""
    return account.removesuffix(".gserviceaccount.com")


def checked(args: GcpPostgresSizes) -> Sized:
    """The size with what was said otherwise. Raises ``GcpPostgresError`` with all that Cloud SQL would refuse later."""
    if args["size"] not in SIZES:
        raise GcpPostgresError(f"size: {args['size']!r} is none of {', '.join(SIZES)}")
    size = SIZES[args["size"]]
    wanted = Sized(
        args.get("primary_tier", size.primary),
        args.get("replica_tier", size.replica),
        args.get("storage_gib", size.storage),
        args.get("most_storage_gib", size.most),
        args.get("connections", size.connections),
    )
    tiers = {"machine": wanted.primary, "replica_machine": wanted.replica}
    faults = [f"postgres.{key}: {fault}" for key, tier in tiers.items() if (fault := _tier_fault(tier))]
    if wanted.most < wanted.storage:
        faults.append(f"postgres.storage_gib: {wanted.storage} is more than the {wanted.most} that it may grow to")
    if not 1 <= args["backups"] <= 365:
        faults.append(
            f"postgres.backup_days: {args['backups']} are kept: a replica needs backups of its primary; take 1 to 365"
        )
    if args["statement_timeout_ms"] < 1:
        faults.append("postgres.replica.statement_timeout_ms: no time: 0 would let a read of an agent take forever")
    if faults:
        raise GcpPostgresError("\n".join(faults))
    return wanted


def _tier_fault(tier: str) -> str | None:
    """What Cloud SQL takes for PostgreSQL, edition ENTERPRISE; shared cores, which have no SLA, are refused."""
    found = re.fullmatch(r"db-custom-(\d+)-(\d+)", tier)
    if found is None:
        return f"tier {tier} is no db-custom-<vCPUs>-<MiB>"
    cores, memory = int(found[1]), int(found[2])
    if (cores != 1 and cores % 2) or not 1 <= cores <= 96:
        return f"tier {tier}: vCPUs are 1, or an even number up to 96"
    if memory % 256 or memory < 3840 or not 0.9 * 1024 * cores <= memory <= 6.5 * 1024 * cores:
        return f"tier {tier}: memory is a multiple of 256 MiB, 3840 at least, and 0.9 to 6.5 GiB a vCPU"
    return None
