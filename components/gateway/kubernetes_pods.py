"""What runs in the runtime's pods on a cluster: their containers, what is mounted into them, and what they are told.

Whoever asks a model directly has its credential; the translator has the credentials alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pulumi import Input
from pulumi_kubernetes.core.v1 import (
    ConfigMapProjectionArgs,
    ConfigMapVolumeSourceArgs,
    DownwardAPIProjectionArgs,
    DownwardAPIVolumeFileArgs,
    KeyToPathArgs,
    ObjectFieldSelectorArgs,
    ProjectedVolumeSourceArgs,
    SecretProjectionArgs,
    SecretVolumeSourceArgs,
    ServiceAccountTokenProjectionArgs,
    VolumeArgs,
    VolumeProjectionArgs,
)

from components.kubernetes.parts import HTTP, PROVISION
from components.kubernetes.pods import READABLE, Container, Needs, folder, probe

PYTHON = "python"
MANIFEST, MANIFEST_KEY, DATABASE_CA = "manifest.json", "manifest.public.jwk", "database.ca.crt"
"""Keys of the ConfigMaps, and of the Secret where no ConfigMap has the last."""
_GATEWAY_SECRETS = ("issuer.jwk", "ledger.key", "subjects.key", "webhook.key", "gateway.pgpass")
_ROTATED = "issuer.previous.jwk"
_CONFIG, _RUN = "/etc/loomstead", "/var/run/loomstead"
_FOLDERS = {
    "manifest": f"{_CONFIG}/manifest",
    "manifest-key": f"{_CONFIG}/manifest-key",
    "database-ca": f"{_CONFIG}/database-ca",
    "secrets": f"{_RUN}/secrets",
    "credentials": f"{_RUN}/credentials",
    "identity": f"{_RUN}/identity",
    "administrator": f"{_RUN}/administrator",
    "account": f"{_RUN}/account",
    "socket": f"{_RUN}/translator",
    "checkpoints": "/var/lib/loomstead/checkpoints",
}
_SOCKET = f"{_FOLDERS['socket']}/socket"
_TOKEN_SECONDS = 600
"""The shortest life that a projected token has; the kubelet renews it in time."""
_ACCOUNT_SECONDS = 3600
CALL_SECONDS: Final = 600
"""A model call may take as long: neither a pod's end nor a route cuts it off before."""
CLOSING_SECONDS: Final = 25
"""What the gateway has after its last call: the ledger is written, sessions are closed."""
_PUBLISHED = ("manifest", "manifest-key")
_CONNECTS = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


@dataclass(frozen=True, kw_only=True)
class RuntimePods:
    """``secrets``: the Secret's name. ``credentials``: of models that are called. ``service``: URL of the
    gateway's own. ``told``: variables of every process.

    ``manifest``, ``manifest_key``, ``database_ca``: names of ConfigMaps; without the last the Secret has it.
    """

    image: str
    stack: str
    region: str
    manifest: Input[str]
    manifest_key: Input[str]
    database_ca: Input[str] | None
    secrets: str
    credentials: Sequence[str]
    issuer: Input[str]
    service: Input[str]
    told: Mapping[str, Input[str]] = field(default_factory=dict)

    def gateway(self, needs: Needs, *, translator: bool) -> Container:
        own = {
            "LOOMSTEAD_LISTEN": f"0.0.0.0:{HTTP}",
            "LOOMSTEAD_DATABASE_CA": f"{_FOLDERS['database-ca']}/{DATABASE_CA}",
            "LOOMSTEAD_SERVICE_ACCOUNT": _FOLDERS["account"],
            "LOOMSTEAD_GRACE_SECONDS": str(CALL_SECONDS),
            **({"LOOMSTEAD_TRANSLATOR": _SOCKET} if translator else {}),
        }
        return Container(
            name="gateway",
            image=self.image,
            needs=needs,
            command=[PYTHON, "-m", "runtime.gateway"],
            environment={**self._environment(), **own},
            mounts=_mounted(*_PUBLISHED, "database-ca", "secrets", "account", *(["socket"] if translator else [])),
            writes=_mounted("checkpoints"),
            ports={"http": HTTP},
            starts=probe("/healthz", port=HTTP, failures=60, seconds=2),
            ready=probe("/readyz", port=HTTP, failures=2),
            alive=probe("/healthz", port=HTTP, failures=6),
            drains=True,
        )

    def translator(self, needs: Needs) -> Container:
        """Started before the gateway and ended after it; nobody but that one shares its socket."""
        asked = probe(command=[PYTHON, "-c", _CONNECTS, _SOCKET], failures=36)
        return Container(
            name="translator",
            image=self.image,
            needs=needs,
            command=[PYTHON, "-m", "runtime.translator"],
            environment={
                **self._published(),
                "LOOMSTEAD_TRANSLATOR": _SOCKET,
                "LOOMSTEAD_CREDENTIALS": _FOLDERS["credentials"],
            },
            mounts=_mounted(*_PUBLISHED, "credentials"),
            writes=_mounted("socket"),
            starts=asked,
            stays=True,
        )

    def worker(self, needs: Needs) -> Container:
        """It listens to nobody, so nobody can ask how it is: one that fails ends, and is started again."""
        return Container(
            name="worker",
            image=self.image,
            needs=needs,
            command=[PYTHON, "-m", "runtime.worker"],
            environment={
                **self._environment(),
                "LOOMSTEAD_TOKEN": f"{_FOLDERS['identity']}/token",
                "LOOMSTEAD_GATEWAY": self.service,
            },
            mounts=_mounted(*_PUBLISHED, "identity"),
        )

    def provision(self, needs: Needs, own: Mapping[str, Input[str]], *, administrator: bool) -> Container:
        """``administrator``: the database's is mounted, as user name and password."""
        also = {"LOOMSTEAD_ADMINISTRATOR": _FOLDERS["administrator"]} if administrator else {}
        ca = {"LOOMSTEAD_DATABASE_CA": f"{_FOLDERS['database-ca']}/{DATABASE_CA}"}
        return Container(
            name=PROVISION,
            image=self.image,
            needs=needs,
            command=[PYTHON, "-m", "runtime.provision"],
            environment={**self._published(), **ca, **also, **own},
            mounts=_mounted(*_PUBLISHED, "database-ca", *(["administrator"] if administrator else [])),
        )

    def gateway_volumes(self, *, translator: bool) -> list[VolumeArgs]:
        secrets = _projected("secrets", self._secret(*_GATEWAY_SECRETS), self._secret(_ROTATED, *self._keys, lent=True))
        checkpoints = folder("checkpoints", "1Gi")
        beside = [self._credentials_volume(), folder("socket", "1Mi", "Memory")] if translator else []
        return [*self.published_volumes(), self._ca_volume(), secrets, _account_volume(), checkpoints, *beside]

    def worker_volumes(self) -> list[VolumeArgs]:
        token = ServiceAccountTokenProjectionArgs(path="token", audience=self.issuer, expiration_seconds=_TOKEN_SECONDS)
        identity = _projected("identity", VolumeProjectionArgs(service_account_token=token))
        return [*self.published_volumes(), identity]

    def provision_volumes(self, authority: str | None, administrator: str | None) -> list[VolumeArgs]:
        """``authority``, ``administrator``: Secrets of the database's operator in the Job's namespace."""
        ca = self._ca_volume() if authority is None else _secret_volume("database-ca", authority, "ca.crt", DATABASE_CA)
        login = VolumeArgs(
            name="administrator",
            secret=SecretVolumeSourceArgs(
                secret_name=administrator,
                items=[KeyToPathArgs(key=key, path=key) for key in ("username", "password")],
                default_mode=READABLE,
            ),
        )
        return [*self.published_volumes(), ca, *([login] if administrator else [])]

    def published_volumes(self) -> list[VolumeArgs]:
        names = {"manifest": self.manifest, "manifest-key": self.manifest_key}
        return [_config_volume(volume, config) for volume, config in names.items()]

    def _ca_volume(self) -> VolumeArgs:
        if self.database_ca is None:
            return _secret_volume("database-ca", self.secrets, DATABASE_CA, DATABASE_CA)
        return _config_volume("database-ca", self.database_ca)

    def _credentials_volume(self) -> VolumeArgs:
        """A Secret of which no key is named would be mounted whole."""
        if not self._keys:
            return folder("credentials", "1Mi", "Memory")
        return _projected("credentials", self._secret(*self._keys, lent=True))

    @property
    def _keys(self) -> list[str]:
        return [f"upstream.{name}.key" for name in self.credentials]

    def _secret(self, *keys: str, lent: bool = False) -> VolumeProjectionArgs:
        """``lent``: those that a person brings, or that are not always there: the process says what it misses."""
        items = [KeyToPathArgs(key=key, path=key) for key in keys]
        return VolumeProjectionArgs(secret=SecretProjectionArgs(name=self.secrets, items=items, optional=lent))

    def _published(self) -> dict[str, Input[str]]:
        return {
            "LOOMSTEAD_STACK": self.stack,
            "LOOMSTEAD_REGION": self.region,
            "LOOMSTEAD_MANIFEST": f"{_FOLDERS['manifest']}/{MANIFEST}",
            "LOOMSTEAD_MANIFEST_KEY": f"{_FOLDERS['manifest-key']}/{MANIFEST_KEY}",
            "PYTHONUNBUFFERED": "1",
            **self.told,
        }

    def _environment(self) -> dict[str, Input[str]]:
        return {
            **self._published(),
            "LOOMSTEAD_SECRETS": _FOLDERS["secrets"],
            "LOOMSTEAD_CHECKPOINTS": _FOLDERS["checkpoints"],
        }


def _mounted(*volumes: str) -> dict[str, str]:
    return {volume: _FOLDERS[volume] for volume in volumes}


def _config_volume(name: str, config: Input[str]) -> VolumeArgs:
    return VolumeArgs(name=name, config_map=ConfigMapVolumeSourceArgs(name=config))


def _secret_volume(name: str, secret: str, key: str, path: str) -> VolumeArgs:
    items = [KeyToPathArgs(key=key, path=path)]
    return VolumeArgs(name=name, secret=SecretVolumeSourceArgs(secret_name=secret, items=items, default_mode=READABLE))


def _account_volume() -> VolumeArgs:
    """What the API server is asked with for the keys of its tokens: mounted by name, so that the translator beside the
    gateway has none of it."""
    token = ServiceAccountTokenProjectionArgs(path="token", expiration_seconds=_ACCOUNT_SECONDS)
    authority = ConfigMapProjectionArgs(name="kube-root-ca.crt", items=[KeyToPathArgs(key="ca.crt", path="ca.crt")])
    own = DownwardAPIVolumeFileArgs(
        path="namespace", field_ref=ObjectFieldSelectorArgs(field_path="metadata.namespace")
    )
    return _projected(
        "account",
        VolumeProjectionArgs(service_account_token=token),
        VolumeProjectionArgs(config_map=authority),
        VolumeProjectionArgs(downward_api=DownwardAPIProjectionArgs(items=[own])),
    )


def _projected(name: str, *sources: VolumeProjectionArgs) -> VolumeArgs:
    return VolumeArgs(name=name, projected=ProjectedVolumeSourceArgs(sources=[*sources], default_mode=READABLE))
