"""A gateway that may not start says so, one line a cause, with exit code 78, before it opens or dials anything."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from regions.residency import DataClass
from regions.signature import sign_manifest
from runtime.gateway.app import create_app
from runtime.settings import START_REFUSED, StartError
from runtime.startup import load_manifest
from tests.fixtures.installed import Installed
from tests.fixtures.issuer import endpoint

Change = Callable[[Installed], Any]


@pytest.fixture
async def only_port() -> AsyncIterator[socket.socket]:
    """What the Manifest gives as the gateway's own address and as its database's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


async def start(stack: Installed) -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOOMSTEAD_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "runtime.gateway",
        env=environment | stack.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def another_key(stack: Installed) -> None:
    stack.write(sign_manifest(stack.manifest, ECKey.generate_key("P-256").as_dict(private=True)))


def tampered_boundary(stack: Installed) -> None:
    document = stack.document()
    document["manifest"]["boundary"]["rules"][0]["countries"].append("US")
    stack.write(document)


def signed_with_another_digest(stack: Installed) -> None:
    """By somebody who has the key and widens the Boundary."""
    wider = stack.manifest.boundary.model_copy(update={"data_classes": tuple(sorted(DataClass))})
    stack.sign(stack.manifest.model_copy(update={"boundary": wider}))


def another_signature(stack: Installed) -> None:
    document = stack.document()
    value = document["signature"]["value"]
    document["signature"]["value"] = ("A" if value[0] != "A" else "B") + value[1:]
    stack.write(document)


def another_place(stack: Installed) -> None:
    stack.sign(stack.manifest.model_copy(update={"stack": "production", "region": "us-east-1"}))


def without(variable: str) -> Change:
    return lambda stack: stack.environment.pop(variable)


def no_file(variable: str) -> Change:
    return lambda stack: Path(stack.environment[variable]).unlink()


CAUSES = {
    "another key": (another_key, ["is signed by key"]),
    "tampered boundary": (tampered_boundary, ["was changed after signing"]),
    "another signature": (another_signature, ["was changed after signing"]),
    "a digest that does not fit": (signed_with_another_digest, ["the Boundary has digest"]),
    "another place": (another_place, ["it is for stack 'production'", "it is for region 'us-east-1'"]),
    "no manifest": (no_file("LOOMSTEAD_MANIFEST"), ["manifest.json: the Manifest cannot be read"]),
    "no key": (no_file("LOOMSTEAD_MANIFEST_KEY"), ["manifest.public.jwk: the verifying key cannot be read"]),
    "no JSON": (lambda stack: (stack.folder / "manifest.json").write_text("{"), ["the Manifest is not JSON"]),
    "no region": (without("LOOMSTEAD_REGION"), ["LOOMSTEAD_REGION is not set"]),
}


@pytest.mark.parametrize(("change", "lines"), CAUSES.values(), ids=CAUSES.keys())
async def test_what_does_not_fit_ends_the_start(
    installed: Installed, only_port: socket.socket, change: Change, lines: list[str]
) -> None:
    port = only_port.getsockname()[1]
    endpoints = installed.manifest.endpoints.model_copy(
        update={"gateway": f"http://127.0.0.1:{port}", "primary_port": port}
    )
    elsewhere = Installed(
        installed.folder, installed.manifest.model_copy(update={"endpoints": endpoints}), installed.environment
    )
    elsewhere.sign(elsewhere.manifest)
    change(elsewhere)
    process = await start(elsewhere)
    out, err = await process.communicate()
    told = err.decode().splitlines()
    assert (process.returncode, out) == (START_REFUSED, b"")
    assert len(told) == len(lines)
    for line, said in zip(told, lines, strict=True):
        assert said in line
        assert "`pulumi up`" in line
    with pytest.raises(BlockingIOError):  # nobody has come
        only_port.accept()


@pytest.mark.parametrize("name", ["gateway.pgpass", "issuer.jwk", "ledger.key", "subjects.key", "webhook.key"])
async def test_a_secret_that_is_missing_ends_the_start_by_name(installed: Installed, name: str) -> None:
    (installed.folder / "secrets" / name).unlink()
    process = await start(installed)
    _, err = await process.communicate()
    assert process.returncode == START_REFUSED
    (line,) = err.decode().splitlines()
    assert str(installed.folder / "secrets" / name) in line
    assert "`pulumi up`" in line


@pytest.mark.parametrize("name", ["issuer.jwk", "ledger.key", "subjects.key", "webhook.key"])
def test_a_secret_that_is_none_is_named_and_not_told(installed: Installed, name: str) -> None:
    (installed.folder / "secrets" / name).write_text("canary-of-a-secret")
    with pytest.raises(StartError, match=name) as refused:
        create_app(installed.settings, installed.manifest)
    assert "canary" not in str(refused.value)


async def test_a_models_credential_or_translator_that_is_missing_ends_the_start(installed: Installed) -> None:
    given = endpoint("chat-small/theirs", "https://models.example/v1", credential="theirs")
    installed.sign(installed.manifest.model_copy(update={"models": (given,)}))
    process = await start(installed)
    _, err = await process.communicate()
    assert process.returncode == START_REFUSED
    assert "upstream.theirs.key: a model's credential cannot be read" in err.decode()
    installed.sign(installed.manifest.model_copy(update={"models": (endpoint("chat-small/claude", None),)}))
    process = await start(installed)
    _, err = await process.communicate()
    assert process.returncode == START_REFUSED
    assert "chat-small/claude: it is asked through the translator" in err.decode()
    assert "LOOMSTEAD_TRANSLATOR" in err.decode()


@pytest.mark.parametrize("content", [b"", b"two words", b"canary\r\nx-other: 1", "canär".encode(), b"canary\x00"])
def test_a_credential_that_is_no_word_is_named_and_not_told(installed: Installed, content: bytes) -> None:
    (installed.folder / "secrets" / "upstream.theirs.key").write_bytes(content)
    given = endpoint("chat-small/theirs", "https://models.example/v1", credential="theirs")
    manifest = installed.manifest.model_copy(update={"models": (given,)})
    with pytest.raises(StartError, match=r"upstream\.theirs\.key") as refused:
        create_app(installed.settings, manifest)
    assert "canar" not in str(refused.value)


async def test_what_fits_starts_answers_and_ends_when_told(installed: Installed) -> None:
    assert load_manifest(installed.settings) == installed.manifest
    process = await start(installed)
    async with httpx.AsyncClient(base_url=installed.url) as http:
        answer = await _first_answer(http)
        assert answer.json() == {"status": "alive"}
        assert "server" not in answer.headers
    process.send_signal(signal.SIGTERM)
    _, err = await process.communicate()
    assert process.returncode == -signal.SIGTERM  # which uvicorn passes on when all is closed
    assert "Traceback" not in err.decode()
    for secret in (installed.folder / "secrets").iterdir():
        content = secret.read_text().strip()
        assert content not in err.decode()
        assert json.dumps(content) not in err.decode()


async def _first_answer(http: httpx.AsyncClient) -> httpx.Response:
    async with asyncio.timeout(60):
        while True:
            try:
                return await http.get("/healthz")
            except httpx.ConnectError:
                await asyncio.sleep(0.05)


async def test_on_a_cluster_it_listens_beside_its_url(installed: Installed) -> None:
    own = installed.url.removeprefix("http://")
    service = installed.manifest.endpoints.model_copy(update={"gateway": "http://gateway.runtime.svc:8080"})
    installed.sign(installed.manifest.model_copy(update={"endpoints": service}))
    refused = await start(installed)
    _, err = await refused.communicate()
    assert refused.returncode == START_REFUSED
    assert "LOOMSTEAD_LISTEN is not set, and http://gateway.runtime.svc:8080" in err.decode()

    installed.environment["LOOMSTEAD_LISTEN"] = own
    process = await start(installed)
    async with httpx.AsyncClient(base_url=installed.url) as http:
        assert (await _first_answer(http)).json() == {"status": "alive"}
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == -signal.SIGTERM


async def test_a_database_elsewhere_without_an_authority_ends_the_start(installed: Installed) -> None:
    elsewhere = installed.manifest.endpoints.model_copy(update={"primary_host": "primary.example"})
    installed.sign(installed.manifest.model_copy(update={"endpoints": elsewhere}))
    process = await start(installed)
    _, err = await process.communicate()
    assert process.returncode == START_REFUSED
    assert "LOOMSTEAD_DATABASE_CA is not set" in err.decode()
