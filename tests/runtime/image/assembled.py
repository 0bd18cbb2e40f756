"""A strict reader of the runtime's Dockerfile that assembles, without a builder, what goes into the image.

It knows the instructions and the commands that the file has, and refuses any other: what it cannot read is not tested.
What the base brings is not there; its interpreter is this machine's.
"""

import fnmatch
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

IN_BUILD = (["python3", "-m", "pip", "install"], ["uv/bin/uv", "sync"], ["uv/bin/uv", "export"])
OF_THE_BASE = ["python3", "-m", "pip", "uninstall"]
"""Only takes away what the base has."""


class DockerfileError(Exception):
    """An instruction that this reader does not know."""


@dataclass
class Stage:
    """``root``: its file system. ``base``: what it starts from."""

    base: str
    root: Path
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    command: list[str] = field(default_factory=list)

    def at(self, path: str) -> Path:
        """Where a path of the image is."""
        return self.root / Path(self.workdir, path).relative_to("/")


@dataclass
class Reader:
    """``context``: the repository. ``python``: in the base's place, and ``installer``: the same with pip."""

    context: Path
    making: Path
    python: str
    installer: str
    stages: dict[str, Stage] = field(default_factory=dict)

    def read(self, dockerfile: Path) -> Stage:
        """The last stage, assembled; raises ``DockerfileError``."""
        self._ignored = _patterns(dockerfile.with_name("Dockerfile.dockerignore"))
        stage = None
        for line in dockerfile.read_text().splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            name, _, rest = line.partition(" ")
            if name == "FROM":
                stage = self._from(rest)
            elif stage is None or name not in _INSTRUCTIONS:
                raise DockerfileError(line)
            else:
                getattr(self, f"_{name.lower()}")(stage, rest)
        if stage is None:
            raise DockerfileError("no FROM")
        return stage

    def _from(self, rest: str) -> Stage:
        base, *named = rest.split()
        if named and (len(named) != 2 or named[0] != "AS"):
            raise DockerfileError(f"FROM {rest}")
        name = named[1] if named else str(len(self.stages))
        root = self.making / name
        root.mkdir()
        self.stages[name] = stage = Stage(base, root)
        return stage

    def _workdir(self, stage: Stage, rest: str) -> None:
        stage.workdir = rest
        stage.at(".").mkdir(parents=True, exist_ok=True)

    def _env(self, stage: Stage, rest: str) -> None:
        stage.environment |= dict(part.split("=", 1) for part in rest.split())

    def _user(self, stage: Stage, rest: str) -> None:
        stage.user = rest

    def _cmd(self, stage: Stage, rest: str) -> None:
        stage.command = json.loads(rest)

    def _copy(self, stage: Stage, rest: str) -> None:
        *sources, target = rest.split()
        other = self.stages[sources.pop(0).removeprefix("--from=")] if sources[0].startswith("--from=") else None
        if any(source.startswith("--") for source in sources):
            raise DockerfileError(f"COPY {rest}")
        for source in sources:
            found = other.at(source) if other else self.context / source
            into = stage.at(target) / found.name if target.endswith("/") else stage.at(target)
            if found.is_dir():
                ignored = None if other else self._left_out
                shutil.copytree(found, into, symlinks=True, ignore=ignored)
            elif other is None and self._is_left_out(Path(source)):
                raise DockerfileError(f"COPY {rest}: {source} is not in the context")
            else:
                shutil.copy(found, into)

    def _run(self, stage: Stage, rest: str) -> None:
        argv = json.loads(rest)
        if argv[:4] == OF_THE_BASE:
            return
        if not any(argv[: len(known)] == known for known in IN_BUILD):
            raise DockerfileError(f"RUN {rest}")
        program = self.installer if argv[0] == "python3" else str(stage.at(argv[0]))
        environment = {**os.environ, **stage.environment, "UV_PYTHON": self.python}
        environment.pop("VIRTUAL_ENV", None)
        done = subprocess.run([program, *argv[1:]], cwd=stage.at("."), env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise DockerfileError(f"RUN {rest}: {done.stderr}")

    def _left_out(self, folder: str, names: list[str]) -> list[str]:
        place = Path(folder).relative_to(self.context)
        return [name for name in names if self._is_left_out(place / name)]

    def _is_left_out(self, path: Path) -> bool:
        """The last line that fits decides (docs.docker.com/build/concepts/context)."""
        out = False
        for pattern in self._ignored:
            wanted = pattern.removeprefix("!")
            parents = [str(one) for one in (path, *path.parents)][:-1]
            if wanted == "*" or any(_fits(one, wanted) for one in parents):
                out = not pattern.startswith("!")
        return out


_INSTRUCTIONS = ("WORKDIR", "ENV", "USER", "CMD", "COPY", "RUN")


def _patterns(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(Path(path).name, pattern.removeprefix("**/"))
    return path == pattern
