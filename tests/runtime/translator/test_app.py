"""What leaves the translator and what it answers, with the real LiteLLM in its process.

The providers are fakes on loopback; a call for a public host cannot be made here, and what is shown of one is that it
was refused before it left.
"""

import json
import stat
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.fakes.providers import Providers
from tests.runtime.translator.conftest import PROFILE

HELLO = [{"role": "user", "content": "hello"}]


def ask(http: httpx.Client, candidate: str, **members: Any) -> httpx.Response:
    body = {"model": f"chat-small/{candidate}", "messages": HELLO, "max_tokens": 10, **members}
    return http.post("/chat/completions", json=body)


def said(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]


def test_only_its_owner_may_use_the_socket(socket: Path) -> None:
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("candidate", "path"),
    [
        ("anthropic", "/v1/messages"),
        ("azure", "/anthropic/v1/messages"),
        ("mantle", "/anthropic/v1/messages"),
        ("bedrock", f"/model/{PROFILE.replace(':', '%3A')}/converse"),
    ],
)
def test_each_provider_is_asked_in_its_own_format_and_answers_in_openais(
    http: httpx.Client, providers: Providers, candidate: str, path: str
) -> None:
    answer = ask(http, candidate)

    assert said(answer) == "Answer"
    assert answer.json()["usage"]["total_tokens"] == 5
    assert [received.path for received in providers.received] == [path]


def test_a_geography_is_asked_for_and_told_of(http: httpx.Client, providers: Providers) -> None:
    assert ask(http, "anthropic").json()["usage"]["inference_geo"] == "us"
    ask(http, "anthropic-global")

    assert [received.body.get("inference_geo") for received in providers.received] == ["us", None]


def test_the_credential_is_sent_where_it_is_for(http: httpx.Client, providers: Providers) -> None:
    ask(http, "anthropic")

    assert providers.received[0].headers["x-api-key"] == "a provider's key"


@pytest.mark.parametrize("candidate", ["anthropic", "bedrock"])
def test_a_stream_comes_as_openais_events_with_its_usage(http: httpx.Client, candidate: str) -> None:
    answer = ask(http, candidate, stream=True, stream_options={"include_usage": True})

    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert done == "[DONE]"
    chunks = [json.loads(event) for event in events]
    deltas = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    assert "".join(deltas) == "Answer"
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")] == [2]


def test_a_streamed_answer_tells_its_geography_too(http: httpx.Client) -> None:
    answer = ask(http, "anthropic", stream=True, stream_options={"include_usage": True})

    assert '"inference_geo":"us"' in answer.text


def test_openais_own_client_understands_the_answers(socket: Path, http: httpx.Client) -> None:
    client = openai.OpenAI(base_url="http://translator", api_key="none", http_client=http, max_retries=0)
    whole = client.chat.completions.create(model="chat-small/bedrock", messages=[{"role": "user", "content": "hello"}])
    assert whole.choices[0].message.content == "Answer"
    with pytest.raises(openai.NotFoundError, match="no endpoint"):
        client.chat.completions.create(model="chat-small/none", messages=[{"role": "user", "content": "hello"}])


def test_a_prompt_is_completed_and_a_text_embedded(http: httpx.Client) -> None:
    completed = http.post("/completions", json={"model": "chat-small/bedrock", "prompt": "hello", "max_tokens": 10})
    assert completed.json()["choices"][0]["text"] == "Answer"
    embedded = http.post("/embeddings", json={"model": "embed/titan", "input": ["hello"]})
    assert embedded.json()["data"][0]["embedding"] == [0.25, 0.5]


@pytest.mark.parametrize("status", [400, 401, 429, 503])
def test_an_upstreams_refusal_keeps_its_status(http: httpx.Client, providers: Providers, status: int) -> None:
    providers.status = status
    answer = ask(http, "anthropic")

    assert answer.status_code == status, answer.text
    assert {"message", "type", "code"} <= answer.json()["error"].keys()
    assert len(providers.received) == 1, "nothing is tried again here: the gateway decides"


class TestLiteLLMsOwnMistakes:
    """anchors-gateway.md §0: regions are labels there, and addresses are rewritten."""

    def test_a_vertex_region_that_it_rewrites_ends_in_a_refusal_and_in_no_call(self, http: httpx.Client) -> None:
        answer = ask(http, "vertex-moved")

        assert answer.status_code == 451
        assert answer.json()["error"]["code"] == "outside_boundary"
        assert "us-central1-aiplatform.googleapis.com" in answer.text, "where LiteLLM 1.106.2 would have gone"
        assert "europe-west1-aiplatform.googleapis.com" in answer.text

    def test_an_address_from_its_environment_is_refused(self, http: httpx.Client, providers: Providers) -> None:
        """AWS_BEDROCK_RUNTIME_ENDPOINT is set for this process, and LiteLLM takes it before the region it was given."""
        answer = ask(http, "bedrock-public")

        assert answer.status_code == 451
        assert "bedrock-runtime.eu-central-1.amazonaws.com" in answer.text
        assert providers.received == []

    @pytest.mark.parametrize(
        "members",
        [
            {"aws_region_name": "us-east-1"},
            {"aws_bedrock_runtime_endpoint": "https://elsewhere.example"},
            {"api_base": "https://elsewhere.example", "base_url": "https://elsewhere.example"},
            {"allowed_model_region": "us", "region_name": "us"},
            {"fallbacks": [{"model": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"}]},
            {"extra_headers": {"x-elsewhere": "yes"}, "extra_body": {"modelId": "us.other"}},
            {"custom_llm_provider": "anthropic", "mock_response": "made up"},
        ],
        ids=lambda members: next(iter(members)),
    )
    def test_nothing_in_a_body_moves_a_call(
        self, http: httpx.Client, providers: Providers, members: dict[str, Any]
    ) -> None:
        plain, moved = ask(http, "bedrock"), ask(http, "bedrock", **members)

        assert said(moved) == said(plain)
        one, other = providers.received
        assert (one.path, one.body) == (other.path, other.body)
        assert "x-elsewhere" not in other.headers
        assert "/eu-central-1/bedrock/" in other.headers["authorization"]

    def test_what_a_message_links_to_is_not_fetched(self, http: httpx.Client, providers: Providers) -> None:
        def see(url: str) -> httpx.Response:
            picture = {"type": "image_url", "image_url": {"url": url}}
            return ask(http, "bedrock", messages=[{"role": "user", "content": [picture]}])

        far, near = see("https://pictures.example/picture.png"), see(f"{providers.url}/picture.png")

        assert far.status_code == 451
        assert "pictures.example" in far.text
        assert near.status_code >= 400
        assert providers.received == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"model":"chat-small/bedrock"}', 400),
        (b'{"model":"chat-small/own","messages":[]}', 404),
        (b'{"model":"bedrock/us.anthropic.claude-3","messages":[]}', 404),
    ],
)
def test_a_request_for_no_endpoint_is_refused(
    http: httpx.Client, providers: Providers, body: bytes, status: int
) -> None:
    answer = http.post("/chat/completions", content=body)

    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert providers.received == []
