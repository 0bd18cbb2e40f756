"""The runtime on a cluster: gateway and worker as Deployments, and before them the Job that fills in what is missing.

Nothing secret passes through Pulumi: the Job draws the secrets and writes them into one Secret, which it alone may
write, and by server-side apply alone, for a POST names nothing that a role could hold it to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpecArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core.v1 import ConfigMap, Service, ServicePortArgs, ServiceSpecArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgs, Role, RoleBinding, RoleRefArgs, SubjectArgs

from components.gateway.contract import Gateway
from components.gateway.kubernetes_pods import (
    CALL_SECONDS,
    CLOSING_SECONDS,
    DATABASE_CA,
    MANIFEST,
    MANIFEST_KEY,
    RuntimePods,
)
from components.gateway.kubernetes_route import Entry, create_route
from components.infrastructure import Refused
from components.kubernetes.parts import HTTP, PROVISION, Part
from components.kubernetes.pods import DRAIN_SECONDS, PATIENCE, UNTIL_DONE, Needs, Pod, Pods, image_by_digest

Store = Literal["kubernetes", "aws-secrets-manager"]
STORES: tuple[Store, ...] = ("kubernetes", "aws-secrets-manager")


@dataclass(frozen=True)
class _Size:
    """``most``: gateways under load; the workers stay as many as the gateways are at least."""

    replicas: int
    most: int
    gateway: Needs
    worker: Needs


SIZES: dict[str, _Size] = {
    "small": _Size(2, 4, Needs("500m", "1Gi"), Needs("250m", "512Mi")),
    "medium": _Size(3, 12, Needs("1", "2Gi"), Needs("500m", "1Gi")),
    "large": _Size(6, 40, Needs("2", "4Gi"), Needs("1", "2Gi")),
}
_TRANSLATOR = Needs("250m", "1Gi")
_PROVISION = Needs("250m", "512Mi")
_PROVISION_SECONDS = 900
_BUSY_PERCENT = 70


class KubernetesGatewayArgs(TypedDict):
    """``namespace``: the runtime's. ``host``: under which callers reach it, over TLS. ``image``: the runtime's.

    ``manifest``: the signed Manifest's text. ``manifest_key``: the public JWK that verifies it, as JSON. ``issuer``:
    whom the worker's token is meant for. ``secrets``: name of the Secret that the Job fills in; ``store``: where what
    is in it is kept for good. ``credentials``: names of models' credentials; ``translator``: whether one is called by
    way of LiteLLM. ``environment``: further plain variables of every process, ``provision_environment`` of the Job.

    ``gateway_account``, ``worker_account``: ServiceAccounts of the namespace. ``provision_account``: the Job's, in
    ``provision_namespace``, whose part is ``provision_part``: where Secrets of the database's operator can be mounted,
    ``administrator`` (user name and password) and ``authority`` (``ca.crt``). ``database_ca``: PEM of the authority
    that answers for PostgreSQL; without it the Job copies the operator's. ``orchestrator_namespace``,
    ``orchestrator_secret``: where the Job puts what Temporal's role signs in with, where there is Temporal.

    ``gateway_class``, ``certificate_issuer``: of the Gateway API and of cert-manager (a ClusterIssuer); neither where
    a cloud's own load balancer leads to the Service. ``replicas``: otherwise the ``size``'s. ``revision``: another one
    restarts the pods. ``after``: what must be there before they start.
    """

    stack: str
    region: str
    namespace: Input[str]
    image: str
    host: str
    size: str
    manifest: Input[str]
    manifest_key: Input[str]
    issuer: Input[str]
    secrets: str
    store: Store
    credentials: Sequence[str]
    translator: bool
    environment: Mapping[str, Input[str]]
    gateway_account: Input[str]
    worker_account: Input[str]
    provision_account: Input[str]
    provision_namespace: Input[str]
    provision_part: str
    revision: Input[str]
    after: Sequence[pulumi.Resource]
    administrator: NotRequired[str]
    authority: NotRequired[str]
    database_ca: NotRequired[Input[str]]
    orchestrator_namespace: NotRequired[Input[str]]
    orchestrator_secret: NotRequired[str]
    provision_environment: NotRequired[Mapping[str, Input[str]]]
    gateway_class: NotRequired[str]
    certificate_issuer: NotRequired[str]
    replicas: NotRequired[int]


class KubernetesGateway(Gateway):
    """``service``: name of the gateway's Service in the namespace; ``port``: its only one, plain HTTP.

    Raises ``Refused`` for arguments that fit no gateway, before anything is made.
    """

    service: Output[str]
    port: Output[int]

    def __init__(self, name: str, args: KubernetesGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, self._size = name, args, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        self._runtime = self._create_published(self._workload("gateway"))
        provisioned = self._create_provision()
        gateway = self._create_gateway(provisioned)
        self._create_worker([gateway])
        service = self._create_service()
        self._create_entry(service)
        self.url = Output.from_input(f"https://{args['host']}")
        self.service, self.port = service, Output.from_input(HTTP)
        self.register_outputs({"url": self.url, "service": self.service, "port": self.port})

    def _workload(self, app: str, namespace: Input[str] | None = None, part: str = Part.RUNTIME) -> Pods:
        args = self._args
        return Pods(args["stack"], args["region"], str(part), app, namespace or args["namespace"])

    def _create_published(self, pods: Pods, begins: str = "") -> RuntimePods:
        """Each under a name that its content gives it, so that another content is another pod template."""
        args, ca = self._args, self._args.get("database_ca")
        return RuntimePods(
            image=args["image"],
            stack=args["stack"],
            region=args["region"],
            manifest=self._create_config(pods, f"{begins}manifest", MANIFEST, args["manifest"]),
            manifest_key=self._create_config(pods, f"{begins}manifest-key", MANIFEST_KEY, args["manifest_key"]),
            database_ca=None if ca is None else self._create_config(pods, f"{begins}database-ca", DATABASE_CA, ca),
            secrets=args["secrets"],
            credentials=args["credentials"],
            issuer=args["issuer"],
            service=Output.format("http://gateway.{0}.svc.cluster.local:{1}", args["namespace"], str(HTTP)),
            told=args["environment"],
        )

    def _create_config(self, pods: Pods, role: str, key: str, text: Input[str]) -> Output[str]:
        name = Output.from_input(text).apply(lambda told: f"{role}-{sha256(told.encode()).hexdigest()[:12]}")
        config = ConfigMap(
            f"{self._name}-{role}",
            metadata=pods.metadata(name),
            data={key: text},
            immutable=True,
            opts=self._child,
        )
        return config.metadata.name.apply(str)

    def _create_provision(self) -> Job:
        args = self._args
        pods = self._workload(PROVISION, args["provision_namespace"], args["provision_part"])
        runtime = self._create_published(pods, "provision-")
        administrator, authority = args.get("administrator"), args.get("authority")
        own: dict[str, Input[str]] = {
            "LOOMSTEAD_SECRET": Output.format("{0}/{1}", args["namespace"], args["secrets"]),
            "LOOMSTEAD_SECRET_STORE": args["store"],
            **args.get("provision_environment", {}),
        }
        writers = [self._create_writer("writer", args["namespace"], args["secrets"])]
        if "orchestrator_secret" in args:
            place, secret = args["orchestrator_namespace"], args["orchestrator_secret"]
            own["LOOMSTEAD_ORCHESTRATOR_SECRET"] = Output.format("{0}/{1}", place, secret)
            writers.append(self._create_writer("orchestrator-writer", place, secret))
        template = pods.template(
            Pod(
                containers=[runtime.provision(_PROVISION, own, administrator=administrator is not None)],
                volumes=runtime.provision_volumes(authority, administrator),
                account=args["provision_account"],
                calls_server=True,
                once=True,
            )
        )
        return Job(
            f"{self._name}-provision",
            metadata=pods.metadata(annotations=UNTIL_DONE),
            spec=JobSpecArgs(
                template=template, backoff_limit=6, active_deadline_seconds=_PROVISION_SECONDS, completions=1
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*writers, *args["after"]],
                delete_before_replace=True,
                custom_timeouts=PATIENCE,
            ),
        )

    def _create_writer(self, name: str, namespace: Input[str], secret: str) -> RoleBinding:
        """The Job may read and write the one Secret, and no other: what a patch makes is held to its name too."""
        args, pods = self._args, self._workload(PROVISION, namespace)
        rule = PolicyRuleArgs(
            api_groups=[""], resources=["secrets"], resource_names=[secret], verbs=["get", "create", "patch"]
        )
        role = Role(f"{self._name}-{name}", metadata=pods.metadata(), rules=[rule], opts=self._child)
        subject = SubjectArgs(
            kind="ServiceAccount", name=args["provision_account"], namespace=args["provision_namespace"]
        )
        named = role.metadata.name.apply(str)
        return RoleBinding(
            f"{self._name}-{name}-bound",
            metadata=pods.metadata(),
            role_ref=RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=named),
            subjects=[subject],
            opts=self._child,
        )

    def _create_gateway(self, provisioned: Job) -> Deployment:
        args, pods, size, runtime = self._args, self._workload("gateway"), self._size, self._runtime
        translator = args["translator"]
        pod = Pod(
            containers=[runtime.gateway(size.gateway, translator=translator)],
            first=[runtime.translator(_TRANSLATOR)] if translator else [],
            volumes=runtime.gateway_volumes(translator=translator),
            account=args["gateway_account"],
            annotations={"loomstead/revision": args["revision"]},
            grace_seconds=DRAIN_SECONDS + CALL_SECONDS + CLOSING_SECONDS,
        )
        deployment = self._create_deployment(pods, pod, [provisioned])
        self._create_scaling(pods)
        return deployment

    def _create_worker(self, after: Sequence[pulumi.Resource]) -> None:
        args, pods, runtime = self._args, self._workload("worker"), self._runtime
        pod = Pod(
            containers=[runtime.worker(self._size.worker)],
            volumes=runtime.worker_volumes(),
            account=args["worker_account"],
            annotations={"loomstead/revision": args["revision"]},
        )
        self._create_deployment(pods, pod, after, replicas=self._replicas)

    def _create_deployment(
        self, pods: Pods, pod: Pod, after: Sequence[pulumi.Resource], replicas: int | None = None
    ) -> Deployment:
        """``replicas``: none where its autoscaler says how many."""
        PodDisruptionBudget(
            f"{self._name}-{pods.app}-disruption",
            metadata=pods.metadata(),
            spec=PodDisruptionBudgetSpecArgs(max_unavailable=1, selector=pods.selected),
            opts=self._child,
        )
        rolling = RollingUpdateDeploymentArgs(max_unavailable=0, max_surge="25%")
        return Deployment(
            f"{self._name}-{pods.app}",
            metadata=pods.metadata(),
            spec=DeploymentSpecArgs(
                replicas=replicas,
                selector=pods.selected,
                strategy=DeploymentStrategyArgs(type="RollingUpdate", rolling_update=rolling),
                template=pods.template(pod),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*after], custom_timeouts=PATIENCE),
        )

    @property
    def _replicas(self) -> int:
        return self._args.get("replicas", self._size.replicas)

    def _create_scaling(self, pods: Pods) -> None:
        busy = MetricTargetArgs(type="Utilization", average_utilization=_BUSY_PERCENT)
        HorizontalPodAutoscaler(
            f"{self._name}-{pods.app}-scaling",
            metadata=pods.metadata(),
            spec=HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=CrossVersionObjectReferenceArgs(
                    api_version="apps/v1", kind="Deployment", name=pods.app
                ),
                min_replicas=self._replicas,
                max_replicas=max(self._replicas, self._size.most),
                metrics=[MetricSpecArgs(type="Resource", resource=ResourceMetricSourceArgs(name="cpu", target=busy))],
            ),
            opts=self._child,
        )

    def _create_service(self) -> Output[str]:
        pods = self._workload("gateway")
        service = Service(
            f"{self._name}-service",
            metadata=pods.metadata(),
            spec=ServiceSpecArgs(
                type="ClusterIP",
                selector=pods.selector,
                ports=[ServicePortArgs(name="http", port=HTTP, target_port="http", app_protocol="http")],
            ),
            opts=self._child,
        )
        return service.metadata.name.apply(str)

    def _create_entry(self, service: Output[str]) -> None:
        """How callers outside the cluster reach the Service; a cloud has its own way."""
        args = self._args
        if "gateway_class" in args:
            create_route(
                f"{self._name}-entry",
                self._workload("gateway"),
                Entry(args["host"], args["gateway_class"], args["certificate_issuer"], service, CALL_SECONDS),
                self,
            )


def _checked(args: KubernetesGatewayArgs) -> _Size:
    size = SIZES.get(args["size"])
    if size is None:
        raise Refused(f"gateway: no size {args['size']!r}; sizes are {', '.join(SIZES)}")
    image_by_digest(args["image"], "gateway.image")
    if args.get("replicas", 2) < 2:
        raise Refused(f"gateway.replicas: {args['replicas']} is not 2 at least: one alone ends with its node")
    if args["store"] not in STORES:
        raise Refused(f"gateway: no store {args['store']!r}; stores are {', '.join(STORES)}")
    if ("gateway_class" in args) != ("certificate_issuer" in args):
        raise Refused("gateway: a gateway_class needs a certificate_issuer, and the other way round: TLS ends there")
    if ("orchestrator_secret" in args) != ("orchestrator_namespace" in args):
        raise Refused("gateway: an orchestrator_secret needs an orchestrator_namespace, and the other way round")
    if ("database_ca" in args) == ("authority" in args):
        raise Refused("gateway: give either database_ca or authority, by which PostgreSQL's name is answered for")
    return size
