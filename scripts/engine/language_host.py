"""Pulumi's Python language host, for an engine built from Go modules: the official one is not among them.

The engine starts it through the launcher ``pulumi-language-python`` and talks gRPC to the port it prints. The server
that the SDK has for inline programs runs the program in this process; this module adds what an engine asks of a
program in a folder. That server is private to the SDK (``pulumi.automation._server``): its version is pinned.
Dependencies are uv's affair: nothing is installed here.
"""

# ruff: noqa: N802 (gRPC's method names)

import gc
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent import futures
from functools import partial
from importlib.metadata import distributions, version
from pathlib import Path
from typing import IO

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi import RunError
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

_WORKERS = 16
_PARENT_CHECK_SECONDS = 1.0
_NOTHING_TO_INSTALL = b"The environment is made by scripts/up from uv.lock: nothing to install here.\n"


class LanguageHost(LanguageServer):
    """``engine`` is the address of the engine that started this host."""

    def __init__(self, engine: str) -> None:
        super().__init__(_no_program)
        self._engine = engine

    def Handshake(self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext):
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext):
        return plugin_pb2.PluginInfo(version=version("pulumi"))

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext):
        """Run ``stacks/__main__.py`` as ``__main__``, from its own folder."""
        folder = request.info.program_directory
        os.chdir(request.pwd)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        self.program = partial(_run_program, Path(folder, request.info.entry_point))
        request.args[:] = [self._engine]
        response = super().Run(request, context)
        response.bail = bool(response.error)  # it is logged by now: without this the engine would say it twice
        return response

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ):
        """What ``pulumi about`` lists: Pulumi's own packages, or all when it asks for the transitive ones."""
        found = {found.name: found.version for found in distributions()}
        names = [name for name in sorted(found) if request.transitiveDependencies or name.startswith("pulumi")]
        dependencies = [language_pb2.DependencyInfo(name=name, version=found[name]) for name in names]
        return language_pb2.GetProgramDependenciesResponse(dependencies=dependencies)

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        yield language_pb2.InstallDependenciesResponse(stdout=_NOTHING_TO_INSTALL)

    def RuntimeOptionsPrompts(self, request: language_pb2.RuntimeOptionsRequest, context: grpc.ServicerContext):
        return language_pb2.RuntimeOptionsResponse()

    def Cancel(self, request: Empty, context: grpc.ServicerContext):
        return Empty()

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a plugin written in Python, such as a policy pack, and pass on what it writes as it comes."""
        process = subprocess.Popen(
            _plugin_argv(request),
            cwd=request.pwd,
            env=dict(variable.split("=", 1) for variable in request.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.terminate)
        lines: queue.Queue[language_pb2.RunPluginResponse | None] = queue.Queue()
        for stream, response in (
            (process.stdout, lambda line: language_pb2.RunPluginResponse(stdout=line)),
            (process.stderr, lambda line: language_pb2.RunPluginResponse(stderr=line)),
        ):
            threading.Thread(target=_pump, args=(stream, response, lines), daemon=True).start()
        for _ in range(2):
            yield from iter(lines.get, None)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def _no_program() -> None:
    """Stands where ``Run`` puts the program."""


def _run_program(program: Path) -> None:
    """Run the program; its own traceback, without the SDK's frames, is what the user sees of an exception."""
    try:
        runpy.run_path(str(program), run_name="__main__")
    except RunError:
        raise
    except Exception as error:
        raise RunError("Program failed with an unhandled exception:\n" + traceback.format_exc()) from error


def _plugin_argv(request: language_pb2.RunPluginRequest) -> list[str]:
    """As the official host does: a policy pack is started by ``pulumi.policy``, with the engine's address first."""
    python, program, args = [sys.executable, "-u"], request.info.program_directory, list(request.args)
    if request.kind == "analyzer":
        return [*python, "-m", "pulumi.policy", *args[:1], program, *args[1:]]
    return [*python, program, *args]


def _pump(
    stream: IO[bytes],
    response: Callable[[bytes], language_pb2.RunPluginResponse],
    lines: queue.Queue[language_pb2.RunPluginResponse | None],
) -> None:
    for line in stream:
        lines.put(response(line))
    lines.put(None)


def _end_with(parent: int) -> None:
    """An engine that is killed cannot stop its plugins: end when this process has been given to another parent."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(0)


def main() -> None:
    """Serve on a free loopback port, printed for the engine, whose address is the last argument."""
    # The engine stops its plugins by SIGINT. gRPC's threads make an orderly exit slow and worth nothing here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    gc.disable()  # the process lives for one program, and half of its time went into looking through the SDKs' classes
    server = grpc.server(futures.ThreadPoolExecutor(_WORKERS))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(sys.argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
