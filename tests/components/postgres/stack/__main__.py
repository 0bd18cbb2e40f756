"""PostgreSQL alone, in the home and with the limits that the environment names."""

import os

import pulumi

from components.cluster.local import LocalCluster
from components.keys.local import LocalKeys
from components.postgres.local import LocalPostgres

cluster = LocalCluster("cluster", {"home": os.environ["TEST_HOME"], "names": ["primary", "replica"], "fixed": {}})
keys = LocalKeys("keys", {"home": cluster.home})
postgres = LocalPostgres(
    "postgres",
    {
        "home": cluster.home,
        "primary_port": cluster.ports["primary"],
        "replica_port": cluster.ports["replica"],
        "secrets": keys.secrets,
        "generation": keys.generation,
        "connection_limit": int(os.environ["TEST_CONNECTIONS"]),
        "statement_timeout_ms": int(os.environ["TEST_TIMEOUT_MS"]),
    },
)
pulumi.export("primary", postgres.primary_port)
pulumi.export("replica", postgres.replica_port)
