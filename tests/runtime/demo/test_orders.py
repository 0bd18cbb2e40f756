"""The demo's order system: who may call it, what it does once, and what it never does."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from joserfc.jwk import ECKey

from runtime.demo.orders.app import create_app
from runtime.demo.orders.settings import Settings, read_settings
from runtime.identity.tokens import CoreClaims, mint
from runtime.settings import StartError
from tests.fixtures.issuer import Stack
from tests.fixtures.orders import Orders, issuer_client

KEY = "a key of one write"


@pytest.fixture
def call(orders: Orders, stack: Stack) -> Any:
    """Calls an operation as the gateway does."""

    async def send(method: str, path: str, tool: str, key: str | None = None, **options: Any) -> httpx.Response:
        token = stack.identity.core_token(orders.settings.url, "orders-rw", "txn-1", tool)
        headers = {"authorization": f"Bearer {token}"} | ({"idempotency-key": key} if key else {})
        return await orders.http.request(method, path, headers=headers, **options)

    return send


async def test_an_order_is_read_without_its_customers_address(call: Any) -> None:
    answer = await call("GET", "/orders/4711", "orders.get")

    assert answer.status_code == 200
    assert answer.json() == {
        "id": "4711",
        "customer": "Nordwind Maschinen GmbH",
        "sku": "PUMP-3",
        "status": "delayed",
        "total_cents": 12900,
    }


async def test_stock_is_read(call: Any) -> None:
    assert (await call("GET", "/stock/PUMP-3", "stock.check")).json() == {"sku": "PUMP-3", "available": 4}


@pytest.mark.parametrize(
    ("method", "path", "tool", "status"),
    [
        ("GET", "/orders/999", "orders.get", 404),
        ("GET", "/stock/NONE-1", "stock.check", 404),
        ("GET", "/orders/4711x", "orders.get", 422),
        ("POST", "/orders/999/cancellation", "orders.cancel", 404),
        ("POST", "/orders/4703/cancellation", "orders.cancel", 409),
        ("POST", "/orders/4722/cancellation", "orders.cancel", 409),
    ],
)
async def test_what_cannot_be_done_is_a_problem(call: Any, method: str, path: str, tool: str, status: int) -> None:
    answer = await call(method, path, tool, KEY)

    assert answer.status_code == status
    assert set(answer.json()) == {"code", "detail"}


async def test_the_readers_role_sees_no_table(orders: Orders) -> None:
    host, port = orders.settings.replica
    reader = await asyncpg.connect(
        host=host,
        port=port,
        database=orders.settings.database,
        user="agent_reader",
        passfile=orders.settings.secrets / "agent_reader.pgpass",
    )
    for query in ("SELECT * FROM public.customers", "SELECT * FROM public.orders", "DELETE FROM agent.stock"):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
            await reader.execute(query)
    await reader.close()


async def test_a_refund_with_the_same_key_is_one_refund(call: Any, orders: Orders) -> None:
    answers = await asyncio.gather(
        *(call("POST", "/orders/4711/refund", "orders.refund", KEY, json={"amount_cents": 12900}) for _ in range(5))
    )

    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(200, "refunded")] * 5
    assert await orders.refunds() == [("4711", 12900)]


async def test_the_same_key_with_another_request_is_refused(call: Any, orders: Orders) -> None:
    await call("POST", "/orders/4711/refund", "orders.refund", KEY, json={"amount_cents": 100})

    for path, body in (("/orders/4711/refund", {"amount_cents": 200}), ("/orders/4712/refund", {"amount_cents": 100})):
        answer = await call("POST", path, "orders.refund", KEY, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "key_conflict")
    assert await orders.refunds() == [("4711", 100)]


async def test_an_order_is_refunded_once_and_at_most_its_total(call: Any, orders: Orders) -> None:
    path = "/orders/4711/refund"

    assert (await call("POST", path, "orders.refund", f"{KEY} 1", json={"amount_cents": 12901})).status_code == 422
    assert (await call("POST", path, "orders.refund", f"{KEY} 2", json={"amount_cents": 6000})).status_code == 200
    assert (await call("POST", path, "orders.refund", f"{KEY} 3", json={"amount_cents": 6000})).status_code == 409
    assert await orders.refunds() == [("4711", 6000)]


async def test_a_refused_write_is_answered_the_same_again(call: Any) -> None:
    first = await call("POST", "/orders/4703/cancellation", "orders.cancel", KEY)

    assert (await call("POST", "/orders/4703/cancellation", "orders.cancel", KEY)).json() == first.json()


async def test_a_body_outside_the_schema_changes_nothing(call: Any, orders: Orders) -> None:
    outside = [{"amount_cents": value} for value in (1.5, 100.0, True, "100", 0, -5, None)]
    for body in (*outside, {"amount_cents": 100, "bcc": "x"}, {}):
        answer = await call("POST", "/orders/4711/refund", "orders.refund", KEY, json=body)
        assert answer.status_code == 422, body

    assert await orders.refunds() == []


async def test_a_write_needs_a_key(call: Any, orders: Orders) -> None:
    answer = await call("POST", "/orders/4711/cancellation", "orders.cancel")

    assert answer.status_code == 422
    assert await orders.status("4711") == "delayed"


def _token(stack: Stack, orders: Orders, key: ECKey | None = None, **changes: Any) -> str:
    now = int(time.time())
    claims = CoreClaims(
        iss=stack.identity.issuer,
        aud=orders.settings.url,
        sub="scope:local:orders-rw",
        txn="txn-1",
        tool="orders.get",
        jti="a jti",
        iat=now,
        nbf=now,
        exp=now + 60,
    )
    return mint(msgspec.structs.replace(claims, **changes), key or stack.identity.keys.signing)


async def _read(orders: Orders, token: str | None) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return await orders.http.get("/orders/4711", headers=headers)


async def test_a_token_that_is_not_for_this_call_is_refused(orders: Orders, stack: Stack) -> None:
    cases: tuple[dict[str, Any], ...] = (
        {"iss": "http://127.0.0.1:1"},
        {"aud": "http://127.0.0.1:2"},
        {"tool": "stock.check"},
        {"sub": "scope:local:billing-rw"},
        {"sub": "orders-rw"},
        {"iat": 1, "nbf": 1, "exp": 61},
        {"exp": 9_999_999_999},
        {"key": ECKey.generate_key("P-256")},
    )
    for changes in cases:
        answer = await _read(orders, _token(stack, orders, **changes))
        assert answer.status_code == 401, changes

    assert (await _read(orders, _token(stack, orders))).status_code == 200


async def test_a_token_is_needed_and_good_once(orders: Orders, stack: Stack) -> None:
    token = _token(stack, orders)

    assert (await _read(orders, None)).status_code == 401
    assert (await _read(orders, token)).status_code == 200
    assert (await _read(orders, token)).status_code == 401


async def test_it_answers_503_until_its_database_is_there(orders_settings: Settings, stack: Stack) -> None:
    nowhere = replace(orders_settings, primary=("127.0.0.1", 1))
    app = create_app(nowhere, issuer_client(stack))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=nowhere.url)
    async with app.router.lifespan_context(app), client as http:
        health = await http.get("/healthz")
        token = stack.identity.core_token(nowhere.url, "orders-rw", "txn-1", "orders.get")
        read = await http.get("/orders/4711", headers={"authorization": f"Bearer {token}"})

    assert (health.status_code, read.status_code) == (503, 503)


async def test_a_second_start_keeps_what_was_written(call: Any, orders: Orders, stack: Stack) -> None:
    await call("POST", "/orders/4711/cancellation", "orders.cancel", KEY)

    again = create_app(orders.settings, issuer_client(stack))
    async with again.router.lifespan_context(again):
        await again.state.store.opened.wait()

    assert await orders.status("4711") == "cancelled"


async def test_keys_are_asked_for_when_the_issuer_comes_up_late(orders_settings: Settings, stack: Stack) -> None:
    asked: list[httpx.Request] = []

    def issuer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) == 1:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json=stack.identity.keys.jwks())

    app = create_app(orders_settings, httpx.AsyncClient(transport=httpx.MockTransport(issuer)))
    async with app.router.lifespan_context(app):
        await app.state.store.opened.wait()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=orders_settings.url) as http:
            statuses = []
            for _ in range(2):
                token = stack.identity.core_token(orders_settings.url, "orders-rw", "txn-1", "orders.get")
                answer = await http.get("/orders/4711", headers={"authorization": f"Bearer {token}"})
                statuses.append(answer.status_code)

    assert statuses == [503, 200]


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(StartError, match="ORDERS_REPLICA is not set"):
        read_settings({"ORDERS_PORT": "1", "ORDERS_ISSUER": "x", "ORDERS_PRIMARY": "a:1", "ORDERS_SECRETS": "/"})


def test_a_wrong_variable_is_told() -> None:
    environment = {"ORDERS_PORT": "one", "ORDERS_ISSUER": "x", "ORDERS_PRIMARY": "a:1", "ORDERS_REPLICA": "a:1"}
    with pytest.raises(StartError, match="ORDERS_PORT must be a number"):
        read_settings({**environment, "ORDERS_SECRETS": "/"})
