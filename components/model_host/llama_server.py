"""``python -m components.model_host.llama_server --weights FILE --port N --context N --alias NAME``.

llama.cpp's OpenAI-compatible server (PyPI ``xllamacpp``) on loopback, one request at a time: a fabric on one machine
has one model and few cores. Prompts are neither logged nor shown: its page and ``/slots`` are off.
"""

import argparse
import os
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

xllamacpp: Any = import_module("xllamacpp")
"""Compiled, without types."""


def parameters(weights: Path, port: int, context: int, alias: str) -> Any:
    """Settings for one request at a time on this machine's processors; ``context`` in tokens."""
    settings = xllamacpp.CommonParams()
    settings.model.path = str(weights)
    settings.model_alias = {alias}
    settings.hostnames, settings.port = ["127.0.0.1"], port
    settings.n_ctx, settings.n_parallel, settings.n_gpu_layers = context, 1, 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads()
    # The turns of a task share a long beginning; kept in the one slot, and in no second copy in memory.
    settings.cache_prompt, settings.cache_ram_mib = True, 0
    settings.use_jinja, settings.warmup = True, True
    settings.ui, settings.endpoint_slots = False, False
    settings.verbosity = 1
    return settings


def threads() -> int:
    """One fewer than the cores that this process may use: llama.cpp's threads wait for each other by spinning.

    Measured 2026-11-23 on two cores with the rest of a fabric at work: 8 to 17 tokens a second with one thread, 1 to 7
    with two.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m components.model_host.llama_server")
    parser.add_argument("--weights", required=True, type=Path)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--context", required=True, type=int)
    parser.add_argument("--alias", required=True)
    given = parser.parse_args()
    server = xllamacpp.Server(parameters(given.weights, given.port, given.context, given.alias))
    print(f"{given.alias} is served at {server.listening_address} by {threads()} threads", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
