"""An API server on loopback, for as long as somebody needs one: objects are checked and kept, and nothing runs them.

No controllers and no nodes: a namespace that is deleted stays Terminating, a Deployment makes no pods, and a
NetworkPolicy is validated, not enforced.
"""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from scripts.command import StepFailed
from scripts.kubernetes import API_SERVER, ETCD

READY_SECONDS = 90
_STOP_SECONDS = 5
_ASK_AGAIN_SECONDS = 0.1
_LAST_CHARACTERS = 3000

_ENDS_WITH_ITS_STARTER = """
exec 9<&0
"$@" </dev/null 9<&- &
child=$!
{ read -r _ <&9; kill -KILL $child; } &
exec 9<&-
wait $child
"""
"""A shell between: its input ends when whoever holds the other end is gone, killed or not, and so does the program."""


@dataclass(frozen=True)
class ApiServer:
    """``kubeconfig``: file of an administrator. ``folder``: logs and data, gone when the server is."""

    url: str
    kubeconfig: Path
    folder: Path


@contextmanager
def api_server(programs: Path) -> Generator[ApiServer]:
    """etcd and the API server of the folder ``programs``, ready and empty. Raises ``StepFailed``."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="loomstead-kubernetes-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        token = _write_secrets(folder)
        client, peer, port = _free_ports(3)
        etcd = stack.enter_context(_running(folder, [str(programs / ETCD), *_etcd_options(folder, client, peer)]))
        options = _server_options(folder, client, port)
        server = stack.enter_context(_running(folder, [str(programs / API_SERVER), *options]))
        url = f"https://127.0.0.1:{port}"
        _wait_until_ready(url, token, folder, {ETCD: etcd, API_SERVER: server})
        yield ApiServer(url, _write_kubeconfig(folder, url, token), folder)


def _write_secrets(folder: Path) -> str:
    """Writes the key that signs service accounts' tokens, and the administrator's token, which it gives."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "service-accounts.key").write_bytes(pem)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    return token


def _free_ports(number: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _etcd_options(folder: Path, client: int, peer: int) -> list[str]:
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _server_options(folder: Path, client: int, port: int) -> list[str]:
    key = folder / "service-accounts.key"
    return [
        f"--etcd-servers=http://127.0.0.1:{client}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--endpoint-reconciler-type=none",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--disable-admission-plugins=ServiceAccount",  # nobody makes the default accounts that it asks for
        "--profiling=false",
    ]


@contextmanager
def _running(folder: Path, argv: Sequence[str]) -> Generator[subprocess.Popen[bytes]]:
    name = Path(argv[0]).name
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _ENDS_WITH_ITS_STARTER, name, *argv],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=_STOP_SECONDS)


def _wait_until_ready(url: str, token: str, folder: Path, processes: dict[str, subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + READY_SECONDS
    while not _ready(url, token, folder):
        for name, process in processes.items():
            if process.poll() is not None:
                raise StepFailed(f"{name} ended with {process.returncode}:\n{_said_last(folder, name)}")
        if time.monotonic() > end:
            raise StepFailed(f"{url} is not ready after {READY_SECONDS} s:\n{_said_last(folder, API_SERVER)}")
        time.sleep(_ASK_AGAIN_SECONDS)


def _ready(url: str, token: str, folder: Path) -> bool:
    try:
        context = ssl.create_default_context(cafile=str(_certificate(folder)))
        request = urllib.request.Request(f"{url}/readyz", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
        with urllib.request.urlopen(request, context=context, timeout=2) as reply:  # noqa: S310 ours, on loopback
            return reply.read() == b"ok"
    except OSError:
        return False


def _said_last(folder: Path, name: str) -> str:
    return (folder / f"{name}.log").read_text(errors="replace")[-_LAST_CHARACTERS:]


def _certificate(folder: Path) -> Path:
    """What the server signed for itself when it started."""
    return folder / "certificates" / "apiserver.crt"


def _write_kubeconfig(folder: Path, url: str, token: str) -> Path:
    authority = base64.b64encode(_certificate(folder).read_bytes()).decode()
    cluster = {"server": url, "certificate-authority-data": authority}
    kubeconfig = folder / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "loomstead",
                "clusters": [{"name": "loomstead", "cluster": cluster}],
                "users": [{"name": "loomstead", "user": {"token": token}}],
                "contexts": [{"name": "loomstead", "context": {"cluster": "loomstead", "user": "loomstead"}}],
            }
        )
    )
    return kubeconfig
