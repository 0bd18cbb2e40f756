"""Pods as every workload has them: of the restricted standard, in the stack's region alone, images by digest.

Pods             a workload: its labels, its objects' metadata, its pod template
Pod, Container   what that template is made of; a container writes nowhere but into what is mounted for it
probe, folder    what they are given
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from pulumi import CustomTimeouts, Input
from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    ExecActionArgs,
    HTTPGetActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    ObjectFieldSelectorArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    SecurityContextArgs,
    SleepActionArgs,
    TCPSocketActionArgs,
    TolerationArgs,
    TopologySpreadConstraintArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from components.infrastructure import Refused
from components.kubernetes.parts import APP_LABEL, PART_LABEL, REGION_LABEL, STACK_LABEL, ZONE_LABEL

USER = 65532
"""User and group of every container, and the group that mounted secrets are readable for."""
READABLE = 0o440
"""Mode of mounted secrets: root's, and read by the pod's group."""
DRAIN_SECONDS = 30
"""What is between a pod's end and its last new request: every node has to hear of the first, and load balancers."""
UNTIL_DONE: Final = {"pulumi.com/replaceUnready": "true"}
"""Annotations of a Job that the next ``up`` makes anew where it failed (pulumi-kubernetes waits for it otherwise)."""

PATIENCE: Final = CustomTimeouts(create="30m", update="30m")
"""Of the engine with what waits in the cluster for something else: nodes, a secret, another part."""
_DIGEST = re.compile(r"[a-z0-9][a-z0-9.:/_-]*@sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SCRATCH = "scratch"


class Needs(NamedTuple):
    """``cpu``: set aside; more is taken where the node has it. ``memory``: set aside, and the most.

    ``devices``: whole ones, by the name of their resource.
    """

    cpu: str
    memory: str
    devices: Mapping[str, str] = {}


def image_by_digest(image: str, key: str) -> str:
    """The image, where a digest names it; raises ``Refused`` that names ``key``."""
    if not _DIGEST.fullmatch(image):
        raise Refused(
            f"{key}: {image!r} is not named by its digest, and a tag can be moved: "
            "give it as registry.example/name@sha256: and 64 hexadecimal digits"
        )
    return image


@dataclass(frozen=True, kw_only=True)
class Container:
    """``mounts``, ``writes``: folder by volume, to read and to write. ``drains``: it is sent requests, and goes on for
    a moment when told to end. ``stays``: of init containers, that it runs beside those that follow. ``address``: the
    variable that tells it the pod's own.
    """

    name: str
    image: str
    needs: Needs
    command: Sequence[Input[str]]
    environment: Mapping[str, Input[str]] = field(default_factory=dict)
    mounts: Mapping[str, str] = field(default_factory=dict)
    writes: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    starts: ProbeArgs | None = None
    ready: ProbeArgs | None = None
    alive: ProbeArgs | None = None
    drains: bool = False
    stays: bool = False
    address: str | None = None

    def made(self) -> ContainerArgs:
        """Raises ``Refused`` for an image that no digest names."""
        wait = LifecycleArgs(pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=DRAIN_SECONDS)))
        return ContainerArgs(
            name=self.name,
            image=image_by_digest(self.image, f"image of {self.name}"),
            command=[*self.command],
            env=self._variables(),
            volume_mounts=self._mounts(),
            ports=[ContainerPortArgs(name=key, container_port=port) for key, port in self.ports.items()],
            resources=ResourceRequirementsArgs(
                requests={"cpu": self.needs.cpu, "memory": self.needs.memory, **self.needs.devices},
                limits={"memory": self.needs.memory, **self.needs.devices},
            ),
            security_context=SecurityContextArgs(
                allow_privilege_escalation=False,
                capabilities=CapabilitiesArgs(drop=["ALL"]),
                read_only_root_filesystem=True,
            ),
            startup_probe=self.starts,
            readiness_probe=self.ready,
            liveness_probe=self.alive,
            lifecycle=wait if self.drains else None,
            restart_policy="Always" if self.stays else None,
            termination_message_policy="FallbackToLogsOnError",
        )

    def _variables(self) -> list[EnvVarArgs]:
        address = ObjectFieldSelectorArgs(field_path="status.podIP")
        own = [EnvVarArgs(name=self.address, value_from=EnvVarSourceArgs(field_ref=address))] if self.address else []
        return [*own, *(EnvVarArgs(name=key, value=value) for key, value in sorted(self.environment.items()))]

    def _mounts(self) -> list[VolumeMountArgs]:
        written = {_SCRATCH: "/tmp", **self.writes}  # noqa: S108 a volume of the pod's own
        return [
            *(VolumeMountArgs(name=volume, mount_path=path, read_only=True) for volume, path in self.mounts.items()),
            *(VolumeMountArgs(name=volume, mount_path=path) for volume, path in written.items()),
        ]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """``first``: init containers. ``account``: its ServiceAccount. ``calls_server``: it has that account's token for
    the API server, which no other pod has. ``once``: it ends, and is not started again where it stands.
    """

    containers: Sequence[Container]
    first: Sequence[Container] = ()
    volumes: Sequence[VolumeArgs] = ()
    account: Input[str] | None = None
    calls_server: bool = False
    annotations: Mapping[str, Input[str]] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[TolerationArgs] = ()
    grace_seconds: int = DRAIN_SECONDS + 30
    once: bool = False


def probe(
    path: str | None = None,
    *,
    port: int | None = None,
    command: Sequence[str] = (),
    failures: int = 3,
    seconds: int = 5,
) -> ProbeArgs:
    """By HTTP where there is a path, else by a TCP connection or a command; every ``seconds``."""
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=path, port=port) if path and port else None,
        tcp_socket=TCPSocketActionArgs(port=port) if port and not path else None,
        exec_=ExecActionArgs(command=[*command]) if command else None,
        period_seconds=seconds,
        timeout_seconds=seconds,
        failure_threshold=failures,
    )


def folder(name: str, size: str, medium: Literal["Memory", ""] = "") -> VolumeArgs:
    """An empty one that is gone with its pod; ``size``: the most that it holds."""
    return VolumeArgs(name=name, empty_dir=EmptyDirVolumeSourceArgs(size_limit=size, medium=medium))


@dataclass(frozen=True)
class Pods:
    """A workload ``app`` of a part. ``region``: value of the nodes' label. Raises ``Refused`` for a name that is no
    label's value."""

    stack: str
    region: str
    part: str
    app: str
    namespace: Input[str]

    def __post_init__(self) -> None:
        for name in ("stack", "region", "part", "app"):
            if not _NAME.fullmatch(value := getattr(self, name)):
                raise Refused(f"{name}: {value!r} is no label's value: expected a-z, 0-9, -, at most 63 characters")

    @property
    def selector(self) -> dict[str, str]:
        """The labels that tell this workload's pods from all others of the namespace."""
        return {PART_LABEL: self.part, APP_LABEL: self.app}

    @property
    def labels(self) -> dict[str, str]:
        return {STACK_LABEL: self.stack, **self.selector}

    @property
    def selected(self) -> LabelSelectorArgs:
        return LabelSelectorArgs(match_labels=self.selector)

    def metadata(
        self, name: Input[str] | None = None, annotations: Mapping[str, Input[str]] | None = None
    ) -> ObjectMetaArgs:
        """Of an object of this workload; its name is the workload's own, where none is given."""
        return ObjectMetaArgs(
            name=name or self.app, namespace=self.namespace, labels=self.labels, annotations=annotations
        )

    def template(self, pod: Pod) -> PodTemplateSpecArgs:
        """Raises ``Refused`` for an image that no digest names."""
        return PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=self.labels, annotations=pod.annotations),
            spec=PodSpecArgs(
                containers=[each.made() for each in pod.containers],
                init_containers=[each.made() for each in pod.first],
                volumes=[folder(_SCRATCH, "256Mi"), *pod.volumes],
                service_account_name=pod.account,
                automount_service_account_token=pod.calls_server,
                enable_service_links=False,
                node_selector={REGION_LABEL: self.region, **pod.nodes},
                tolerations=[*pod.tolerations],
                topology_spread_constraints=[self._spread()],
                termination_grace_period_seconds=pod.grace_seconds,
                restart_policy="Never" if pod.once else "Always",
                security_context=PodSecurityContextArgs(
                    run_as_non_root=True,
                    run_as_user=USER,
                    run_as_group=USER,
                    fs_group=USER,
                    fs_group_change_policy="OnRootMismatch",
                    seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
                ),
            ),
        )

    def _spread(self) -> TopologySpreadConstraintArgs:
        return TopologySpreadConstraintArgs(
            max_skew=1, topology_key=ZONE_LABEL, when_unsatisfiable="ScheduleAnyway", label_selector=self.selected
        )
