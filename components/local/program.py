"""How a process is described to supervisord. No Pulumi in here.

Every process carries ``LOOMSTEAD_HOME``, ``LOOMSTEAD_STACK`` and ``LOOMSTEAD_PROCESS`` in its environment, the marks by
which ``orphans.py`` finds it again.
"""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PYTHON = str(Path(sys.prefix, "bin", "python"))
"""The environment's interpreter, under the one name that does not depend on how this process was called."""
STOP_SECONDS = 10


class ProgramError(Exception):
    """A process that supervisord cannot be told of."""


@dataclass(frozen=True)
class Program:
    """A process as it should run. ``environment`` is all it gets beyond ``PATH HOME LANG`` and the marks.

    ``stop_signal`` is a signal's name without SIG; after ``stop_seconds`` the whole process group is killed.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_seconds: int = STOP_SECONDS


def environment(home: Path, name: str, own: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a process, the same from whichever terminal ``pulumi up`` was called."""
    return {
        "PATH": f"{Path(PYTHON).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "LOOMSTEAD_HOME": str(home.parent),
        "LOOMSTEAD_STACK": home.name,
        "LOOMSTEAD_PROCESS": name,
        **(own or {}),
    }


def render(program: Program, home: Path) -> str:
    """The section of supervisord's configuration; its paths are relative to the stack's ``home``."""
    told = environment(home, program.name, program.environment)
    variables = [f"{key}={value}" for key, value in sorted(told.items())]
    return f"""[program:{program.name}]
command={_escape("/usr/bin/env", "-i", *variables, *program.argv)}
autostart=false
autorestart=unexpected
exitcodes={os.EX_CONFIG}
startsecs=1
startretries=10
stopsignal={program.stop_signal}
stopwaitsecs={program.stop_seconds}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile=logs/{program.name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


def _escape(*argv: str) -> str:
    """One line for supervisord: quoted for its shlex, without a comment for its INI reader, ``%`` doubled."""
    if any("\n" in argument for argument in argv):
        raise ProgramError(f"a process cannot be given a line break in an argument or variable: {argv!r}")
    # " #" and " ;" begin a comment wherever they stand; they lie inside single quotes here, which may close and open.
    return re.sub(r"(\s)([#;])", r"\1''\2", shlex.join(argv)).replace("%", "%%")
