"""PostgreSQL on Kubernetes, by CloudNativePG: a primary with standbys, and the agents' replica as a cluster of its own.

The operator has to run there; what it makes of these objects is opaque. The replica is a boundary: a namespace, a
Service and a ``pg_hba.conf`` of its own, which let ``agent_reader`` alone into ``orders`` alone, while the primary's
refuses it.

It follows the primary by a certificate for ``streaming_replica``. The authority of the fabric signs one in each
namespace, so no key leaves the namespace that it was made in. How many sessions ``agent_reader`` may have is a limit of
that role: a standby that allows fewer than its primary does not start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.infrastructure import Refused
from components.kubernetes.parts import PART_LABEL, POSTGRES, REGION_LABEL, STACK_LABEL, ZONE_LABEL, Part
from components.kubernetes.pods import image_by_digest
from components.postgres.contract import Postgres

DATABASE: Final = "loomstead"
MAJOR: Final = 18
IMAGES: Final = {
    17: "cloudnative-pg/postgresql@sha256:0eea5ac8c5e3043db94f4d512ffcfb9c06d6270a97f6d56e9f08e1571ef0484e",
    18: "cloudnative-pg/postgresql@sha256:c2a773217853c6e0ffe7da9c37ea456466efb20cf844f27511a73fa6a81e3152",
}
"""By major version: 17.11 and 18.6 with pgvector (github.com/cloudnative-pg/artifacts, image-catalogs/
catalog-standard-trixie.yaml at 0b1123d, of 2026-08-31), to be had in the stack's registry under the same name."""
PRIMARY, REPLICA = "primary", "replica"
"""Names of the clusters, with which their Services' and Secrets' begin."""
SUPERUSER: Final = f"{PRIMARY}-superuser"
"""Made by the operator, beside the primary: what provisioning signs in with."""
SERVER: Final = f"{PRIMARY}-server"
"""Made by cert-manager, beside the primary: its ``ca.crt`` answers for the servers' names."""
PLUGIN: Final = "barman-cloud.cloudnative-pg.io"
_REPLICATES: Final = "streaming_replica"
"""The operator's own role, which signs in by certificate alone."""
_STREAMING: Final = "streaming"

PRIMARY_HBA: Sequence[str] = (
    "host all agent_reader all reject",
    "hostssl all postgres all scram-sha-256",
    "hostssl loomstead gateway_owner,gateway,auditor all scram-sha-256",
    "hostssl vectors gateway_owner,gateway all scram-sha-256",
    "hostssl orders core_writer all scram-sha-256",
    "hostssl temporal,temporal_visibility temporal all scram-sha-256",
    "host all all all reject",
)
REPLICA_HBA: Sequence[str] = ("hostssl orders agent_reader all scram-sha-256", "host all all all reject")
"""Between the operator's own rules, for its role and what is local, and one at the end that would let everybody in."""

_READY_SECONDS = 1800
_WITHOUT_PGVECTOR = "-minimal"
"""In the tags of CloudNativePG's images that have no extensions."""


@dataclass(frozen=True)
class _Size:
    """``standbys``: of the primary, beside it; ``replicas``: for the agents. GiB of memory, data and log."""

    standbys: int
    replicas: int
    cpu: str
    memory: int
    storage: int
    log: int
    connections: int


SIZES: dict[str, _Size] = {
    "small": _Size(2, 1, "1", 4, 50, 10, 200),
    "medium": _Size(2, 2, "4", 16, 200, 40, 400),
    "large": _Size(2, 3, "16", 64, 1000, 100, 800),
}


class KubernetesPostgresArgs(TypedDict):
    """``region``: value of the nodes' label. ``primary``, ``replica``: namespaces. ``storage_class``: encrypted.

    ``registry``: where images come from, as ``registry.example`` or ``registry.example/team``. ``version``: 18 or 17.
    ``image``: of that version, with pgvector, by digest; otherwise the one known here. ``authority``: the ClusterIssuer
    that signs for both namespaces. ``statement_timeout_ms``: the longest that a read of an agent may take. ``backup``:
    name of the ObjectStore that the log is archived in. The others say what is otherwise the ``size``'s.
    """

    stack: str
    region: str
    primary: Input[str]
    replica: Input[str]
    storage_class: Input[str]
    authority: Input[str]
    registry: str
    size: str
    statement_timeout_ms: int
    backup: NotRequired[str]
    image: NotRequired[str]
    version: NotRequired[int]
    storage_gib: NotRequired[int]
    replicas: NotRequired[int]


class KubernetesPostgres(Postgres):
    """``superuser``, ``certificate``: Secrets beside the primary, for provisioning: who it signs in as, and ``ca.crt``.

    Raises ``Refused``.
    """

    superuser: Output[str]
    certificate: Output[str]

    def __init__(self, name: str, args: KubernetesPostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, self._size = name, args, _checked(args)
        primary = self._create_primary()
        replica = self._create_replica(primary)
        self.primary_host = _host(f"{PRIMARY}-rw", args["primary"], primary)
        self.replica_host = _host(f"{REPLICA}-r", args["replica"], replica)
        self.primary_port = self.replica_port = Output.from_input(POSTGRES)
        self.database = Output.from_input(DATABASE)
        self.superuser, self.certificate = Output.from_input(SUPERUSER), Output.from_input(SERVER)
        self.register_outputs(
            {
                "primary_host": self.primary_host,
                "primary_port": self.primary_port,
                "replica_host": self.replica_host,
                "replica_port": self.replica_port,
                "database": self.database,
                "superuser": self.superuser,
                "certificate": self.certificate,
            }
        )

    def _create_primary(self) -> CustomResource:
        """What initdb asks for, a database with an owner, is one that nobody is let into: provisioning makes ours."""
        args = self._args
        spec = {
            "instances": 1 + self._size.standbys,
            "bootstrap": {"initdb": {"database": "unused", "owner": "unused", "dataChecksums": True}},
            "enableSuperuserAccess": True,
            "managed": {"services": {"disabledDefaultServices": ["r", "ro"]}},
            "postgresql": {
                "pg_hba": [*PRIMARY_HBA],
                "parameters": self._parameters(),
                "synchronous": {"method": "any", "number": 1, "dataDurability": "required"},
            },
        }
        if store := args.get("backup"):
            archiver = {"name": PLUGIN, "enabled": True, "isWALArchiver": True}
            spec["plugins"] = [{**archiver, "parameters": {"barmanObjectName": store}}]
        return self._create_cluster(Part.PRIMARY, args["primary"], spec, [])

    def _create_replica(self, primary: CustomResource) -> CustomResource:
        """Read only because it follows, for ever: nothing here would make a primary of it."""
        args = self._args
        timeout = str(args["statement_timeout_ms"])
        limits = {
            "statement_timeout": timeout,
            "idle_in_transaction_session_timeout": timeout,
            "default_transaction_read_only": "on",
            "hot_standby_feedback": "on",  # reads are not cancelled; vacuum waits for the longest of them
            "max_standby_streaming_delay": timeout,
        }
        own = f"{REPLICA}-{_STREAMING}"
        source = {
            "name": PRIMARY,
            "connectionParameters": {
                "host": _host(f"{PRIMARY}-rw", args["primary"], primary),
                "user": _REPLICATES,
                "dbname": "postgres",
                "sslmode": "verify-full",
            },
            "sslKey": {"name": own, "key": "tls.key"},
            "sslCert": {"name": own, "key": "tls.crt"},
            "sslRootCert": {"name": own, "key": "ca.crt"},
        }
        spec = {
            "instances": args.get("replicas", self._size.replicas),
            "bootstrap": {"pg_basebackup": {"source": PRIMARY}},
            "replica": {"enabled": True, "source": PRIMARY},
            "externalClusters": [source],
            "enableSuperuserAccess": False,
            "managed": {"services": {"disabledDefaultServices": ["ro"]}},
            "postgresql": {"pg_hba": [*REPLICA_HBA], "parameters": {**self._parameters(), **limits}},
        }
        return self._create_cluster(Part.REPLICA, args["replica"], spec, [primary])

    def _create_cluster(
        self, part: Part, namespace: Input[str], own: Mapping[str, Any], after: Sequence[pulumi.Resource]
    ) -> CustomResource:
        awaited = {"pulumi.com/waitFor": "condition=Ready", "pulumi.com/timeoutSeconds": str(_READY_SECONDS)}
        needed = [self._create_images(part, namespace), *self._create_certificates(part, namespace)]
        return CustomResource(
            f"{self._name}-{part}",
            api_version="postgresql.cnpg.io/v1",
            kind="Cluster",
            metadata=self._metadata(str(part), part, namespace, awaited),
            # A budget for one instance alone would keep its node from being drained.
            spec={**self._shared(part), "enablePDB": own["instances"] > 1, **own},
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=True,
                retain_on_delete=True,
                depends_on=[*needed, *after],
                # It counts at creation alone; a primary that was restored began in another way.
                ignore_changes=["spec.bootstrap"],
            ),
        )

    def _shared(self, part: Part) -> dict[str, Any]:
        args, size = self._args, self._size
        cluster, memory = str(part), f"{size.memory}Gi"
        certificate, replicates = f"{cluster}-server", f"{cluster}-{_STREAMING}"
        volume = {"storageClass": args["storage_class"], "resizeInUseVolumes": True}
        return {
            "imageCatalogRef": {
                "apiGroup": "postgresql.cnpg.io",
                "kind": "ImageCatalog",
                "name": "postgresql",
                "major": args.get("version", MAJOR),
            },
            "inheritedMetadata": {"labels": self._labels(part)},
            "affinity": {
                "nodeSelector": {REGION_LABEL: args["region"]},
                "enablePodAntiAffinity": True,
                "podAntiAffinityType": "required",
                "topologyKey": "kubernetes.io/hostname",
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": ZONE_LABEL,
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"cnpg.io/cluster": cluster}},
                }
            ],
            "resources": {"requests": {"cpu": size.cpu, "memory": memory}, "limits": {"memory": memory}},
            "storage": {"size": f"{args.get('storage_gib', size.storage)}Gi", **volume},
            "walStorage": {"size": f"{size.log}Gi", **volume},
            "certificates": {
                "serverTLSSecret": certificate,
                "serverCASecret": certificate,
                "replicationTLSSecret": replicates,
                "clientCASecret": replicates,
            },
            "primaryUpdateStrategy": "unsupervised",
            "primaryUpdateMethod": "switchover",
            "seccompProfile": {"type": "RuntimeDefault"},
        }

    def _parameters(self) -> dict[str, str]:
        size = self._size
        return {
            "max_connections": str(size.connections),
            "shared_buffers": f"{size.memory * 256}MB",
            # What a replica that was away has not read yet is kept for it.
            "wal_keep_size": f"{size.log * 512}MB",
            "max_slot_wal_keep_size": f"{size.log * 512}MB",
            "password_encryption": "scram-sha-256",
            "ssl_min_protocol_version": "TLSv1.3",
            # Statements and error details hold values, and values may be personal data.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }

    def _create_images(self, part: Part, namespace: Input[str]) -> CustomResource:
        args = self._args
        return CustomResource(
            f"{self._name}-{part}-images",
            api_version="postgresql.cnpg.io/v1",
            kind="ImageCatalog",
            metadata=self._metadata("postgresql", part, namespace),
            spec={"images": [{"major": args.get("version", MAJOR), "image": _image(args)}]},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _create_certificates(self, part: Part, namespace: Input[str]) -> list[pulumi.Resource]:
        cluster = str(part)
        names = Output.from_input(namespace).apply(lambda known: _names(cluster, known))
        return [
            self._create_certificate(part, namespace, "server", {"dnsNames": names, "usages": ["server auth"]}),
            self._create_certificate(
                part,
                namespace,
                _STREAMING,
                {"commonName": _REPLICATES, "usages": ["client auth"]},
            ),
        ]

    def _create_certificate(
        self, part: Part, namespace: Input[str], role: str, own: Mapping[str, Any]
    ) -> CustomResource:
        name = f"{part}-{role}"
        return CustomResource(
            f"{self._name}-{name}",
            api_version="cert-manager.io/v1",
            kind="Certificate",
            metadata=self._metadata(name, part, namespace),
            spec={
                "secretName": name,
                "secretTemplate": {"labels": {"cnpg.io/reload": "", **self._labels(part)}},
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": self._args["authority"]},
                **own,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _labels(self, part: Part) -> dict[str, str]:
        return {STACK_LABEL: self._args["stack"], PART_LABEL: str(part)}

    def _metadata(
        self, name: str, part: Part, namespace: Input[str], annotations: Mapping[str, str] | None = None
    ) -> ObjectMetaArgs:
        return ObjectMetaArgs(name=name, namespace=namespace, labels=self._labels(part), annotations=annotations)


def _host(service: str, namespace: Input[str], after: pulumi.Resource) -> Output[str]:
    return Output.all(namespace, after.urn).apply(lambda known: f"{service}.{known[0]}.svc.cluster.local")


def _names(cluster: str, namespace: str) -> list[str]:
    """Of every Service that the operator may make for a cluster."""
    services = [f"{cluster}-{kind}" for kind in ("rw", "r", "ro")]
    ends = ["", f".{namespace}", f".{namespace}.svc", f".{namespace}.svc.cluster.local"]
    return [f"{service}{end}" for service in services for end in ends]


def _image(args: KubernetesPostgresArgs) -> str:
    version = args.get("version", MAJOR)
    if version not in IMAGES:
        known = " or ".join(str(each) for each in IMAGES)
        raise Refused(f"postgres.version: {version}: expected {known}, by its first number alone")
    return args.get("image") or f"{args['registry']}/{IMAGES[version]}"


def check_image(image: str) -> None:
    """Raises ``Refused``, as ``KubernetesPostgres`` does."""
    if _WITHOUT_PGVECTOR in image_by_digest(image, "postgres.image"):
        raise Refused(f"postgres.image: {image} has no pgvector: take CloudNativePG's standard image")


def check_storage(size: str, gib: int) -> None:
    """Raises ``Refused``, as ``KubernetesPostgres`` does. ``size``: one of ``SIZES``."""
    if gib < (least := 2 * SIZES[size].log):
        raise Refused(
            f"postgres.storage_gib: expected {least} at least, twice what the log of size {size} may take, got {gib}"
        )


def _checked(args: KubernetesPostgresArgs) -> _Size:
    size = SIZES.get(args["size"])
    if size is None:
        raise Refused(f"postgres: no size {args['size']!r}; sizes are {', '.join(SIZES)}")
    check_image(_image(args))
    if args["statement_timeout_ms"] < 1:
        raise Refused(
            f"postgres.replica.statement_timeout_ms: {args['statement_timeout_ms']}: expected 1 at least; "
            "PostgreSQL takes 0 for no limit"
        )
    check_storage(args["size"], args.get("storage_gib", size.storage))
    if args.get("replicas", size.replicas) < 1:
        raise Refused("postgres: expected 1 replica at least, for agents read from it and from nothing else")
    return size
