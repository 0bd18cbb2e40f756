"""The application as one: that it says whether it can work, and that every error has one shape and tells no secret."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import uvicorn

from runtime.gateway.app import create_app
from tests.fixtures.installed import Installed
from tests.fixtures.postgres import Database, superuser

CANARY = "4711-canary"


@pytest.fixture
async def http(installed: Installed) -> AsyncIterator[httpx.AsyncClient]:
    """To the running gateway, as the operator."""
    app = create_app(installed.settings, installed.manifest)
    port = httpx.URL(installed.url).port or 0
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none", lifespan="on"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    async with installed.operator() as client:
        yield client
    server.should_exit = True
    await serving


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The document, if it is one (RFC 9457) and says what to do."""
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == answer.status_code
    assert told["type"] == f"https://loomstead.dev/problems/{told['code']}"
    assert all(told[member] for member in ("title", "detail", "rule", "remedy"))
    return told


async def test_the_process_answers_while_what_it_needs_is_named(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz", auth=None)).json() == {"status": "alive"}
    ready = await http.get("/readyz", auth=None)
    assert (ready.status_code, ready.json()) == (503, {"status": "missing", "missing": ["orchestrator"]})


async def test_a_database_that_is_away_is_named_and_comes_back(http: httpx.AsyncClient, database: Database) -> None:
    admin = await superuser(database)
    try:
        await admin.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT 0")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'")
        assert (await http.get("/readyz", auth=None)).json()["missing"] == ["database", "orchestrator"]
        assert (await http.get("/healthz", auth=None)).status_code == 200
        await admin.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT -1")
        async with asyncio.timeout(20):
            while "database" in (await http.get("/readyz", auth=None)).text:  # noqa: ASYNC110  nothing tells it
                await asyncio.sleep(0.05)
    finally:
        await admin.close()


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", (404, "not_found")),
        ("GET", "/v1/models", (404, "not_found")),
        ("DELETE", "/tasks", (405, "method_not_allowed")),
        ("GET", "/oauth/token", (405, "method_not_allowed")),
        ("GET", "/tasks/01UNKNOWN", (404, "task_unknown")),
        ("GET", "/agents/nobody", (404, "agent_unknown")),
        ("POST", "/triggers/nobody/mail", (401, "webhook_signature_invalid")),
        ("POST", "/v1/chat/completions", (401, "token_wrong_audience")),
        ("GET", "/approvals?state=sometime", (422, "body_invalid")),
    ],
)
async def test_every_refusal_has_one_shape(
    http: httpx.AsyncClient, method: str, path: str, expected: tuple[int, str]
) -> None:
    told = problem(await http.request(method, path))
    assert (told["status"], told["code"]) == expected


@pytest.mark.parametrize("path", ["/tasks", "/approvals", "/agents"])
async def test_without_a_token_nothing_is_shown(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path, auth=None)
    assert problem(answer)["code"] == "token_missing"
    assert answer.headers["www-authenticate"] == 'Bearer, DPoP algs="ES256"'


async def test_a_failure_inside_tells_its_kind_and_nothing_else(
    http: httpx.AsyncClient, owner_pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await owner_pool.execute(f'ALTER TABLE tasks RENAME TO "{CANARY}"')
    answer = await http.get("/tasks")
    told = problem(answer)
    assert (told["status"], told["code"]) == (500, "internal")
    assert "UndefinedTableError" in told["detail"]
    assert "relation" not in answer.text
    assert CANARY not in answer.text
    assert "UndefinedTableError" in caplog.text


async def test_what_stands_in_the_forwarded_headers_is_nobodys_word(http: httpx.AsyncClient) -> None:
    told = await http.get("/.well-known/openid-configuration", headers={"host": "evil", "x-forwarded-host": "evil"})
    assert "evil" not in told.text
