"""PostgreSQL on Kubernetes: what its objects claim, on the real API server with the operators' own definitions.

No operator runs here, so nothing is made of the objects. Who ``pg_hba.conf`` lets in is computed from its rules as the
operator puts them together (cloudnative-pg 1.30.1, docs/src/postgresql_conf.md), and a real PostgreSQL reads them.
"""

import subprocess
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components.infrastructure import Refused
from components.postgres import server
from components.postgres.kubernetes import (
    DATABASE,
    IMAGES,
    PRIMARY_HBA,
    REPLICA_HBA,
    SIZES,
    KubernetesPostgres,
    KubernetesPostgresArgs,
)
from runtime.provision import access
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import unmet

STACK = "pg-test"
PRIMARY, REPLICA = f"{STACK}-primary", f"{STACK}-replica"
IMAGE = "mirror.internal/postgresql:18-standard-trixie@sha256:" + "0123456789abcdef" * 4
ARGS: KubernetesPostgresArgs = {
    "stack": STACK,
    "region": "onprem",
    "primary": PRIMARY,
    "replica": REPLICA,
    "storage_class": "replicated-encrypted",
    "authority": f"{STACK}-authority",
    "registry": "registry.internal",
    "size": "small",
    "statement_timeout_ms": 5000,
    "backup": "backup",
}
CLUSTER, CERTIFICATE = "kubernetes:postgresql.cnpg.io/v1:Cluster", "kubernetes:cert-manager.io/v1:Certificate"
_SHARED = {
    "spec.storage.storageClass": ...,
    "spec.walStorage.storageClass": ...,
    "spec.certificates.serverTLSSecret": ...,
    "spec.certificates.clientCASecret": ...,
    "spec.imageCatalogRef.name": "postgresql",
    "spec.affinity.nodeSelector": ...,
    "spec.inheritedMetadata.labels": ...,
}
CELL_POSTGRES: list[tuple[str, str, Mapping[str, Any]]] = [
    (
        CLUSTER,
        "primary",
        {
            **_SHARED,
            "spec.instances": 3,
            "spec.enablePDB": True,
            "spec.postgresql.pg_hba.0": "host all agent_reader all reject",
            "spec.postgresql.synchronous.number": 1,
            "spec.plugins.0.isWALArchiver": True,
            "spec.postgresql.parameters.ssl_min_protocol_version": "TLSv1.3",
        },
    ),
    (
        CLUSTER,
        "replica",
        {
            **_SHARED,
            "spec.replica.enabled": True,
            "spec.enableSuperuserAccess": False,
            "spec.externalClusters.0.connectionParameters.sslmode": "verify-full",
            "spec.postgresql.pg_hba.0": "hostssl orders agent_reader all scram-sha-256",
            "spec.postgresql.parameters.statement_timeout": ...,
            "spec.postgresql.parameters.default_transaction_read_only": "on",
        },
    ),
    *(
        (CERTIFICATE, f"{cluster}-{role}", {"spec.issuerRef.name": ..., "spec.usages": [f"{usage} auth"]})
        for cluster in ("primary", "replica")
        for role, usage in (("server", "server"), ("streaming", "client"))
    ),
    *(
        ("kubernetes:postgresql.cnpg.io/v1:ImageCatalog", f"{cluster}-images", {"spec.images.0.image": ...})
        for cluster in ("primary", "replica")
    ),
]


def postgres(*, preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        args: KubernetesPostgresArgs = {**ARGS, **more}
        KubernetesPostgres("fabric-postgres", args, pulumi.ResourceOptions(provider=provider))

    return record(program, preview=preview)


def spec(graph: Graph, role: str) -> Mapping[str, Any]:
    return graph.named(f"fabric-postgres-{role}").properties["spec"]


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    graph = postgres(preview=preview)
    conforms(graph, "loomstead:postgres:Postgres")
    assert reviewed(graph, "eu-gdpr", "onprem") == []


def test_the_outputs_are_services_of_the_cluster() -> None:
    graph = postgres()
    assert graph.outputs[graph.component("loomstead:postgres:Postgres").urn] == {
        "primary_host": f"primary-rw.{PRIMARY}.svc.cluster.local",
        "primary_port": 5432,
        "replica_host": f"replica-r.{REPLICA}.svc.cluster.local",
        "replica_port": 5432,
        "database": DATABASE,
        "superuser": "primary-superuser",
        "certificate": "primary-server",
    }
    assert access.RUNTIME == DATABASE


def test_both_hold_data_so_both_are_protected_and_outlive_the_stack() -> None:
    assert [(each.protect, each.retain_on_delete) for each in postgres().of(CLUSTER)] == [(True, True)] * 2


def test_how_a_cluster_began_is_no_change_for_one_that_was_restored() -> None:
    assert [each.ignore_changes for each in postgres().of(CLUSTER)] == [frozenset({"spec.bootstrap"})] * 2


def test_nothing_that_pulumi_makes_is_a_secret() -> None:
    graph = postgres()
    assert not [each for each in graph.resources if each.type.endswith(":Secret") or each.secrets]


def test_the_replica_follows_the_primary_by_a_certificate_of_its_own_namespace() -> None:
    graph = postgres()
    (source,) = spec(graph, "replica")["externalClusters"]
    assert source["connectionParameters"] == {
        "host": f"primary-rw.{PRIMARY}.svc.cluster.local",
        "user": "streaming_replica",
        "dbname": "postgres",
        "sslmode": "verify-full",
    }
    certificate = graph.named("fabric-postgres-replica-streaming").properties
    assert certificate["metadata"]["namespace"] == REPLICA
    assert certificate["spec"]["commonName"] == "streaming_replica"
    assert {source[key]["name"] for key in ("sslKey", "sslCert", "sslRootCert")} == {certificate["spec"]["secretName"]}
    assert spec(graph, "replica")["replica"] == {"enabled": True, "source": "primary"}
    assert "password" not in source


def test_the_name_that_is_dialled_is_one_that_the_certificate_answers_for() -> None:
    graph = postgres()
    told = graph.outputs[graph.component("loomstead:postgres:Postgres").urn]
    for role in ("primary", "replica"):
        assert told[f"{role}_host"] in spec(graph, f"{role}-server")["dnsNames"]


@pytest.mark.parametrize(("role", "namespace"), [("primary", PRIMARY), ("replica", REPLICA)])
def test_the_pods_carry_their_part_and_stand_in_the_region(role: str, namespace: str) -> None:
    graph = postgres()
    assert graph.named(f"fabric-postgres-{role}").properties["metadata"]["namespace"] == namespace
    said = spec(graph, role)
    assert said["inheritedMetadata"]["labels"] == {"loomstead/stack": STACK, "loomstead/part": role}
    assert said["affinity"]["nodeSelector"] == {"topology.kubernetes.io/region": "onprem"}
    assert said["certificates"] == {
        "serverTLSSecret": f"{role}-server",
        "serverCASecret": f"{role}-server",
        "replicationTLSSecret": f"{role}-streaming",
        "clientCASecret": f"{role}-streaming",
    }


def test_an_agents_reads_are_bounded_and_a_standby_allows_as_many_sessions_as_its_primary() -> None:
    graph = postgres(statement_timeout_ms=7000)
    settings = {role: spec(graph, role)["postgresql"]["parameters"] for role in ("primary", "replica")}
    assert settings["replica"]["max_connections"] == settings["primary"]["max_connections"]
    own = {key: value for key, value in settings["replica"].items() if key not in settings["primary"]}
    assert own == {
        "statement_timeout": "7000",
        "idle_in_transaction_session_timeout": "7000",
        "default_transaction_read_only": "on",
        "hot_standby_feedback": "on",
        "max_standby_streaming_delay": "7000",
    }


OPERATORS = (
    "local all all peer",
    "hostssl postgres streaming_replica all cert map=cnpg_streaming_replica",
    "hostssl replication streaming_replica all cert map=cnpg_streaming_replica",
    "hostssl all cnpg_pooler_pgbouncer all cert map=cnpg_pooler_pgbouncer",
)
DEFAULT = "host all all all scram-sha-256"
USERS = (*access.ROLES, "postgres", "temporal", "unused", "somebody")
DATABASES = ("loomstead", "orders", "vectors", "postgres", "temporal", "temporal_visibility", "unused")


def lets_in(own: Sequence[str], database: str, user: str, *, encrypted: bool = True) -> str:
    """How the first rule that fits asks who somebody is. ``all`` is no ``replication``, which is asked for apart."""
    for rule in (*OPERATORS, *own, DEFAULT):
        type_, databases, users, *_ = rule.split()
        here = database in databases.split(",") or (databases == "all" and database != "replication")
        whom = users == "all" or user in users.split(",")
        if here and whom and (type_ == "host" or (type_ == "hostssl" and encrypted)):
            return next(word for word in rule.split()[4:] if "=" not in word)
    return "reject"


def test_agent_reader_gets_into_orders_on_the_replica_and_nowhere_else() -> None:
    found = {
        (database, encrypted)
        for database, encrypted in product(DATABASES, (True, False))
        if lets_in(REPLICA_HBA, database, "agent_reader", encrypted=encrypted) != "reject"
    }
    assert found == {("orders", True)}
    for database, encrypted in product(DATABASES, (True, False)):
        assert lets_in(PRIMARY_HBA, database, "agent_reader", encrypted=encrypted) == "reject"


def test_nobody_but_agent_reader_and_who_replicates_gets_into_the_replica() -> None:
    for database, user in product(DATABASES, set(USERS) - {"agent_reader"}):
        assert lets_in(REPLICA_HBA, database, user) == "reject"
    assert lets_in(REPLICA_HBA, "replication", "streaming_replica") == "cert"
    assert lets_in(REPLICA_HBA, "replication", "postgres") == "reject"


def test_each_role_gets_into_its_databases_on_the_primary_encrypted_alone() -> None:
    found = {
        (database, user)
        for database, user in product(DATABASES, set(USERS) - {"postgres"})
        if lets_in(PRIMARY_HBA, database, user) == "scram-sha-256"
    }
    assert found == {(one.name, user) for one in access.DATABASES for user in (one.owner, *one.users)}
    assert {lets_in(PRIMARY_HBA, each, "postgres") for each in DATABASES} == {"scram-sha-256"}
    for database, user in product(DATABASES, USERS):
        assert lets_in(PRIMARY_HBA, database, user, encrypted=False) == "reject"


@pytest.mark.parametrize("own", [PRIMARY_HBA, REPLICA_HBA], ids=["primary", "replica"])
def test_a_real_postgresql_reads_every_rule(own: Sequence[str], tmp_path: Path) -> None:
    """This one is built without TLS, and says of ``hostssl`` that nobody can come by it; it reads on all the same."""
    file, data, passfile = tmp_path / "pg_hba.conf", tmp_path / "data", tmp_path / "postgres.pgpass"
    file.write_text("\n".join((*own, DEFAULT)) + "\n")
    passfile.write_text("*:*:*:postgres:canary\n")
    server.initialise(data, passfile)
    asked = (
        "SELECT count(*) FILTER (WHERE error IS NULL OR error LIKE 'hostssl record cannot match because SSL is%'),"
        " count(DISTINCT line_number) AS lines FROM pg_hba_file_rules;\n"
    )
    argv = server.command("postgres", "--single", "-D", data, "-c", f"hba_file={file}", "postgres")
    said = subprocess.run(argv, input=asked, capture_output=True, text=True, timeout=60, check=True).stdout
    assert f'count = "{len(own) + 1}"' in said
    assert f'lines = "{len(own) + 1}"' in said


@pytest.mark.parametrize("size", sorted(SIZES))
def test_a_size_says_instances_storage_and_memory(size: str) -> None:
    graph, meant = postgres(size=size), SIZES[size]
    assert spec(graph, "primary")["instances"] == 1 + meant.standbys
    assert spec(graph, "replica")["instances"] == meant.replicas
    for role in ("primary", "replica"):
        assert spec(graph, role)["enablePDB"] is (spec(graph, role)["instances"] > 1)
        assert spec(graph, role)["storage"]["size"] == f"{meant.storage}Gi"
        assert spec(graph, role)["resources"]["limits"] == {"memory": f"{meant.memory}Gi"}


def test_each_part_of_a_size_can_be_said_instead() -> None:
    graph = postgres(storage_gib=300, replicas=4, version=17, image=IMAGE)
    assert spec(graph, "replica")["instances"] == 4
    assert spec(graph, "primary")["storage"]["size"] == "300Gi"
    assert spec(graph, "primary-images")["images"] == [{"major": 17, "image": IMAGE}]


@pytest.mark.parametrize("version", sorted(IMAGES))
def test_an_image_comes_from_the_stacks_registry_by_its_digest(version: int) -> None:
    (image,) = spec(postgres(version=version), "primary-images")["images"]
    assert image == {"major": version, "image": f"registry.internal/{IMAGES[version]}"}


def test_without_a_bucket_nothing_is_archived() -> None:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        without = {key: value for key, value in ARGS.items() if key != "backup"}
        KubernetesPostgres("fabric-postgres", without, pulumi.ResourceOptions(provider=provider))  # ty: ignore[invalid-argument-type]

    assert "plugins" not in spec(record(program), "primary")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"size": "huge"}, "no size 'huge'; sizes are small, medium, large"),
        ({"image": "registry.internal/postgresql:18"}, "postgres.image: .* is not named by its digest"),
        ({"image": IMAGE.replace("standard", "minimal")}, "has no pgvector"),
        ({"statement_timeout_ms": 0}, "expected 1 at least"),
        ({"storage_gib": 19}, "expected 20 at least"),
        ({"version": 16}, "postgres.version: 16: expected 17 or 18"),
        ({"replicas": 0}, "expected 1 replica at least"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        postgres(**wrong)


@pytest.mark.parametrize("size", sorted(SIZES))
def test_the_real_api_server_takes_every_object_by_the_operators_definitions(operators: Cluster, size: str) -> None:
    for name in (PRIMARY, REPLICA):
        operators.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for each in manifests(postgres(size=size)):
        kept = operators.apply(each)
        assert kept["metadata"]["name"] == each["metadata"]["name"]
        assert operators.refusal({**each, "metadata": {**each["metadata"], "name": "another"}}) is None


def test_the_definitions_refuse_what_no_operator_knows(operators: Cluster) -> None:
    operators.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PRIMARY}})
    (primary, _) = [each for each in manifests(postgres()) if each["kind"] == "Cluster"]
    wrong = {**primary, "metadata": {**primary["metadata"], "name": "wrong"}}
    unknown = operators.refusal({**wrong, "spec": {**primary["spec"], "instanses": 3}}) or ""
    assert 'unknown field "spec.instanses"' in unknown
    assert "spec.instances" in (operators.refusal({**wrong, "spec": {**primary["spec"], "instances": 0}}) or "")


def test_it_is_what_its_cell_of_capabilities_says() -> None:
    assert unmet(postgres(), CELL_POSTGRES) == []
