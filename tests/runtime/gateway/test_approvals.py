"""/approvals over HTTP: a person's, and nobody else's."""

from typing import Any

import pytest

from tests.fixtures.gateway import Gateway


@pytest.fixture
async def waiting(gateway: Gateway) -> dict[str, Any]:
    """What the operator sees of a refund that waits."""
    for step, tool, arguments in (
        (1, "orders.get", {"order_id": "4711"}),
        (2, "orders.refund", {"order_id": "4711", "amount_cents": 12900}),
    ):
        headers = {"loomstead-step": str(step)}
        await gateway.as_task("POST", f"/tools/{tool}", json={"arguments": arguments}, headers=headers)
    (approval,) = (await gateway.as_person("GET", "/approvals?state=waiting")).json()
    return approval


async def test_a_person_sees_the_action_and_approves_it(gateway: Gateway, waiting: dict[str, Any]) -> None:
    path = f"/approvals/{waiting['id']}"
    assert (await gateway.as_person("GET", path)).json() == waiting
    assert waiting["action"]["arguments"] == {"order_id": "4711", "amount_cents": 12900}

    decision = {"decision": "approve", "digest": waiting["digest"]}
    decided = await gateway.as_person("POST", f"{path}/decision", json=decision)
    assert (decided.status_code, decided.json()["state"]) == (200, "approved")
    assert decided.json()["decided_by"] == "person:operator"

    again = await gateway.as_person("POST", f"{path}/decision", json=decision)
    assert (again.status_code, again.json()["code"]) == (409, "approval_decided")
    assert again.headers["x-should-retry"] == "false"


async def test_neither_worker_nor_task_decides(gateway: Gateway, waiting: dict[str, Any]) -> None:
    path = f"/approvals/{waiting['id']}/decision"
    decision = {"decision": "approve", "digest": waiting["digest"]}

    assert (await gateway.as_worker("POST", path, json=decision)).json()["code"] == "kind_not_allowed"
    assert (await gateway.as_task("POST", path, json=decision)).json()["code"] == "token_wrong_audience"
    assert (await gateway.http.post(path, json=decision)).json()["code"] == "token_missing"
    assert (await gateway.as_person("GET", f"/approvals/{waiting['id']}")).json()["state"] == "waiting"


async def test_a_decision_that_is_none_is_refused(gateway: Gateway, waiting: dict[str, Any]) -> None:
    path = f"/approvals/{waiting['id']}/decision"
    for body in (
        {"decision": "yes", "digest": waiting["digest"]},
        {"decision": ["approve"], "digest": waiting["digest"]},
        {"decision": "approve"},
        {"decision": "approve", "digest": waiting["digest"], "by": "person:chief"},
    ):
        answer = await gateway.as_person("POST", path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "body_invalid"), body

    wrong = {"decision": "approve", "digest": "sha256:" + "0" * 64}
    assert (await gateway.as_person("POST", path, json=wrong)).json()["code"] == "approval_digest_mismatch"


async def test_unknown_things_are_told(gateway: Gateway) -> None:
    assert (await gateway.as_person("GET", "/approvals/none")).status_code == 404
    assert (await gateway.as_person("GET", "/approvals?state=maybe")).json()["code"] == "body_invalid"
