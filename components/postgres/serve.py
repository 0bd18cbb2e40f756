"""``python -m components.postgres.serve primary|replica HOME SECRETS PRIMARY_PORT REPLICA_PORT``: become it."""

import contextlib
import os
import sys
from pathlib import Path

import psutil

from components.postgres import server


def main(role: str, home: str, secrets: str, primary_port: str, replica_port: str) -> None:
    """Does not return: this process goes on as the server."""
    data = Path(home, "postgres", role)
    if role == "primary":
        hba, argv = server.PRIMARY_HBA, server.serve(data, int(primary_port), server.PRIMARY_SETTINGS)
    else:
        settings = server.replica_settings(int(primary_port), Path(secrets))
        hba, argv = server.REPLICA_HBA, server.serve(data, int(replica_port), settings)
    (data / "pg_hba.conf").write_text(hba)
    forget_stale_lock(data)
    os.execvp(argv[0], argv)  # noqa: S606, no shell is wanted


def forget_stale_lock(data: Path) -> None:
    """Remove ``postmaster.pid`` when no process works in ``data``.

    A server that was killed leaves its process id there. PostgreSQL believes it while any process of this user has
    that number, which after a reboot or in a new container is likely, and never starts.
    """
    if not any(_works_in(process, data.resolve()) for process in psutil.process_iter()):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    with contextlib.suppress(psutil.Error):
        return Path(process.cwd()) == folder
    return False


if __name__ == "__main__":
    main(*sys.argv[1:])
