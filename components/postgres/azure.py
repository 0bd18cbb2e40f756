"""PostgreSQL on Azure: flexible servers without a public address, and a replica that only the agents' tools reach.

The replica is a boundary: it stands in a subnet of its own, which lets in the tool executors alone, while the primary's
lets in the runtime alone. Nobody has a password: Entra's tokens sign in. How many sessions ``agent_reader`` may have is
a limit of that role: a standby that allows fewer than its primary does not start.

Azure changes one thing at a time, and nothing on a primary while a replica of it is made: so each part waits for the
one before. It refuses a primary that is larger than its replica: to grow, first ``replica_sku``, then the rest.
MicrosoftDocs/azure-databases-docs, concepts-read-replicas.md, 2025-07-16.
"""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_azure_native import authorization, dbforpostgresql, monitor

from components.postgres.azure_sizes import Size, Sku, asked
from components.postgres.contract import Postgres

DATABASE = "loomstead"
PORT = 5432
PRIMARY = {
    "azure.extensions": "VECTOR",
    "require_secure_transport": "on",
    "ssl_min_protocol_version": "TLSv1.3",
    "log_connections": "on",
    "log_disconnections": "on",
}
"""Server parameters. A replica is made with those of its primary, as they are at that time."""


class AzurePostgresArgs(TypedDict):
    """``name``: what the servers' names begin with, unique in their cloud. ``group``: name of the resource group.
    ``primary``, ``replica``: the network's subnets. ``zone``: id of its private DNS zone. ``logs``: id of a workspace.

    ``encryption``, ``encryptor``: URI of the key that encrypts both, and id of the identity that may use it.
    ``administrator``: object id, in Entra, of the group called ``administrator_name``. ``zones``: how many the
    region has; with one, the standby is in the same. The others say what is otherwise the ``size``'s.
    """

    name: str
    tenant: str
    region: str
    group: Input[str]
    primary: Input[str]
    replica: Input[str]
    zone: Input[str]
    encryption: Input[str]
    encryptor: Input[str]
    administrator: str
    administrator_name: str
    logs: Input[str]
    zones: int
    size: Size
    statement_timeout_ms: int
    backup_days: int
    version: NotRequired[str]
    sku: NotRequired[str]
    replica_sku: NotRequired[str]
    storage_gib: NotRequired[int]


class AzurePostgres(Postgres):
    """``primary_id``, ``replica_id``: of the servers, for who watches or restores them."""

    primary_id: Output[str]
    replica_id: Output[str]

    def __init__(self, name: str, args: AzurePostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._asked = asked(
            args["name"],
            args["size"],
            args.get("sku"),
            args.get("replica_sku"),
            args.get("storage_gib"),
            args["backup_days"],
            args["zones"],
        )
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        primary = self._create_primary()
        ready = self._create_database(primary, self._create_administrator(primary))
        replica = self._create_replica(primary, self._create_settings("primary", primary, PRIMARY, ready))
        self._create_settings("replica", replica, self._replica_settings(), replica)
        for role, server in (("primary", primary), ("replica", replica)):
            self._create_logs(role, server)
            self._create_lock(role, server)
        self.primary_host = primary.fully_qualified_domain_name
        self.replica_host = replica.fully_qualified_domain_name
        self.primary_port = self.replica_port = Output.from_input(PORT)
        self.database = Output.from_input(DATABASE)
        self.primary_id, self.replica_id = primary.id, replica.id
        self.register_outputs(
            {
                "primary_host": self.primary_host,
                "primary_port": self.primary_port,
                "replica_host": self.replica_host,
                "replica_port": self.replica_port,
                "database": self.database,
                "primary_id": self.primary_id,
                "replica_id": self.replica_id,
            }
        )

    def _create_primary(self) -> dbforpostgresql.Server:
        several = self._args["zones"] > 1
        return dbforpostgresql.Server(
            f"{self._name}-primary",
            server_name=f"{self._args['name']}-primary",
            resource_group_name=self._args["group"],
            location=self._args["region"],
            create_mode="Create",
            version=self._args.get("version", "18"),
            sku=_sku(self._asked.primary),
            storage=self._storage(),
            high_availability=dbforpostgresql.HighAvailabilityArgs(mode="ZoneRedundant" if several else "SameZone"),
            backup=dbforpostgresql.BackupArgs(
                backup_retention_days=self._args["backup_days"], geo_redundant_backup="Disabled"
            ),
            auth_config=self._authentication(),
            network=self._network(self._args["primary"]),
            data_encryption=self._encryption(),
            identity=self._identity(),
            opts=self._data(),
        )

    def _create_administrator(self, primary: dbforpostgresql.Server) -> pulumi.Resource:
        return dbforpostgresql.AdministratorsMicrosoftEntra(
            f"{self._name}-administrator",
            resource_group_name=self._args["group"],
            server_name=primary.name,
            object_id=self._args["administrator"],
            principal_name=self._args["administrator_name"],
            principal_type="group",
            tenant_id=self._args["tenant"],
            opts=self._data(),
        )

    def _create_database(self, primary: dbforpostgresql.Server, administrator: pulumi.Resource) -> pulumi.Resource:
        return dbforpostgresql.Database(
            f"{self._name}-database",
            resource_group_name=self._args["group"],
            server_name=primary.name,
            database_name=DATABASE,
            charset="UTF8",
            collation="en_US.utf8",
            opts=self._data(administrator),
        )

    def _create_settings(
        self, role: str, server: dbforpostgresql.Server, settings: Mapping[str, str], after: pulumi.Resource
    ) -> pulumi.Resource:
        """The last of them; each waits for the one before, the first for ``after``."""
        for key, value in settings.items():
            after = dbforpostgresql.Configuration(
                f"{self._name}-{role}-{key.replace('_', '-').replace('.', '-')}",
                resource_group_name=self._args["group"],
                server_name=server.name,
                configuration_name=key,
                source="user-override",
                value=value,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[after]),
            )
        return after

    def _create_replica(self, primary: dbforpostgresql.Server, ready: pulumi.Resource) -> dbforpostgresql.Server:
        return dbforpostgresql.Server(
            f"{self._name}-replica",
            server_name=f"{self._args['name']}-replica",
            resource_group_name=self._args["group"],
            location=self._args["region"],
            create_mode="Replica",
            source_server_resource_id=primary.id,
            sku=_sku(self._asked.replica),
            storage=self._storage(),
            auth_config=self._authentication(),
            network=self._network(self._args["replica"]),
            data_encryption=self._encryption(),
            identity=self._identity(),
            opts=self._data(ready),
        )

    def _replica_settings(self) -> dict[str, str]:
        """What a session of an agent's tool begins with, and what its primary may not hand down by chance."""
        return {
            "require_secure_transport": "on",
            "ssl_min_protocol_version": "TLSv1.3",
            "statement_timeout": str(self._args["statement_timeout_ms"]),
            "idle_in_transaction_session_timeout": str(self._args["statement_timeout_ms"]),
        }

    def _create_logs(self, role: str, server: dbforpostgresql.Server) -> None:
        monitor.DiagnosticSetting(
            f"{self._name}-{role}-logs",
            resource_uri=server.id,
            workspace_id=self._args["logs"],
            logs=[monitor.DiagnosticsLogSettingsArgs(category_group="allLogs", enabled=True)],
            opts=self._data(),
        )

    def _create_lock(self, role: str, server: dbforpostgresql.Server) -> None:
        """What stands in a locked server cannot be deleted either, so it has the server's options."""
        authorization.ManagementLockByScope(
            f"{self._name}-{role}-lock",
            scope=server.id,
            level=authorization.LockLevel.CAN_NOT_DELETE,
            notes="Holds what the stack stores. To delete it on purpose, remove this lock first.",
            opts=self._data(),
        )

    def _storage(self) -> dbforpostgresql.StorageArgs:
        return dbforpostgresql.StorageArgs(storage_size_gb=self._asked.storage_gib, auto_grow="Enabled")

    def _authentication(self) -> dbforpostgresql.AuthConfigArgs:
        return dbforpostgresql.AuthConfigArgs(
            active_directory_auth="Enabled",
            password_auth=dbforpostgresql.PasswordBasedAuth.DISABLED,
            tenant_id=self._args["tenant"],
        )

    def _network(self, subnet: Input[str]) -> dbforpostgresql.NetworkArgs:
        return dbforpostgresql.NetworkArgs(
            delegated_subnet_resource_id=subnet,
            private_dns_zone_arm_resource_id=self._args["zone"],
            public_network_access="Disabled",
        )

    def _encryption(self) -> dbforpostgresql.DataEncryptionArgs:
        return dbforpostgresql.DataEncryptionArgs(
            type="AzureKeyVault",
            primary_key_uri=self._args["encryption"],
            primary_user_assigned_identity_id=self._args["encryptor"],
        )

    def _identity(self) -> dbforpostgresql.UserAssignedIdentityArgs:
        identities = Output.from_input(self._args["encryptor"]).apply(
            lambda id_: {id_: dbforpostgresql.UserIdentityArgs()}
        )
        return dbforpostgresql.UserAssignedIdentityArgs(type="UserAssigned", user_assigned_identities=identities)

    def _data(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True, depends_on=[*after])


def _sku(sku: Sku) -> dbforpostgresql.SkuArgs:
    return dbforpostgresql.SkuArgs(name=sku.name, tier=sku.tier)
