"""A stack with a provider's model: the translator runs beside the gateway, and has what it needs and no more."""

import os
import stat
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from tests.fixtures.fabric import LiveFabric

CLAUDE = {"provider": "anthropic", "model": "claude-opus-4-8", "region": "api.anthropic.com", "sku": "us"}


@pytest.fixture(scope="module")
def translating(plan: Callable[[], LiveFabric]) -> Iterator[LiveFabric]:
    """A fabric of its own: only in this one there is a provider's model."""
    fabric = plan()
    public = {"candidates": {"claude": {"managed": CLAUDE, "data_classes": ["public"]}}}
    fabric.write_spec(models={**fabric.spec["models"], "chat-public": public})
    done = fabric.raised()
    try:
        assert done.code == 0, done.said
        yield fabric
    finally:
        fabric.destroy()


def test_it_answers_its_owner_alone(translating: LiveFabric) -> None:
    socket = translating.home / "translator.sock"

    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://translator") as http:
        assert http.get("/healthz").json() == {"status": "alive"}
        answer = http.post("/chat/completions", json={"model": "chat-public/none", "messages": []})
        assert "chat-public/claude" in answer.json()["error"]["message"]


def test_it_is_told_of_no_secret_but_the_models(translating: LiveFabric) -> None:
    environment = psutil.Process(translating.supervisor.status("translator").pid).environ()

    assert {name for name in environment if name.startswith("LOOMSTEAD_")} == {
        *("LOOMSTEAD_HOME", "LOOMSTEAD_STACK", "LOOMSTEAD_PROCESS", "LOOMSTEAD_REVISION", "LOOMSTEAD_REGION"),
        *("LOOMSTEAD_MANIFEST", "LOOMSTEAD_MANIFEST_KEY", "LOOMSTEAD_CREDENTIALS", "LOOMSTEAD_TRANSLATOR"),
    }
    assert not {name for name in os.environ if name.startswith("AWS_")} & environment.keys()


def test_the_manifest_says_what_its_replies_have_to(translating: LiveFabric) -> None:
    (claude,) = (model for model in translating.manifest.models if model.name == "chat-public/claude")

    assert (claude.countries, claude.url, claude.via) == (("US",), None, "us")
    assert claude.signal_values == ("us",)
