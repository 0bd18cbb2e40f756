"""Budget on Kubernetes: how much each namespace of the fabric may take of a cluster that others use too.

A cluster sends no bill, so what is bounded is what costs: processors, memory, volumes, accelerators. Nobody but the
models' namespace gets an accelerator, and no Service opens a load balancer or a node's port but the one of a Gateway
that has it in the runtime's namespace. A container that says nothing of itself gets little, and is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.core.v1 import (
    LimitRange,
    LimitRangeItemArgs,
    LimitRangeSpecArgs,
    ResourceQuota,
    ResourceQuotaSpecArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.budget.contract import Budget
from components.infrastructure import Refused
from components.kubernetes.parts import PART_LABEL, STACK_LABEL, Part

GPU: Final = "nvidia.com/gpu"
_DEFAULT = {"cpu": "100m", "memory": "128Mi"}


@dataclass(frozen=True)
class _Quota:
    """Cores and GiB of memory, pods, GiB of volumes: twice what the parts ask for, so that they can be replaced."""

    cores: int
    memory: int
    pods: int
    volumes: int = 0

    def times(self, factor: int) -> "_Quota":
        found = (self.cores, self.memory, self.pods, self.volumes)
        return _Quota(*(value * factor for value in found))


SIZES: dict[str, dict[Part, _Quota]] = {
    "small": {
        Part.RUNTIME: _Quota(16, 32, 40),
        Part.TOOLS: _Quota(8, 16, 40),
        Part.ORCHESTRATOR: _Quota(8, 24, 40),
        Part.MODELS: _Quota(32, 256, 10, 200),
        Part.PRIMARY: _Quota(12, 40, 20, 400),
        Part.REPLICA: _Quota(4, 16, 10, 200),
        Part.CACHE: _Quota(1, 1, 4),
        Part.OBSERVABILITY: _Quota(4, 8, 8),
    },
    "medium": {
        Part.RUNTIME: _Quota(64, 128, 120),
        Part.TOOLS: _Quota(32, 64, 120),
        Part.ORCHESTRATOR: _Quota(24, 64, 60),
        Part.MODELS: _Quota(128, 1024, 20, 1000),
        Part.PRIMARY: _Quota(32, 128, 20, 1600),
        Part.REPLICA: _Quota(24, 96, 20, 1200),
        Part.CACHE: _Quota(2, 4, 4),
        Part.OBSERVABILITY: _Quota(12, 24, 12),
    },
    "large": {
        Part.RUNTIME: _Quota(256, 512, 400),
        Part.TOOLS: _Quota(128, 256, 400),
        Part.ORCHESTRATOR: _Quota(128, 256, 120),
        Part.MODELS: _Quota(512, 4096, 80, 4000),
        Part.PRIMARY: _Quota(128, 512, 20, 8000),
        Part.REPLICA: _Quota(128, 512, 20, 8000),
        Part.CACHE: _Quota(4, 16, 4),
        Part.OBSERVABILITY: _Quota(48, 96, 24),
    },
}


class KubernetesBudgetArgs(TypedDict):
    """``namespaces``: of the fabric, by part. ``gpus``: accelerators that its models may take at once.

    ``gpu``: the name of their resource, otherwise NVIDIA's. ``entry``: whether the Gateway's class puts a load balancer
    into the runtime's namespace, as Cilium's does. ``times``: how many times the ``size``'s a part needs.
    """

    stack: str
    namespaces: Mapping[Part, Input[str]]
    size: str
    gpus: int
    gpu: NotRequired[str]
    entry: NotRequired[bool]
    times: NotRequired[Mapping[Part, int]]


class KubernetesBudget(Budget):
    """``id``: name of the quota, the same in each namespace. Raises ``Refused``."""

    def __init__(self, name: str, args: KubernetesBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, quotas = name, args, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        made = [
            created
            for part, namespace in args["namespaces"].items()
            for created in (self._create_quota(part, namespace, quotas[part]), self._create_range(part, namespace))
        ]
        self.id = Output.all(*(each.urn for each in made)).apply(lambda _: "fabric")
        self.register_outputs({"id": self.id})

    def _create_quota(self, part: Part, namespace: Input[str], quota: _Quota) -> ResourceQuota:
        gpus = self._args["gpus"] if part is Part.MODELS else 0
        quota = quota.times(self._args.get("times", {}).get(part, 1))
        entries = "1" if part is Part.RUNTIME and self._args.get("entry") else "0"
        hard = {
            "requests.cpu": str(quota.cores),
            "requests.memory": f"{quota.memory}Gi",
            "limits.memory": f"{quota.memory}Gi",
            "requests.storage": f"{quota.volumes}Gi",
            "pods": str(quota.pods),
            f"requests.{self._args.get('gpu', GPU)}": str(gpus),
            "services.loadbalancers": entries,
            "services.nodeports": entries,  # of that load balancer, whose only port it is
        }
        return ResourceQuota(
            f"{self._name}-{part}",
            metadata=self._metadata(part, namespace),
            spec=ResourceQuotaSpecArgs(hard=hard),
            opts=self._child,
        )

    def _create_range(self, part: Part, namespace: Input[str]) -> LimitRange:
        item = LimitRangeItemArgs(type="Container", default_request=_DEFAULT, default={"memory": _DEFAULT["memory"]})
        return LimitRange(
            f"{self._name}-{part}-range",
            metadata=self._metadata(part, namespace),
            spec=LimitRangeSpecArgs(limits=[item]),
            opts=self._child,
        )

    def _metadata(self, part: Part, namespace: Input[str]) -> ObjectMetaArgs:
        labels = {STACK_LABEL: self._args["stack"], PART_LABEL: str(part)}
        return ObjectMetaArgs(name="fabric", namespace=namespace, labels=labels)


def _checked(args: KubernetesBudgetArgs) -> dict[Part, _Quota]:
    quotas = SIZES.get(args["size"])
    if quotas is None:
        raise Refused(f"budget: no size {args['size']!r}; sizes are {', '.join(SIZES)}")
    if args["gpus"] < 0:
        raise Refused(f"budget.gpus: {args['gpus']}: expected 0 or more")
    if wrong := [f"{part} {factor}" for part, factor in args.get("times", {}).items() if factor < 1]:
        raise Refused(f"budget.times: {', '.join(wrong)}: expected 1 or more")
    if args["gpus"] and Part.MODELS not in args["namespaces"]:
        raise Refused("budget.gpus: this fabric hosts no model, so no accelerator is its to take")
    return quotas
