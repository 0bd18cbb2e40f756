"""A cache on Kubernetes: one Valkey in memory, for counters that may be lost.

Sessions are encrypted. There is no password: the network lets the runtime's pods alone come to it, and what it holds is
worth nothing to anybody. It writes nothing to a volume, and begins empty wherever it is started again.
"""

from dataclasses import dataclass
from typing import Final, NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import StatefulSet, StatefulSetSpecArgs
from pulumi_kubernetes.core.v1 import SecretVolumeSourceArgs, Service, ServicePortArgs, ServiceSpecArgs, VolumeArgs

from components.cache.contract import Cache
from components.infrastructure import Refused
from components.kubernetes.parts import VALKEY, Part
from components.kubernetes.pods import READABLE, Container, Needs, Pod, Pods, image_by_digest, probe

IMAGE: Final = "valkey/valkey@sha256:70739f85ad2ee01a726a965584a0f94895f01b0c60b3cc8b0aeef11eaa6888cf"
"""9.1.1, to be had in the stack's registry under the same name."""
_CERTIFICATE: Final = "valkey-server"
_TLS: Final = "/etc/valkey/tls"
_MIB = 2**20


@dataclass(frozen=True)
class _Size:
    """``holds``: MiB of counters, three quarters of what the container has."""

    needs: Needs
    holds: int


SIZES: dict[str, _Size] = {
    "small": _Size(Needs("100m", "256Mi"), 192),
    "medium": _Size(Needs("500m", "1Gi"), 768),
    "large": _Size(Needs("1", "4Gi"), 3072),
}


class KubernetesCacheArgs(TypedDict):
    """``region``: value of the nodes' label. ``namespace``: the cache's. ``registry``: where images come from.

    ``authority``: the ClusterIssuer that signs for the namespace. ``image``: otherwise the one known here.
    """

    stack: str
    region: str
    namespace: Input[str]
    registry: str
    authority: Input[str]
    size: str
    image: NotRequired[str]


class KubernetesCache(Cache):
    """Raises ``Refused``."""

    def __init__(self, name: str, args: KubernetesCacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, self._size = name, args, _checked(args)
        self._pods = Pods(args["stack"], args["region"], str(Part.CACHE), "valkey", args["namespace"])
        self._child = pulumi.ResourceOptions(parent=self)
        certificate = self._create_certificate()
        service = self._create_service()
        self._create_server(certificate)
        self.host = Output.format("{0}.{1}.svc.cluster.local", service.metadata.name, args["namespace"])
        self.port = Output.from_input(VALKEY)
        self.register_outputs({"host": self.host, "port": self.port})

    def _create_certificate(self) -> CustomResource:
        names = Output.from_input(self._args["namespace"]).apply(
            lambda namespace: [f"valkey{end}" for end in ("", f".{namespace}.svc", f".{namespace}.svc.cluster.local")]
        )
        return CustomResource(
            f"{self._name}-certificate",
            api_version="cert-manager.io/v1",
            kind="Certificate",
            metadata=self._pods.metadata(_CERTIFICATE),
            spec={
                "secretName": _CERTIFICATE,
                "dnsNames": names,
                "usages": ["server auth"],
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": self._args["authority"]},
            },
            opts=self._child,
        )

    def _create_service(self) -> Service:
        return Service(
            f"{self._name}-service",
            metadata=self._pods.metadata(),
            spec=ServiceSpecArgs(
                type="ClusterIP",
                selector=self._pods.selector,
                ports=[ServicePortArgs(name="valkey", port=VALKEY, target_port=VALKEY)],
            ),
            opts=self._child,
        )

    def _create_server(self, certificate: CustomResource) -> None:
        """It reads a renewed certificate by itself (valkey.conf, tls-auto-reload-interval)."""
        options = {
            "port": "0",
            "tls-port": str(VALKEY),
            "tls-cert-file": f"{_TLS}/tls.crt",
            "tls-key-file": f"{_TLS}/tls.key",
            "tls-ca-cert-file": f"{_TLS}/ca.crt",
            "tls-auth-clients": "no",
            "tls-protocols": "TLSv1.3",
            "tls-auto-reload-interval": "3600",
            "protected-mode": "no",
            "save": "",
            "appendonly": "no",
            "maxmemory": str(self._size.holds * _MIB),
            "maxmemory-policy": "volatile-ttl",
            "dir": "/tmp",  # noqa: S108 a volume of the pod's own, of which nothing is kept
        }
        server = Container(
            name="valkey",
            image=_image(self._args),
            needs=self._size.needs,
            command=["valkey-server", *(word for key, value in options.items() for word in (f"--{key}", value))],
            mounts={"tls": _TLS},
            ports={"valkey": VALKEY},
            ready=probe(port=VALKEY),
            alive=probe(port=VALKEY, failures=6),
        )
        volume = VolumeArgs(name="tls", secret=SecretVolumeSourceArgs(secret_name=_CERTIFICATE, default_mode=READABLE))
        StatefulSet(
            f"{self._name}-valkey",
            metadata=self._pods.metadata(),
            spec=StatefulSetSpecArgs(
                replicas=1,
                service_name="valkey",
                selector=self._pods.selected,
                template=self._pods.template(Pod(containers=[server], volumes=[volume])),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[certificate]),
        )


def _image(args: KubernetesCacheArgs) -> str:
    return args.get("image") or f"{args['registry']}/{IMAGE}"


def _checked(args: KubernetesCacheArgs) -> _Size:
    size = SIZES.get(args["size"])
    if size is None:
        raise Refused(f"cache: no size {args['size']!r}; sizes are {', '.join(SIZES)}")
    image_by_digest(_image(args), "cache.image")
    return size
