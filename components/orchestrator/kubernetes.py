"""Temporal on a cluster: four services on databases of their own, which a Job makes the schema of first.

Its boundary is the network: it asks nobody who they are, and the policies let the runtime's pods alone come to it. What
it keeps are references and digests (docs/contract.md §10), no content. It has no web page, which would be one way more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ConfigMapVolumeSourceArgs,
    KeyToPathArgs,
    SecretVolumeSourceArgs,
    Service,
    ServicePortArgs,
    ServiceSpecArgs,
    VolumeArgs,
)
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from components.infrastructure import Refused
from components.kubernetes.parts import TEMPORAL, TEMPORAL_SERVICES, Part
from components.kubernetes.pods import (
    PATIENCE,
    READABLE,
    UNTIL_DONE,
    Container,
    Needs,
    Pod,
    Pods,
    image_by_digest,
    probe,
)
from components.orchestrator.contract import Orchestrator
from components.orchestrator.temporal import ADDRESS, PLUGIN, SCHEMAS, Database, config_text

SERVER = "temporalio/server@sha256:b5ecdb8282bededae2a10c36e8d862e27d0bc2d247fc73c5416025997ab4a1da"
TOOLS = "temporalio/admin-tools@sha256:dbc5fcd6ee8f0f4d808bf765af9a87dea9d8a283abfdcfbd2fc148496ba66107"
"""1.31.2, to be had in the stack's registry under the same names; a digest is the same wherever it was copied to."""
ROLE = "temporal"
"""Of the database; owner of both of Temporal's."""
PASSWORD, AUTHORITY = "password", "database.ca.crt"
NAMESPACE = "default"


@dataclass(frozen=True)
class _Size:
    """``replicas``: of each service. ``connections``: of one pod, by store."""

    replicas: int
    needs: Needs
    connections: dict[str, int]


SIZES: dict[str, _Size] = {
    "small": _Size(2, Needs("200m", "512Mi"), {"default": 4, "visibility": 2}),
    "medium": _Size(3, Needs("500m", "1Gi"), {"default": 10, "visibility": 5}),
    "large": _Size(5, Needs("2", "4Gi"), {"default": 20, "visibility": 10}),
}
_JOB = Needs("100m", "128Mi")
_JOB_SECONDS = 1800
_RETENTION = "720h"
"""How long the history of a task that ended can be looked at; its ledger is not Temporal's."""
_SECRETS, _CONFIG = "/var/run/loomstead/database", "/etc/loomstead/temporal"
_START = ("temporal-server", "--config-file", f"{_CONFIG}/config.yaml", "--allow-no-auth", "start", "--service")
_REGISTERED = (
    f"temporal operator namespace describe --namespace {NAMESPACE} >/dev/null"
    f" || temporal operator namespace create --namespace {NAMESPACE} --retention {_RETENTION}"
)


class KubernetesOrchestratorArgs(TypedDict):
    """``registry``: where images come from, as ``registry.example`` or ``registry.example/team``.

    ``database_host``, ``database_port``: of the primary. ``secret``: in ``namespace``, what the runtime's provisioning
    puts there: the password of the role and the authority that answers for PostgreSQL. It is waited for.
    ``server_image``, ``tools_image``: otherwise those known here, in the registry. ``replicas``: of each service,
    otherwise the ``size``'s. ``after``: what must be there before.
    """

    stack: str
    region: str
    namespace: Input[str]
    registry: str
    size: str
    database_host: Input[str]
    database_port: Input[int]
    secret: str
    after: Sequence[pulumi.Resource]
    server_image: NotRequired[str]
    tools_image: NotRequired[str]
    replicas: NotRequired[int]


class KubernetesOrchestrator(Orchestrator):
    """Raises ``Refused`` for arguments that fit no Temporal, before anything is made."""

    def __init__(self, name: str, args: KubernetesOrchestratorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, self._size = name, args, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        # Its name alone, not when it answers: who is told of it waits for it by itself.
        self._address = Output.format("temporal.{0}.svc.cluster.local:{1}", args["namespace"], str(TEMPORAL))
        self._config = self._create_config()
        schema = self._create_job("schema", self._schema(), args["after"])
        self._create_service()
        services = [self._create_server(service, schema) for service in TEMPORAL_SERVICES]
        self._create_job("namespace", [_REGISTERED], services)
        self.ui = Output.from_input("")
        self.endpoint = Output.all(kind="temporal", address=self._address, ui="")
        self.register_outputs({"endpoint": self.endpoint, "ui": self.ui})

    def _workload(self, app: str) -> Pods:
        args = self._args
        return Pods(args["stack"], args["region"], str(Part.ORCHESTRATOR), app, args["namespace"])

    def _create_config(self) -> Output[str]:
        args, connections = self._args, self._size.connections

        def written(known: Sequence[str]) -> str:
            host, port, frontend = known
            database = Database(host, int(port), ROLE, f"{_SECRETS}/{PASSWORD}", f"{_SECRETS}/{AUTHORITY}", connections)
            return config_text(database, frontend)

        text = Output.all(args["database_host"], args["database_port"], self._address).apply(written)
        named = text.apply(lambda told: f"temporal-{sha256(told.encode()).hexdigest()[:12]}")
        config = ConfigMap(
            f"{self._name}-config",
            metadata=self._workload("temporal").metadata(named),
            data={"config.yaml": text},
            immutable=True,
            opts=self._child,
        )
        return config.metadata.name.apply(str)

    def _schema(self) -> list[str]:
        """Made where there is none, and brought up to this server's otherwise; another run changes nothing."""
        update = [
            f"temporal-sql-tool --database {database} {step}"
            for database, schema in SCHEMAS.items()
            for step in ("setup-schema --version 0.0", f"update-schema --schema-name {schema}")
        ]
        return ["set -eu", f'SQL_PASSWORD="$(cat {_SECRETS}/{PASSWORD})"', "export SQL_PASSWORD", *update]

    def _create_job(self, role: str, script: Sequence[str], after: Sequence[pulumi.Resource]) -> Job:
        args, pods = self._args, self._workload(role)
        asked: dict[str, Input[str]] = {
            "SQL_PLUGIN": PLUGIN,
            "SQL_HOST": args["database_host"],
            "SQL_PORT": Output.from_input(args["database_port"]).apply(str),
            "SQL_USER": ROLE,
            "SQL_TLS": "true",
            "SQL_TLS_CA_FILE": f"{_SECRETS}/{AUTHORITY}",
            "SQL_TLS_SERVER_NAME": args["database_host"],
        }
        needs_database = role == "schema"
        tool = Container(
            name=role,
            image=args.get("tools_image", f"{args['registry']}/{TOOLS}"),
            needs=_JOB,
            command=["/bin/sh", "-c", "\n".join(script)],
            environment=asked if needs_database else {"TEMPORAL_ADDRESS": self._address},
            mounts={"database": _SECRETS} if needs_database else {},
        )
        pod = Pod(containers=[tool], volumes=[self._database_volume()] if needs_database else [], once=True)
        return Job(
            f"{self._name}-{role}",
            metadata=pods.metadata(f"temporal-{role}", UNTIL_DONE),
            spec=JobSpecArgs(template=pods.template(pod), backoff_limit=10, active_deadline_seconds=_JOB_SECONDS),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*after], delete_before_replace=True, custom_timeouts=PATIENCE
            ),
        )

    def _create_server(self, service: str, schema: Job) -> Deployment:
        args, pods = self._args, self._workload(f"temporal-{service}")
        port, membership = TEMPORAL_SERVICES[service]
        server = Container(
            name=service,
            image=args.get("server_image", f"{args['registry']}/{SERVER}"),
            needs=self._size.needs,
            command=[*_START, service],
            mounts={"config": _CONFIG, "database": _SECRETS},
            ports={"rpc": port, "membership": membership},
            address=ADDRESS,
            starts=probe(port=port, failures=60),
            ready=probe(port=port),
            alive=probe(port=port, failures=6),
            drains=service == "frontend",
        )
        config = VolumeArgs(name="config", config_map=ConfigMapVolumeSourceArgs(name=self._config))
        PodDisruptionBudget(
            f"{self._name}-{service}-disruption",
            metadata=pods.metadata(),
            spec=PodDisruptionBudgetSpecArgs(max_unavailable=1, selector=pods.selected),
            opts=self._child,
        )
        rolling = RollingUpdateDeploymentArgs(max_unavailable=0, max_surge=1)
        return Deployment(
            f"{self._name}-{service}",
            metadata=pods.metadata(),
            spec=DeploymentSpecArgs(
                replicas=args.get("replicas", self._size.replicas),
                selector=pods.selected,
                strategy=DeploymentStrategyArgs(type="RollingUpdate", rolling_update=rolling),
                template=pods.template(Pod(containers=[server], volumes=[config, self._database_volume()])),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[schema], custom_timeouts=PATIENCE),
        )

    def _create_service(self) -> None:
        pods = self._workload("temporal-frontend")
        Service(
            f"{self._name}-service",
            # Its pods start after the schema, and who calls them waits by itself.
            metadata=pods.metadata("temporal", {"pulumi.com/skipAwait": "true"}),
            spec=ServiceSpecArgs(
                type="ClusterIP",
                selector=pods.selector,
                ports=[ServicePortArgs(name="rpc", port=TEMPORAL, target_port="rpc", app_protocol="grpc")],
            ),
            opts=self._child,
        )

    def _database_volume(self) -> VolumeArgs:
        items = [KeyToPathArgs(key=key, path=key) for key in (PASSWORD, AUTHORITY)]
        secret = SecretVolumeSourceArgs(secret_name=self._args["secret"], items=items, default_mode=READABLE)
        return VolumeArgs(name="database", secret=secret)


def _checked(args: KubernetesOrchestratorArgs) -> _Size:
    size = SIZES.get(args["size"])
    if size is None:
        raise Refused(f"orchestrator: no size {args['size']!r}; sizes are {', '.join(SIZES)}")
    if args.get("replicas", 2) < 2:
        raise Refused(f"orchestrator.replicas: {args['replicas']} is not 2 at least: one alone ends with its node")
    image_by_digest(args.get("server_image", f"{args['registry']}/{SERVER}"), "orchestrator.server_image")
    image_by_digest(args.get("tools_image", f"{args['registry']}/{TOOLS}"), "orchestrator.tools_image")
    return size
