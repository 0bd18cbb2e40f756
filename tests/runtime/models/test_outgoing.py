"""What an endpoint is sent, and by which way."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from regions.catalogue import Signal
from regions.manifest import Manifest, ModelEndpoint
from runtime.errors import Refused
from runtime.models.outgoing import Outgoing, open_upstreams
from runtime.models.request import read_request
from runtime.models.upstream import HttpUpstream, Timeouts
from runtime.settings import StartError
from tests.fixtures.issuer import endpoint, manifest
from tests.runtime.models.conftest import ModelServer

TRANSLATED = endpoint("chat-small/claude", None)
MESSAGES = [{"role": "user", "content": "hi"}]


def outgoing(**members: Any) -> Outgoing:
    content = json.dumps({"model": "chat-small", "messages": MESSAGES, **members}).encode()
    return Outgoing(read_request(content), content, "/chat/completions")


def stack(*models: ModelEndpoint) -> Manifest:
    return manifest("http://127.0.0.1:1").model_copy(update={"models": models})


async def test_a_translated_endpoint_is_asked_by_its_name_over_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    server = ModelServer(socket=folder / "translator.sock")
    await server.start()
    try:
        upstream = open_upstreams(stack(TRANSLATED), {}, server.socket)[TRANSLATED.name]
        request = outgoing(temperature=0.5, cache_prompt=True)
        response = await upstream.post(request.path, request.body(TRANSLATED))
        assert response.status == 200
        response.close()
        await upstream.close()
    finally:
        await server.stop()
    assert server.heads[0].startswith(b"POST /chat/completions HTTP/1.1\r\nhost: translator\r\n")
    assert json.loads(server.bodies[0]) == {"model": TRANSLATED.name, "messages": MESSAGES, "temperature": 0.5}


async def test_a_translator_that_is_not_there_is_told(tmp_path: Path) -> None:
    upstream = open_upstreams(stack(TRANSLATED), {}, tmp_path / "no.sock")[TRANSLATED.name]
    with pytest.raises(Refused) as refused:
        await upstream.post("/chat/completions", b"{}")
    assert refused.value.code == "upstream_unavailable"


@pytest.mark.parametrize(
    "member",
    [
        "api_base", "base_url", "api_key", "aws_region_name", "aws_bedrock_runtime_endpoint", "vertex_location",
        "vertex_project", "custom_llm_provider", "fallbacks", "context_window_fallbacks", "mock_response", "model_list",
        "extra_body", "extra_headers", "metadata", "litellm_metadata", "callbacks", "num_retries", "inference_geo",
        "web_search_options", "store", "proxy", "timeout",
    ],
)  # fmt: skip
def test_what_would_steer_a_translator_is_refused(member: str) -> None:
    request = outgoing(**{member: "us-east-1"})
    with pytest.raises(Refused, match=member) as refused:
        request.body(TRANSLATED)
    assert refused.value.code == "body_invalid"
    assert member.encode() in request.body(endpoint("direct", "http://x/v1"))


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": {"url": "https://elsewhere.example/a.png"}}],
        [{"type": "image_url", "image_url": "https://elsewhere.example/a.png"}],
        [{"type": "image_url"}],
        [{"type": "file", "file": {"file_id": "gs://elsewhere/a.pdf"}}],
        [{"type": "document", "source": {"type": "url", "url": "https://elsewhere.example"}}],
        [{"url": "https://elsewhere.example"}],
        [1],
    ],
)
def test_what_a_translator_would_fetch_is_refused(content: list[Any]) -> None:
    with pytest.raises(Refused, match="fetched"):
        outgoing(messages=[{"role": "user", "content": content}]).body(TRANSLATED)


def test_a_tool_that_is_no_function_is_refused() -> None:
    for kind in ("mcp", "web_search_preview", "code_interpreter"):
        with pytest.raises(Refused, match="functions"):
            outgoing(tools=[{"type": kind, "server_url": "https://elsewhere.example"}]).body(TRANSLATED)


def test_pictures_in_the_message_and_functions_pass() -> None:
    data = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]
    schema = {"type": "object", "properties": {"type": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    sent = json.loads(outgoing(messages=[{"role": "user", "content": data}], tools=tools).body(TRANSLATED))
    assert (sent["messages"][0]["content"], sent["tools"]) == (data, tools)


def test_a_stream_is_asked_for_the_usage_that_says_where_it_was_made() -> None:
    request = outgoing(stream=True, stream_options={"x": 1})
    direct = endpoint("d", "http://x/v1", signal=Signal.INFERENCE_GEO, signal_values=("eu",))
    for asked in (direct, TRANSLATED):
        assert json.loads(request.body(asked))["stream_options"] == {"x": 1, "include_usage": True}
    assert b"include_usage" not in request.body(endpoint("d", "http://x/v1"))
    assert b"stream_options" not in outgoing().body(direct)


@pytest.mark.parametrize(
    ("provider", "header"),
    [("openai", b"authorization: Bearer s3cret\r\n"), ("azure", b"api-key: s3cret\r\n"), (None, None)],
)
async def test_a_credential_goes_where_the_provider_wants_it(
    model: ModelServer, provider: str | None, header: bytes | None
) -> None:
    given = endpoint("chat-small/a", model.url, provider=provider, credential="key" if provider else None)
    upstream = open_upstreams(stack(given), {"key": "s3cret"}, None)[given.name]
    (await upstream.post("/chat/completions", b"{}")).close()
    await upstream.close()
    assert (header or b"\r\nhost: ") in model.heads[0]
    assert (b"s3cret" in model.heads[0]) is (provider is not None)


def test_without_a_translator_no_translated_endpoint_starts() -> None:
    models = (TRANSLATED, endpoint("chat-small/gemini", None), endpoint("chat-small/here", "http://127.0.0.1:1/v1"))
    with pytest.raises(StartError) as refused:
        open_upstreams(stack(*models), {}, None)
    told = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in told] == [
        "model endpoint chat-small/claude",
        "model endpoint chat-small/gemini",
    ]
    assert all("LOOMSTEAD_TRANSLATOR" in line for line in told)


async def test_a_connection_that_fails_at_once_is_tried_once_more(model: ModelServer) -> None:
    upstream = HttpUpstream(model.url, timeouts=Timeouts(retry=2))
    await model.stop()
    asked = asyncio.create_task(upstream.post("/chat/completions", b"{}"))
    await asyncio.sleep(0.05)
    await model.start()
    (await asked).close()
    await upstream.close()
    assert model.bodies == [b"{}"]
