"""POST /tools/{tool}: what HTTP adds to a tool call."""

import httpx

from tests.fixtures.bench import Bench
from tests.fixtures.gateway import Gateway


async def post(gateway: Gateway, content: bytes, step: str | None = "1") -> httpx.Response:
    headers = {} if step is None else {"loomstead-step": step}
    return await gateway.as_task("POST", "/tools/orders.get", content=content, headers=headers)


async def test_a_task_reads_an_order(gateway: Gateway) -> None:
    answer = await post(gateway, b'{"arguments": {"order_id": "4711"}}')

    assert answer.status_code == 200
    assert answer.json()["result"]["total_cents"] == 12900


async def test_a_write_above_the_limit_is_accepted_for_later(gateway: Gateway, bench: Bench) -> None:
    await post(gateway, b'{"arguments": {"order_id": "4711"}}')
    body = {"arguments": {"order_id": "4711", "amount_cents": 1}}
    answer = await gateway.as_task("POST", "/tools/orders.refund", json=body, headers={"loomstead-step": "2"})

    assert (answer.status_code, answer.json()["status"]) == (202, "awaiting_approval")
    assert await bench.orders.refunds() == []


async def test_a_write_without_a_proof_is_refused(gateway: Gateway) -> None:
    body = {"arguments": {"order_id": "4711", "amount_cents": 1}}
    headers = {"loomstead-step": "1"}
    answer = await gateway.as_task("POST", "/tools/orders.refund", json=body, headers=headers, prove=False)

    assert (answer.status_code, answer.json()["code"]) == (401, "proof_missing")


async def test_an_ambiguous_body_is_refused(gateway: Gateway) -> None:
    for content in (
        b'{"arguments": {"order_id": "4711", "order_id": "4712"}}',
        b'{"arguments": {"order_id": 1e2}}',
        b'{"arguments": {"order_id": NaN}}',
        b'{"arguments": {"order_id": 9007199254740993}}',
        b'{"arguments": {"order_id": "\\ud800"}}',
        '{"arguments": {"order_id": "e\u0301"}}'.encode(),
        b'{"arguments": ["4711"]}',
        b'{"arguments": {}, "step": 2}',
        b"[]",
        b"",
        b"\xff",
    ):
        answer = await post(gateway, content)
        assert (answer.status_code, answer.json()["code"]) == (422, "body_invalid"), content


async def test_a_large_body_is_refused(gateway: Gateway) -> None:
    assert (await post(gateway, b" " * 65_537)).json()["code"] == "body_too_large"


async def test_the_step_must_be_a_number(gateway: Gateway) -> None:
    for step in (None, "", "0", "-1", "1.0", "x", "99999999"):
        answer = await post(gateway, b'{"arguments": {"order_id": "4711"}}', step)
        assert (answer.status_code, answer.json()["code"]) == (422, "body_invalid"), step


async def test_a_person_is_no_task(gateway: Gateway) -> None:
    answer = await gateway.as_person("POST", "/tools/orders.get", json={"arguments": {}})

    assert (answer.status_code, answer.json()["code"]) == (401, "token_wrong_audience")


async def test_a_refusal_is_a_problem_document(gateway: Gateway) -> None:
    answer = await post(gateway, b'{"arguments": {"order_id": "x"}}')

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "code", "detail", "rule", "remedy", "mistakes"} <= set(answer.json())
