"""Observability on Kubernetes: one collector of OpenTelemetry, and the only way by which telemetry leaves the fabric.

What runs in the fabric sends OTLP over HTTP to it, in clear: the network lets the fabric's own pods alone come to it,
and it alone out, to declared hosts. It takes prompts and answers out of what it passes on unless told to leave them.
Standard output of pods is the cluster's to keep: to read it takes the nodes' files, which no pod of the fabric may.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ConfigMapVolumeSourceArgs,
    Service,
    ServiceAccount,
    ServicePortArgs,
    ServiceSpecArgs,
    VolumeArgs,
)
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from components.infrastructure import Refused
from components.kubernetes.parts import OTLP, Part
from components.kubernetes.pods import Container, Needs, Pod, Pods, image_by_digest, probe
from components.observability.contract import Observability

IMAGE: Final = (
    "otel/opentelemetry-collector-contrib@sha256:93aad750175cbf1a973ae1c5886c3371f4d800f61be25cdd26870b8441ffe9fa"
)
"""0.153.0, to be had in the stack's registry under the same name."""
_HEALTH: Final = 13133
_FILE: Final = "collector.yaml"
_CONFIG: Final = "/etc/collector"
SIGNALS: Final = ("traces", "metrics", "logs")
CONTENT: Final = (
    r"^gen_ai\.(input\.messages|output\.messages|system_instructions|tool\.definitions"
    r"|tool\.call\.(arguments|result)|prompt(\..*)?|completion(\..*)?)$"
)
"""Attributes of the GenAI conventions that hold what a model was told or said."""
_SAYS: Final = 'IsMatch(%s, "^gen_ai\\\\.")'
"""Events of the same conventions, whose bodies do."""


@dataclass(frozen=True)
class _Size:
    replicas: int
    needs: Needs


SIZES: dict[str, _Size] = {
    "small": _Size(2, Needs("200m", "512Mi")),
    "medium": _Size(3, Needs("500m", "1Gi")),
    "large": _Size(6, Needs("1", "4Gi")),
}


class KubernetesObservabilityArgs(TypedDict):
    """``region``: value of the nodes' label. ``namespace``: the collector's. ``registry``: where images come from.

    ``telemetry``: by name, base URLs that take traces and metrics by OTLP over HTTP; ``sinks``: those that take logs.
    ``content``: whether they may get what models were told and said.

    ``exporters``, ``extensions``: a cloud's own, as the collector's configuration has them. ``pipelines``: which of
    them gets what, by signal (``traces``, ``metrics``, ``logs``) or by signal and service (``logs/gateway``).
    ``account``: a ServiceAccount that is there, otherwise one is made. ``image``: otherwise the one known here.
    ``after``: what must be there before its pods are.
    """

    stack: str
    region: str
    namespace: Input[str]
    registry: str
    size: str
    telemetry: Mapping[str, str]
    sinks: Mapping[str, str]
    content: bool
    exporters: NotRequired[Input[Mapping[str, Any]]]
    extensions: NotRequired[Input[Mapping[str, Any]]]
    pipelines: NotRequired[Mapping[str, Sequence[str]]]
    account: NotRequired[Input[str]]
    image: NotRequired[str]
    after: NotRequired[Sequence[pulumi.Resource]]


class KubernetesObservability(Observability):
    """``logs``, ``traces``, ``metrics``: where the collector sends each, ``, `` between; empty where nobody gets them.

    ``endpoint``: where the fabric's parts send theirs. Raises ``Refused``.
    """

    endpoint: Output[str]

    def __init__(
        self, name: str, args: KubernetesObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, self._size = name, args, _checked(args)
        self._pods = Pods(args["stack"], args["region"], str(Part.OBSERVABILITY), "collector", args["namespace"])
        self._child = pulumi.ResourceOptions(parent=self)
        self._create_collector(self._create_config(), self._account())
        service = self._create_service()
        self.endpoint = Output.format(
            "http://{0}.{1}.svc.cluster.local:{2}", service.metadata.name, args["namespace"], str(OTLP)
        )
        told = {signal: ", ".join(_receivers(args, signal)) for signal in SIGNALS}
        self.logs, self.traces = Output.from_input(told["logs"]), Output.from_input(told["traces"])
        self.metrics, self.alarms = Output.from_input(told["metrics"]), Output.from_input([])
        self.register_outputs(
            {
                "logs": self.logs,
                "traces": self.traces,
                "metrics": self.metrics,
                "alarms": self.alarms,
                "endpoint": self.endpoint,
            }
        )

    def _account(self) -> Input[str]:
        if "account" in self._args:
            return self._args["account"]
        account = ServiceAccount(
            f"{self._name}-collector-account",
            metadata=self._pods.metadata(),
            automount_service_account_token=False,
            opts=self._child,
        )
        return account.metadata.name.apply(str)

    def _create_config(self) -> Output[str]:
        """Under a name that its content gives it, so that another content is another pod template."""
        args = self._args
        text = Output.all(exporters=args.get("exporters", {}), extensions=args.get("extensions", {})).apply(
            lambda own: json.dumps(configuration(args, own["exporters"], own["extensions"]), indent=1, sort_keys=True)
        )
        config = ConfigMap(
            f"{self._name}-config",
            metadata=self._pods.metadata(
                text.apply(lambda told: f"collector-{sha256(told.encode()).hexdigest()[:12]}")
            ),
            data={_FILE: text},
            immutable=True,
            opts=self._child,
        )
        return config.metadata.name.apply(str)

    def _create_collector(self, config: Output[str], account: Input[str]) -> None:
        collector = Container(
            name="collector",
            image=_image(self._args),
            needs=self._size.needs,
            command=["/otelcol-contrib", f"--config={_CONFIG}/{_FILE}"],
            mounts={"config": _CONFIG},
            ports={"otlp": OTLP},
            ready=probe("/", port=_HEALTH),
            alive=probe("/", port=_HEALTH, failures=6),
            drains=True,
        )
        volume = VolumeArgs(name="config", config_map=ConfigMapVolumeSourceArgs(name=config))
        PodDisruptionBudget(
            f"{self._name}-disruption",
            metadata=self._pods.metadata(),
            spec=PodDisruptionBudgetSpecArgs(max_unavailable=1, selector=self._pods.selected),
            opts=self._child,
        )
        Deployment(
            f"{self._name}-collector",
            metadata=self._pods.metadata(),
            spec=DeploymentSpecArgs(
                replicas=self._size.replicas,
                selector=self._pods.selected,
                strategy=DeploymentStrategyArgs(
                    type="RollingUpdate", rolling_update=RollingUpdateDeploymentArgs(max_unavailable=0, max_surge=1)
                ),
                template=self._pods.template(Pod(containers=[collector], volumes=[volume], account=account)),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self._args.get("after", ())]),
        )

    def _create_service(self) -> Service:
        return Service(
            f"{self._name}-service",
            metadata=self._pods.metadata(),
            spec=ServiceSpecArgs(
                type="ClusterIP",
                selector=self._pods.selector,
                ports=[ServicePortArgs(name="otlp", port=OTLP, target_port="otlp", app_protocol="http")],
            ),
            opts=self._child,
        )


def configuration(
    args: KubernetesObservabilityArgs, exporters: Mapping[str, Any], extensions: Mapping[str, Any]
) -> dict[str, Any]:
    """The collector's; ``exporters`` and ``extensions``: a cloud's own, known by now."""
    declared = {**args["telemetry"], **args["sinks"]}
    otlp = {f"otlphttp/{name}": {"endpoint": url, "tls": {"min_version": "1.2"}} for name, url in declared.items()}
    pipelines = _pipelines(args)
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"0.0.0.0:{OTLP}"}}}},
        "processors": {
            "memory_limiter": {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20},
            "resource": {"attributes": _said_of_all(args)},
            **({} if args["content"] else _without_content()),
            **{f"filter/{service}": _only(service) for _, _, service in map(_split, pipelines) if service},
            "batch": {},
        },
        "exporters": {**otlp, **exporters},
        "extensions": {"health_check": {"endpoint": f"0.0.0.0:{_HEALTH}"}, **extensions},
        "service": {
            "extensions": ["health_check", *extensions],
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {
                pipeline: {
                    "receivers": ["otlp"],
                    "processors": _processors(pipeline, content=args["content"]),
                    "exporters": [*receivers],
                }
                for pipeline, receivers in pipelines.items()
            },
        },
    }


def _pipelines(args: KubernetesObservabilityArgs) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    of = {"traces": args["telemetry"], "metrics": args["telemetry"], "logs": args["sinks"]}
    for signal, destinations in of.items():
        if destinations:
            found[signal] = [f"otlphttp/{name}" for name in destinations]
    for pipeline, exporters in args.get("pipelines", {}).items():
        found.setdefault(pipeline, []).extend(exporters)
    return found


def _split(pipeline: str) -> tuple[str, str, str]:
    return pipeline.partition("/")


def _processors(pipeline: str, *, content: bool) -> list[str]:
    _, _, service = _split(pipeline)
    own = [f"filter/{service}"] if service else []
    return ["memory_limiter", "resource", *([] if content else ["attributes/content", "filter/content"]), *own, "batch"]


def _said_of_all(args: KubernetesObservabilityArgs) -> list[dict[str, str]]:
    told = {"loomstead.stack": args["stack"], "cloud.region": args["region"]}
    return [{"key": key, "value": value, "action": "upsert"} for key, value in told.items()]


def _without_content() -> dict[str, Any]:
    """What it cannot decide about is dropped (``error_mode: propagate``)."""
    events = {"traces": {"spanevent": [_SAYS % "name"]}, "logs": {"log_record": [_SAYS % "event_name"]}}
    return {
        "attributes/content": {"actions": [{"pattern": CONTENT, "action": "delete"}]},
        "filter/content": {"error_mode": "propagate", **events},
    }


def _only(service: str) -> dict[str, Any]:
    return {
        "error_mode": "propagate",
        "logs": {"log_record": [f'resource.attributes["service.name"] != "{service}"']},
    }


def _receivers(args: KubernetesObservabilityArgs, signal: str) -> list[str]:
    declared = {f"otlphttp/{name}": url for name, url in {**args["telemetry"], **args["sinks"]}.items()}
    exporters = [each for name, found in _pipelines(args).items() if _split(name)[0] == signal for each in found]
    return [declared.get(each, each) for each in dict.fromkeys(exporters)]


def _image(args: KubernetesObservabilityArgs) -> str:
    return args.get("image") or f"{args['registry']}/{IMAGE}"


def check_destinations(telemetry: Collection[str], sinks: Collection[str]) -> None:
    """Raises ``Refused``, as ``KubernetesObservability`` does, for the destinations' names."""
    if shared := sorted({*telemetry} & {*sinks}):
        raise Refused(f"logs.sinks.{shared[0]}: telemetry has one of that name too; give each a name of its own")


def _checked(args: KubernetesObservabilityArgs) -> _Size:
    size = SIZES.get(args["size"])
    if size is None:
        raise Refused(f"observability: no size {args['size']!r}; sizes are {', '.join(SIZES)}")
    image_by_digest(_image(args), "observability.image")
    check_destinations(args["telemetry"], args["sinks"])
    if not _pipelines(args):
        raise Refused(
            "telemetry: a cluster keeps none of it by itself; name one destination that takes OTLP over HTTP under "
            "telemetry or logs.sinks"
        )
    for pipeline in _pipelines(args):
        signal, _, service = _split(pipeline)
        if signal not in SIGNALS or (service and signal != "logs"):
            raise Refused(
                f"observability: {pipeline!r} is no pipeline: expected {', '.join(SIGNALS)} or logs/<service>"
            )
    return size
