"""How every process of the runtime opens a session with PostgreSQL: by which password, and over which TLS."""

import errno
import ipaddress
import re
import ssl
from functools import partial
from pathlib import Path
from typing import Any

from runtime.secret_files import read_private
from runtime.settings import DATABASE_CA, StartError

CONNECT_SECONDS = 5.0
FIELD = re.compile(r"((?:[^:\\]|\\.)*)(?::|$)")


def session(host: str, port: int, database: str, role: str, passfile: Path, ca: Path | None) -> dict[str, Any]:
    """What ``asyncpg.connect`` is called with. The password is read again for each session, for it may be renewed.

    Raises ``StartError`` (``tls``).
    """
    return {
        "host": host,
        "port": port,
        "database": database,
        "user": role,
        "password": partial(read_password, passfile, host, port, database, role),
        "ssl": tls(host, ca),
        "timeout": CONNECT_SECONDS,
    }


def tls(host: str, ca: Path | None) -> ssl.SSLContext | None:
    """libpq's ``verify-full`` with the authorities of the file ``ca``; none is needed on this machine itself.

    Raises ``StartError`` where the server is elsewhere and nothing says who answers for its name.
    """
    if ca is None:
        if is_loopback(host):
            return None
        raise StartError(f"{DATABASE_CA} is not set: name the file with the authority of PostgreSQL at {host}")
    try:
        return ssl.create_default_context(cafile=str(ca))
    except OSError as error:  # ssl.SSLError is one
        raise StartError(f"{ca}: no certificates of an authority ({DATABASE_CA}): {error.strerror}") from error


def is_loopback(host: str) -> bool:
    """Whether ``host`` can only be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_password(passfile: Path, host: str, port: int, database: str, role: str) -> str:
    """The password of the first line of a pgpass file that fits (PostgreSQL 18, 32.16).

    asyncpg's own reader ignores a file in the form that Kubernetes mounts. Raises ``OSError``.
    """
    wanted = (host, str(port), database, role)
    for line in read_private(passfile).decode().splitlines():
        fields = [re.sub(r"\\(.)", r"\1", field) for field in FIELD.findall(line)]
        if any(fields[4:5]) and all(said in ("*", asked) for said, asked in zip(fields, wanted, strict=False)):
            return fields[4]
    raise OSError(errno.ENOENT, f"no password for {role} at {host}:{port}/{database}", str(passfile))
