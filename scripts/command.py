"""Programs that the set-up runs: what one said last is in the error, and none outlives its caller."""

import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_LAST_LINES = 8


class StepFailed(Exception):
    """A step of the set-up did not work; the message says what and why, in words for the user."""


def run(argv: Sequence[str], *, timeout: float, environment: Mapping[str, str] | None = None) -> str:
    """Standard output of a program, stripped; ``timeout`` in seconds. Raises ``StepFailed``."""
    with _started(argv, environment, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise StepFailed(f"`{argv[0]}` did not end in {timeout:.0f} s") from None
    if process.returncode:
        raise StepFailed(_failure(argv, process.returncode, err.splitlines()))
    return out.strip()


def stream(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Run a long program and hand on each line it writes, output and errors alike. Raises ``StepFailed``."""
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with _started(argv, environment, stderr=subprocess.STDOUT, folder=folder) as process:
        for line in process.stdout or ():
            last.append(line.rstrip())
            on_line(line.rstrip())
    if process.returncode:
        raise StepFailed(_failure(argv, process.returncode, last))


@contextmanager
def _started(
    argv: Sequence[str], environment: Mapping[str, str] | None, *, stderr: int, folder: Path | None = None
) -> Generator[subprocess.Popen[str]]:
    """A program in a process group of its own, which is killed with all its children unless it ended by itself."""
    try:
        process = subprocess.Popen(
            argv,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as reason:
        raise StepFailed(f"`{argv[0]}` cannot be run: {reason.strerror}") from reason
    with process:
        try:
            yield process
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _failure(argv: Sequence[str], code: int, lines: Sequence[str] | deque[str]) -> str:
    said = "\n".join(f"      {line}" for line in list(lines)[-_LAST_LINES:])
    return f"`{Path(argv[0]).name} {' '.join(argv[1:4])}` ended with {code}:\n{said}"
