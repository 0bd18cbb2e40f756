"""vLLM on a cluster's GPUs: no pod while nobody asks, and none that serves other weights than the stack file names.

An init container fetches the weights and compares their digest before the server starts. KEDA starts the first pod when
the gateway was asked for the model; until it answers, the gateway's callers get its next endpoint, or 503.

KEDA and NVIDIA's device plugin are Helm releases, pinned by version: what is in their charts is not seen here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.core.v1 import (
    KeyToPathArgs,
    SecretVolumeSourceArgs,
    Service,
    ServicePortArgs,
    ServiceSpecArgs,
    TolerationArgs,
    VolumeArgs,
)
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from components.infrastructure import Refused
from components.kubernetes.charts import create_release
from components.kubernetes.parts import HTTP, VLLM, Part
from components.kubernetes.pods import READABLE, Container, Needs, Pod, Pods, folder, image_by_digest, probe
from components.model_host.contract import ModelHost

SERVER = "vllm/vllm-openai@sha256:61fc8a896b0a4fbbbdc063bc4b0dbc25ce98e02b5050c24aeb7830ac02039b14"
"""v0.28.0, to be had in the stack's registry under the same name."""
KEDA, PLUGIN = "keda", "nvidia-device-plugin"
"""Charts, and the namespaces that they are in."""
GPU_LABEL = "loomstead/gpu"
"""On the nodes with GPUs: their family."""
GPU = "nvidia.com/gpu"
"""Their resource, and the taint that keeps other pods off their nodes."""


@dataclass(frozen=True)
class _Size:
    """``storage``: of the node's disk, in GiB, for the weights; ``shared``: memory between a pod's processes."""

    needs: tuple[str, str]
    storage: int
    shared: str


SIZES: dict[str, _Size] = {
    "small": _Size(("3", "24Gi"), 40, "2Gi"),
    "medium": _Size(("7", "56Gi"), 160, "8Gi"),
    "large": _Size(("15", "120Gi"), 500, "16Gi"),
}
CALLS_PER_POD = 100
"""In the gateway's window of 300 seconds; above it there is another pod."""
_FETCH = Needs("1", "512Mi")
_IDLE_SECONDS = 900
_ASKED_SECONDS = 15
_LOADING_PROBES, _LOADING_PERIOD = 180, 10
_DRAINED_SECONDS = 600
_MODELS, _CACHE, _CREDENTIALS = "/models", "/cache", "/var/run/loomstead/bucket"


class KubernetesModelHostArgs(TypedDict):
    """``registry``: where images come from. ``image``: the runtime's, by digest, which fetches the weights.

    ``model``, ``digest``: as staged. ``model_class``, ``candidate``: what the Manifest calls the endpoint.
    ``context_tokens``: of one request. ``bucket``: name of the one that the weights are in; ``endpoint``: URL of a
    store that speaks S3 and is not AWS's. ``account``: a ServiceAccount that may read it, or ``credentials``, a Secret
    whose key ``credentials`` is an AWS credentials file.

    ``gpu``: value of the nodes' label ``loomstead/gpu``; ``per_node``: of each node, all used by one pod; ``nodes``:
    the most pods that there are. ``runtime``: namespace of the gateway. ``operators``: whether KEDA and the device
    plugin are put on the cluster; not where they run already. ``server_image``, ``storage_gib``: otherwise those known
    here and the ``size``'s.
    """

    stack: str
    region: str
    namespace: Input[str]
    registry: str
    image: str
    size: str
    model: str
    digest: str
    model_class: str
    candidate: str
    context_tokens: int
    bucket: Input[str]
    gpu: str
    per_node: int
    nodes: int
    runtime: Input[str]
    operators: bool
    after: Sequence[pulumi.Resource]
    endpoint: NotRequired[str]
    account: NotRequired[Input[str]]
    credentials: NotRequired[str]
    server_image: NotRequired[str]
    storage_gib: NotRequired[int]


class KubernetesModelHost(ModelHost):
    """``url`` is known before anything answers there. Raises ``Refused`` before anything is made."""

    def __init__(self, name: str, args: KubernetesModelHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, self._size = name, args, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        self._pods = Pods(args["stack"], args["region"], str(Part.MODELS), "model", args["namespace"])
        operators = self._create_operators() if args["operators"] else []
        server = self._create_server([*operators, *args["after"]])
        self._create_service()
        self._create_scaling([server, *operators])
        self.url = Output.format("http://model.{0}.svc.cluster.local:{1}/v1", args["namespace"], str(VLLM))
        self.register_outputs({"url": self.url})

    def _create_operators(self) -> list[pulumi.Resource]:
        images, family = self._args["registry"], {GPU_LABEL: self._args["gpu"]}
        keda: Mapping[str, Any] = {"global": {"image": {"registry": images}}}
        plugin: Mapping[str, Any] = {
            "image": {"repository": f"{images}/nvidia/k8s-device-plugin"},
            "nodeSelector": family,
            "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": None,  # the chart's own asks for labels that only another operator puts on nodes
        }
        first = pulumi.ResourceOptions(parent=self, depends_on=[*self._args["after"]])
        return [
            create_release(f"{self._name}-{chart}", chart, chart, images, values, first)
            for chart, values in ((KEDA, keda), (PLUGIN, plugin))
        ]

    def _create_server(self, after: Sequence[pulumi.Resource]) -> Deployment:
        """Made without a pod, and never told again how many: that is KEDA's."""
        args, pods = self._args, self._pods
        pod = Pod(
            containers=[self._server()],
            first=[self._fetcher()],
            volumes=self._volumes(),
            account=args.get("account"),
            nodes={GPU_LABEL: args["gpu"]},
            tolerations=[TolerationArgs(key=GPU, operator="Exists", effect="NoSchedule")],
            grace_seconds=_DRAINED_SECONDS,
        )
        PodDisruptionBudget(
            f"{self._name}-disruption",
            metadata=pods.metadata(),
            spec=PodDisruptionBudgetSpecArgs(max_unavailable=1, selector=pods.selected),
            opts=self._child,
        )
        # There is no GPU to spare for a pod more.
        rolling = RollingUpdateDeploymentArgs(max_unavailable=1, max_surge=0)
        return Deployment(
            f"{self._name}-server",
            metadata=pods.metadata(),
            spec=DeploymentSpecArgs(
                replicas=0,
                selector=pods.selected,
                strategy=DeploymentStrategyArgs(type="RollingUpdate", rolling_update=rolling),
                template=pods.template(pod),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*after], ignore_changes=["spec.replicas"]),
        )

    def _server(self) -> Container:
        args, size = self._args, self._size
        cpu, memory = size.needs
        options = {
            "--served-model-name": args["model"],
            "--host": "0.0.0.0",  # noqa: S104 the pod's own address, which policies let the runtime alone reach
            "--port": str(VLLM),
            "--max-model-len": str(args["context_tokens"]),
            "--tensor-parallel-size": str(args["per_node"]),
            "--load-format": "safetensors",  # of the others one runs what is in the file
        }
        offline = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK")
        return Container(
            name="server",
            image=args.get("server_image", f"{args['registry']}/{SERVER}"),
            needs=Needs(cpu, memory, {GPU: str(args["per_node"])}),
            command=["vllm", "serve", _MODELS, *(each for option in options.items() for each in option)],
            environment={
                **dict.fromkeys(offline, "1"),
                "HOME": _CACHE,
                "LOGNAME": "vllm",  # this user has no entry in the image's list
                "XDG_CACHE_HOME": _CACHE,
                "VLLM_CACHE_ROOT": f"{_CACHE}/vllm",
                "TRITON_CACHE_DIR": f"{_CACHE}/triton",
                "TORCHINDUCTOR_CACHE_DIR": f"{_CACHE}/inductor",
            },
            mounts={"weights": _MODELS},
            writes={"cache": _CACHE, "shared": "/dev/shm"},  # noqa: S108 memory between the pod's own processes
            ports={"http": VLLM},
            starts=probe("/health", port=VLLM, failures=_LOADING_PROBES, seconds=_LOADING_PERIOD),
            ready=probe("/health", port=VLLM),
            alive=probe("/health", port=VLLM, failures=12),
            drains=True,
        )

    def _fetcher(self) -> Container:
        args = self._args
        told: dict[str, Input[str]] = {
            "LOOMSTEAD_REGION": args["region"],
            "LOOMSTEAD_WEIGHTS_BUCKET": args["bucket"],
            "LOOMSTEAD_WEIGHTS_NAME": args["model"],
            "LOOMSTEAD_WEIGHTS_DIGEST": args["digest"],
            "LOOMSTEAD_WEIGHTS_FOLDER": _MODELS,
        }
        if "endpoint" in args:
            told["LOOMSTEAD_WEIGHTS_ENDPOINT"] = args["endpoint"]
        if "credentials" in args:
            told["AWS_SHARED_CREDENTIALS_FILE"] = f"{_CREDENTIALS}/credentials"
        return Container(
            name="weights",
            image=args["image"],
            needs=_FETCH,
            command=["python", "-m", "runtime.models.staged"],
            environment=told,
            mounts={"bucket": _CREDENTIALS} if "credentials" in args else {},
            writes={"weights": _MODELS},
        )

    def _volumes(self) -> list[VolumeArgs]:
        size, credentials = self._size, self._args.get("credentials")
        items = [KeyToPathArgs(key="credentials", path="credentials")]
        secret = SecretVolumeSourceArgs(secret_name=credentials, items=items, default_mode=READABLE)
        return [
            folder("weights", f"{self._args.get('storage_gib', size.storage)}Gi"),
            folder("cache", "20Gi"),
            folder("shared", size.shared, "Memory"),
            *([VolumeArgs(name="bucket", secret=secret)] if credentials else []),
        ]

    def _create_service(self) -> None:
        Service(
            f"{self._name}-service",
            # Nobody waits for a pod of it: there is none until somebody asks.
            metadata=self._pods.metadata(annotations={"pulumi.com/skipAwait": "true"}),
            spec=ServiceSpecArgs(
                type="ClusterIP",
                selector=self._pods.selector,
                ports=[ServicePortArgs(name="http", port=VLLM, target_port="http", app_protocol="http")],
            ),
            opts=self._child,
        )

    def _create_scaling(self, after: Sequence[pulumi.Resource]) -> None:
        args = self._args
        asked = Output.format(
            "http://gateway.{0}.svc.cluster.local:{1}/models/{2}/{3}/demand",
            args["runtime"],
            str(HTTP),
            args["model_class"],
            args["candidate"],
        )
        trigger = {
            "type": "metrics-api",
            "metadata": {
                "url": asked,
                "format": "json",
                "valueLocation": "calls",
                "targetValue": str(CALLS_PER_POD),
                "activationTargetValue": "0",
                "aggregateFromKubeServiceEndpoints": "true",
                "aggregationType": "sum",
            },
        }
        CustomResource(
            f"{self._name}-scaling",
            api_version="keda.sh/v1alpha1",
            kind="ScaledObject",
            metadata=self._pods.metadata(),
            spec={
                "scaleTargetRef": {"name": self._pods.app},
                "minReplicaCount": 0,
                "maxReplicaCount": args["nodes"],
                "pollingInterval": _ASKED_SECONDS,
                "cooldownPeriod": _IDLE_SECONDS,
                "triggers": [trigger],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*after]),
        )


def _checked(args: KubernetesModelHostArgs) -> _Size:
    size = SIZES.get(args["size"])
    if size is None:
        raise Refused(f"model host: no size {args['size']!r}; sizes are {', '.join(SIZES)}")
    image_by_digest(args["image"], "gateway.image")
    image_by_digest(args.get("server_image", f"{args['registry']}/{SERVER}"), "server_image")
    if ("account" in args) == ("credentials" in args):
        raise Refused("model host: give either an account or credentials, by which the weights' bucket is read")
    if not args["gpu"]:
        raise Refused("cluster.gpu.family: expected the value of the label loomstead/gpu at the nodes, got none")
    for key, least in (("nodes", 1), ("per_node", 1), ("context_tokens", 512)):
        if args[key] < least:
            raise Refused(f"model host: {key} {args[key]} is below {least}")
    return size
