"""The configuration of Temporal's server, as its own program reads it; the same for all its services.

Written against temporalio/temporal 1.31.2, common/config.
"""

import json
from typing import Final, NamedTuple

from components.kubernetes.parts import TEMPORAL_SERVICES

HISTORY_SHARDS: Final = 512
"""Never to be changed: the shards are counted out in the database when it is made, and a server with another number
does not start on it."""
ADDRESS: Final = "POD_IP"
STORES: Final = {"default": "temporal", "visibility": "temporal_visibility"}
"""Databases by store."""
SCHEMAS: Final = {"temporal": "postgresql/v12/temporal", "temporal_visibility": "postgresql/v12/visibility"}
"""By database, as temporal-sql-tool names those that it has in it."""
PLUGIN: Final = "postgres12_pgx"
_CLUSTER = "active"


class Database(NamedTuple):
    """``password``, ``authority``: files. ``connections``: the most of one pod, by store."""

    host: str
    port: int
    user: str
    password: str
    authority: str
    connections: dict[str, int]


def config_text(database: Database, frontend: str) -> str:
    """JSON, which is YAML; the first line has the server fill in the pod's own address. ``frontend``: host and port."""
    return "# enable-template\n" + json.dumps(_config(database, frontend), indent=1)


def _config(database: Database, frontend: str) -> dict[str, object]:
    own = f'{{{{ env "{ADDRESS}" }}}}'.replace('"', "`")  # a raw string of Go's, which JSON does not escape
    services = {
        service: {"rpc": {"grpcPort": port, "membershipPort": membership, "bindOnIP": own}}
        for service, (port, membership) in TEMPORAL_SERVICES.items()
    }
    stores = {store: {"sql": _store(database, name, store)} for store, name in STORES.items()}
    cluster = {
        "enabled": True,
        "initialFailoverVersion": 1,
        "rpcName": "frontend",
        "rpcAddress": frontend,
    }
    return {
        "log": {"stdout": True, "level": "info"},
        "persistence": {
            "numHistoryShards": HISTORY_SHARDS,
            "defaultStore": "default",
            "visibilityStore": "visibility",
            "datastores": stores,
        },
        "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": own}},
        "services": services,
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": _CLUSTER,
            "currentClusterName": _CLUSTER,
            "clusterInformation": {_CLUSTER: cluster},
        },
        "publicClient": {"hostPort": frontend},
    }


def _store(database: Database, name: str, store: str) -> dict[str, object]:
    """The password is read anew for each session, from a file: it is in no variable and no configuration."""
    most = database.connections[store]
    return {
        "pluginName": PLUGIN,
        "databaseName": name,
        "connectAddr": f"{database.host}:{database.port}",
        "connectProtocol": "tcp",
        "user": database.user,
        "passwordCommand": {"command": "/bin/cat", "args": [database.password]},
        "maxConns": most,
        "maxIdleConns": most,
        "maxConnLifetime": "1h",
        "tls": {
            "enabled": True,
            "caFile": database.authority,
            "enableHostVerification": True,
            "serverName": database.host,
        },
    }
