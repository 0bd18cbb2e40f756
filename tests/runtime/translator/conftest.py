"""The translator's process with the real LiteLLM, before providers on loopback; one a session: it loads slowly."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey

from regions.catalogue import Kind, Protocol, Signal
from regions.manifest import Manifest
from regions.signature import sign_manifest
from tests.fakes.providers import Providers
from tests.fixtures.issuer import endpoint, manifest

PROFILE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
GEMINI, DEEPSEEK = "gemini-2.5-flash", "deepseek-ai/deepseek-v3.1-maas"
SECONDS = 60


def translated(name: str, provider: str, region: str, model: str, via: str, **more: Any) -> Any:
    described = {"provider": provider, "region": region, "upstream_model": model, "via": via, **more}
    return endpoint(name, described.pop("url", None), protocol=Protocol.TRANSLATED, **described)


def published(url: str) -> Manifest:
    """What the session's process serves; those with ``url`` reach the providers on loopback."""
    opus, key = "claude-opus-4-8", {"credential": "provider-key"}
    geography = {"signal": Signal.INFERENCE_GEO, "signal_values": ("us",)}
    titan = {"kind": Kind.EMBEDDINGS, "url": url}
    models = (
        translated("anthropic", "anthropic", "api.anthropic.com", opus, "us", url=url, **key, **geography),
        translated("anthropic-global", "anthropic", "api.anthropic.com", opus, "global", url=url, **key),
        translated("azure", "azure-anthropic", "swedencentral", opus, "GlobalStandard", url=url, **key),
        translated("bedrock", "bedrock", "eu-central-1", PROFILE, "eu", url=url),
        translated("bedrock-public", "bedrock", "eu-central-1", PROFILE, "eu"),
        translated("mantle", "bedrock", "eu-north-1", f"anthropic.{opus}", "mantle", url=url, **key),
        translated("vertex-moved", "vertex", "europe-west1", DEEPSEEK, "regional", credential="google"),
        translated("embed/titan", "bedrock", "eu-central-1", "amazon.titan-embed-text-v2:0", "in-region", **titan),
        endpoint("own", "http://127.0.0.1:9/v1"),
    )
    return manifest("http://127.0.0.1:9").model_copy(update={"models": models})


@dataclass(frozen=True)
class Place:
    """A folder as the stack's home is: signed Manifest, its public key, credentials."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LOOMSTEAD_STACK": "local",
            "LOOMSTEAD_REGION": "local",
            "LOOMSTEAD_MANIFEST": str(self.folder / "manifest.json"),
            "LOOMSTEAD_MANIFEST_KEY": str(self.folder / "manifest.public.jwk"),
            "LOOMSTEAD_CREDENTIALS": str(self.folder / "credentials"),
            "LOOMSTEAD_TRANSLATOR": "translator.sock",
        }

    def publish(self, what: Manifest) -> None:
        key = ECKey.generate_key("P-256")
        (self.folder / "manifest.json").write_text(json.dumps(sign_manifest(what, key.as_dict(private=True))))
        (self.folder / "manifest.public.jwk").write_text(json.dumps(key.as_dict(private=False)))

    def keep(self, name: str, secret: str) -> None:
        (self.folder / "credentials").mkdir(exist_ok=True)
        (self.folder / "credentials" / f"upstream.{name}.key").write_text(f"{secret}\n")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self, *argv: str, **more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, *(argv or ("-m", "runtime.translator"))]
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env={**self.environment, **more}, stdout=log, stderr=subprocess.STDOUT
            )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="session")
def providers() -> Iterator[Providers]:
    with Providers() as server:
        yield server


@pytest.fixture(scope="session")
def socket(tmp_path_factory: pytest.TempPathFactory, providers: Providers) -> Iterator[Path]:
    """Where the session's translator listens."""
    place = Place(tmp_path_factory.mktemp("home"))
    place.publish(published(providers.url))
    place.keep("provider-key", "a provider's key")
    place.keep("google", json.dumps(_service_account(providers.url)))
    aws = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    process = place.start(**aws, AWS_BEDROCK_RUNTIME_ENDPOINT=providers.url)
    path = place.folder / "translator.sock"
    try:
        _wait(place, process)
        yield path
    finally:
        process.terminate()
        process.wait(SECONDS)


def _wait(place: Place, process: subprocess.Popen[bytes]) -> None:
    for _ in range(SECONDS * 10):
        if "translator ready" in place.log:
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(place.log)


@pytest.fixture
def http(socket: Path, providers: Providers) -> Iterator[httpx.Client]:
    """Asks the translator; the providers have forgotten what the test before sent them."""
    providers.received.clear()
    providers.status = 200
    transport = httpx.HTTPTransport(uds=str(socket))
    with httpx.Client(transport=transport, base_url="http://translator", timeout=SECONDS) as client:
        yield client


def _service_account(url: str) -> dict[str, str]:
    """A Google service account of nobody, whose token endpoint is on loopback."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account",
        "project_id": "nobody",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "nobody@nobody.example",
        "token_uri": f"{url}/token",
    }
