"""A model in the US, which this stack may use for public data, and a task whose data is personal."""

import json
from typing import Any

import yaml

from tests.fakes.model_server import ScriptedModel
from tests.fixtures.desk import AGENT
from tests.fixtures.fabric import LiveFabric
from tests.fixtures.office import Office

NAME, MODEL_CLASS = "desk-abroad", "chat-public"
TEXT = "order 4711 is delayed, says somebody whose name stays here"


async def deploy(office: Office) -> None:
    """The demo's agent, as somebody might change it: another model class, the same data."""
    definition = {**yaml.safe_load(AGENT.read_text()), "name": NAME, "model_class": MODEL_CLASS}
    answer = await office.http.put(f"/agents/{NAME}", json=definition, auth=office.person.auth())
    answer.raise_for_status()


async def opened(office: Office) -> str:
    answer = await office.send(json.dumps({"text": TEXT}).encode(), path=f"/triggers/{NAME}/mail")
    answer.raise_for_status()
    return answer.json()["txn"]


async def refusals(office: Office, txn: str) -> list[dict[str, Any]]:
    trace = await office.get(f"/tasks/{txn}/trace")
    return [record for record in trace if record["kind"] == "model_call"]


async def test_an_endpoint_outside_the_boundary_is_refused_with_451_and_recorded_with_the_reason(
    fabric: LiveFabric, office: Office, model: ScriptedModel
) -> None:
    await deploy(office)
    txn = await opened(office)
    handed_over = await office.until(txn, "handed_over")
    assert handed_over["reason"] == "outside_boundary"

    token = await office.worker.task_token(txn)
    answer = await office.http.post(
        "/v1/chat/completions",
        json={"model": MODEL_CLASS, "messages": [{"role": "user", "content": TEXT}]},
        headers={"authorization": f"Bearer {token}"},
    )
    problem = answer.json()
    assert (answer.status_code, answer.headers["x-should-retry"]) == (451, "false")
    assert (problem["code"], problem["rule"], problem["countries"]) == ("outside_boundary", "eu-gdpr/process", ["US"])
    assert "chat-public/abroad" in problem["detail"]

    for record in await refusals(office, txn):
        assert (record["decision"], record["rule"]) == ("refused", "eu-gdpr/process")
        assert record["policy"] == fabric.manifest.boundary_digest
        assert record["body"]["code"] == "outside_boundary"
        assert "process in US is outside eu-gdpr" in record["body"]["reason"]
    assert len(await refusals(office, txn)) == 2
    assert TEXT not in json.dumps(model.requests)


async def test_the_same_endpoint_takes_what_the_relaxation_names(office: Office) -> None:
    told = await office.get("/models")
    (abroad,) = [found for found in told if found["name"] == "chat-public/abroad"]
    assert {name: verdict["allowed"] for name, verdict in abroad["verdicts"].items()} == {
        "public": True,
        "internal": False,
        "personal": False,
    }
    assert "relaxation" in abroad["verdicts"]["public"]["reason"]
