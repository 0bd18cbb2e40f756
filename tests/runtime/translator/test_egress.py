"""A request that is not its endpoint's does not leave, and no other host is so much as looked up."""

import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from runtime.translator.egress import ASKED, Elsewhere, OnlyTo
from runtime.translator.wire import Wire
from tests.fakes.providers import Providers


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = OnlyTo()
    async with httpx.AsyncClient(transport=transport) as http:
        yield http
    await transport.close()


@pytest.fixture
def wire(providers: Providers) -> Wire:
    providers.received.clear()
    host = providers.url.removeprefix("http://")
    return Wire("anthropic/m", host, path="/eu/", body={"model": "m", "inference_geo": "us"})


async def send(client: httpx.AsyncClient, wire: Wire, path: str = "/eu/messages", **body: Any) -> httpx.Response:
    ASKED.set(wire)
    return await client.post(f"http://{wire.host}{path}", json={"model": "m", "inference_geo": "us", **body})


async def test_a_request_that_is_the_endpoints_leaves(client: httpx.AsyncClient, wire: Wire) -> None:
    assert (await send(client, wire)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/us/messages", {}, "path '/us/messages', the Manifest says '/eu/'"),
        ("/eu/messages", {"inference_geo": "global"}, "inference_geo 'global', the Manifest says 'us'"),
        ("/eu/messages", {"inference_geo": None}, "inference_geo None, the Manifest says 'us'"),
        ("/eu/messages", {"model": "another"}, "model 'another', the Manifest says 'm'"),
    ],
)
async def test_another_path_or_body_does_not(
    client: httpx.AsyncClient, providers: Providers, wire: Wire, path: str, body: dict[str, Any], said: str
) -> None:
    with pytest.raises(Elsewhere, match=said):
        await send(client, wire, path, **body)
    assert providers.received == []


async def test_another_port_of_the_same_host_does_not(client: httpx.AsyncClient, wire: Wire) -> None:
    ASKED.set(wire)
    with pytest.raises(Elsewhere, match="host"):
        await client.post("http://127.0.0.1:1/eu/messages", json={})


async def test_nothing_leaves_while_no_endpoint_is_asked(client: httpx.AsyncClient, wire: Wire) -> None:
    with pytest.raises(Elsewhere, match="no endpoint is asked"):
        await client.post(f"http://{wire.host}/eu/messages", json={})


async def test_a_client_that_closes_leaves_the_others_their_connections(wire: Wire) -> None:
    transport = OnlyTo()
    for _ in range(2):
        async with httpx.AsyncClient(transport=transport) as http:
            assert (await send(http, wire)).status_code == 200
    await transport.close()


def test_the_fence_lets_its_hosts_be_looked_up_and_no_other() -> None:
    program = """
import socket
from runtime.translator.egress import Elsewhere, fence
fence({"bedrock-runtime.eu-central-1.amazonaws.com"})
for host in ("localhost", "bedrock-runtime.eu-central-1.amazonaws.com", "sts.eu-central-1.amazonaws.com",
             "bedrock-runtime.us-east-1.amazonaws.com", "sts.evil.example", "sts.evilamazonaws.com", "1.1.1.1"):
    try:
        socket.getaddrinfo(host, 443)
        print("yes", host)
    except socket.gaierror:
        print("yes", host)
    except Elsewhere:
        print("no", host)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.splitlines() == [
        "yes localhost",
        "yes bedrock-runtime.eu-central-1.amazonaws.com",
        "yes sts.eu-central-1.amazonaws.com",
        "no bedrock-runtime.us-east-1.amazonaws.com",
        "no sts.evil.example",
        "no sts.evilamazonaws.com",
        "no 1.1.1.1",
    ]
