"""What a runtime process is told by its environment: where the Manifest is, and by which key it must be signed.

Nothing that decides residency has a default.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

GRACE_SECONDS = 10
"""What a supervisor of this machine waits for; a pod may be given as long as a model call takes."""
CLUSTER = ".svc.cluster.local"
"""What the names of a cluster's own Services end with."""
START_REFUSED = 78
"""Exit code of a process that may not start (EX_CONFIG of sysexits.h)."""


class StartError(Exception):
    """The process may not start; the message has one line for each cause."""


@dataclass(frozen=True)
class Published:
    """Where a process finds what the stack published. ``manifest``, ``manifest_key``: files."""

    stack: str
    region: str
    manifest: Path
    manifest_key: Path


@dataclass(frozen=True)
class Settings(Published):
    """``secrets``, ``checkpoints``: folders. ``translator``: its socket, where it runs.

    ``grace``: seconds that calls under way have when the gateway is told to stop.

    On a cluster: ``listen``: address and port of the gateway, when they are not those of its URL. ``database_ca``: file
    of the authorities that answer for PostgreSQL. ``token``: file of the ServiceAccount's token that is this workload's
    identity instead of a key. ``gateway``: where the worker reaches it inside the cluster.
    """

    secrets: Path
    checkpoints: Path
    translator: Path | None = None
    listen: tuple[str, int] | None = None
    database_ca: Path | None = None
    token: Path | None = None
    gateway: str | None = None
    grace: int = GRACE_SECONDS


_PUBLISHED = {
    "stack": "LOOMSTEAD_STACK",
    "region": "LOOMSTEAD_REGION",
    "manifest": "LOOMSTEAD_MANIFEST",
    "manifest_key": "LOOMSTEAD_MANIFEST_KEY",
}
TRANSLATOR = "LOOMSTEAD_TRANSLATOR"
LISTEN = "LOOMSTEAD_LISTEN"
DATABASE_CA = "LOOMSTEAD_DATABASE_CA"
GATEWAY = "LOOMSTEAD_GATEWAY"
GRACE = "LOOMSTEAD_GRACE_SECONDS"
TOKEN = "LOOMSTEAD_TOKEN"  # noqa: S105 - the variable's name
_VARIABLES = {**_PUBLISHED, "secrets": "LOOMSTEAD_SECRETS", "checkpoints": "LOOMSTEAD_CHECKPOINTS"}


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; raises ``StartError`` that names every variable missing or wrong."""
    values = required(environment, _VARIABLES)
    return Settings(
        stack=values["stack"],
        region=values["region"],
        manifest=Path(values["manifest"]),
        manifest_key=Path(values["manifest_key"]),
        secrets=Path(values["secrets"]),
        checkpoints=Path(values["checkpoints"]),
        translator=path(environment, TRANSLATOR),
        listen=_listen(environment.get(LISTEN, "")),
        database_ca=path(environment, DATABASE_CA),
        token=path(environment, TOKEN),
        gateway=_inside(environment.get(GATEWAY, "")),
        grace=number(environment, GRACE, GRACE_SECONDS),
    )


def path(environment: Mapping[str, str], name: str) -> Path | None:
    """The path that a variable names, where it names one."""
    return Path(environment[name]) if environment.get(name) else None


def number(environment: Mapping[str, str], name: str, otherwise: int) -> int:
    """The whole number of 1 at least that a variable says; raises ``StartError``."""
    text = environment.get(name) or str(otherwise)
    if not text.isascii() or not text.isdecimal() or not int(text):
        raise StartError(f"{name} is {text!r}: expected a whole number of 1 at least")
    return int(text)


def _listen(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    try:
        address = urlsplit(f"//{text}")
        if address.hostname and address.port and address.netloc == text and "@" not in text:
            return address.hostname, address.port
    except ValueError:
        pass
    raise StartError(f"{LISTEN} is {text!r}: expected address:port, such as 0.0.0.0:8080")


def _inside(text: str) -> str | None:
    """The address of a Service. It is not encrypted, so no other is taken: tokens and personal data go there."""
    if not text:
        return None
    try:
        address = urlsplit(text)
        host = address.hostname or ""
        own = host.endswith(CLUSTER) or host == "127.0.0.1"
        if own and address.port and text == f"http://{address.netloc}" and "@" not in text:
            return text
    except ValueError:
        pass
    raise StartError(f"{GATEWAY} is {text!r}: expected a Service of this cluster, http://name.namespace{CLUSTER}:port")


def read_published(environment: Mapping[str, str] = os.environ) -> Published:
    """For a process that holds no secret of the stack; raises ``StartError`` that names every variable missing."""
    values = required(environment, _PUBLISHED)
    return Published(values["stack"], values["region"], Path(values["manifest"]), Path(values["manifest_key"]))


def required(environment: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Values by field; ``names``: variable by field. Raises ``StartError`` with one line a variable that is missing."""
    missing = [name for name in names.values() if not environment.get(name)]
    if missing:
        raise StartError("\n".join(f"{name} is not set: `pulumi up` starts the runtime with it" for name in missing))
    return {field: environment[name] for field, name in names.items()}
