"""The settings of the model server. That it answers is proved by the live tests, which have a model."""

import os
from pathlib import Path

import pytest

from components.model_host.llama_server import parameters, threads


def test_it_listens_on_loopback_alone_and_serves_one_request_at_a_time() -> None:
    settings = parameters(Path("/a folder/model.gguf"), 20001, 8192, "chat-small")

    assert settings.hostnames == ["127.0.0.1"]
    assert (settings.port, settings.n_ctx, settings.n_parallel) == (20001, 8192, 1)
    assert settings.model.path == "/a folder/model.gguf"
    assert settings.model_alias == {"chat-small"}


def test_prompts_are_shown_to_nobody() -> None:
    settings = parameters(Path("model.gguf"), 20001, 8192, "chat-small")

    assert (settings.ui, settings.endpoint_slots) == (False, False)


@pytest.mark.parametrize(("cores", "used"), [(1, 1), (2, 1), (8, 7)])
def test_it_leaves_a_core_to_the_rest_of_the_fabric(monkeypatch: pytest.MonkeyPatch, cores: int, used: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)

    assert threads() == used
