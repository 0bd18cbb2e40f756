"""The Kubernetes API, as a pod reaches it: by its ServiceAccount's token and the cluster's own authority."""

import os
import ssl
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from runtime.settings import StartError

MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST = "kubernetes.default.svc"
"""Its name in every cluster."""
TIMEOUT = httpx.Timeout(10.0, connect=5.0)


class _Token(httpx.Auth):
    """Read for each request: the kubelet renews it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["authorization"] = f"Bearer {self._file.read_text().strip()}"
        yield request


@dataclass(frozen=True)
class ApiServer:
    """``url``: where it answers. ``account``: folder with ``token``, ``ca.crt`` and ``namespace`` of this pod."""

    url: str
    account: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "ApiServer | None":
        """The one of the cluster that this process runs on; none outside of clusters."""
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
        if not host or not port:
            return None
        host = f"[{host}]" if ":" in host else host
        return cls(f"https://{host}:{port}", Path(environment.get("LOOMSTEAD_SERVICE_ACCOUNT") or MOUNTED))

    @property
    def namespace(self) -> str:
        """This pod's own; raises ``StartError``."""
        try:
            return (self.account / "namespace").read_text().strip()
        except OSError as error:
            raise StartError(f"{self.account}/namespace: cannot be read: {error.strerror}") from None

    def client(self) -> httpx.AsyncClient:
        """Calls it as this pod. Raises ``StartError`` where the authority's file is none."""
        try:
            authority = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        except OSError as error:
            raise StartError(f"{self.account}/ca.crt: no certificates: {error.strerror}") from None
        auth = _Token(self.account / "token")
        return httpx.AsyncClient(base_url=self.url, auth=auth, verify=authority, timeout=TIMEOUT, trust_env=False)

    def path_of(self, url: str) -> str | None:
        """The path of an address of this API; none where it is somebody else's."""
        asked = httpx.URL(url)
        own = httpx.URL(self.url)
        if asked.scheme == "https" and (asked.host == HOST or (asked.host, asked.port) == (own.host, own.port)):
            return asked.raw_path.decode("ascii")
        return None
