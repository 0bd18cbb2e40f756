"""/agents over HTTP: a person deploys; what is wrong comes back with its place."""

from tests.fixtures.gateway import Gateway


async def test_a_new_version_is_created_and_the_same_again_is_not(gateway: Gateway) -> None:
    plain = {**gateway.bench.agent.definition.plain(), "version": 2}
    first = await gateway.as_person("PUT", "/agents/order-desk", json=plain)
    again = await gateway.as_person("PUT", "/agents/order-desk", json=plain)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["deployed_by"] == "person:operator"
    assert (await gateway.as_person("GET", "/agents/order-desk")).json()["version"] == 2
    assert [agent["version"] for agent in (await gateway.as_person("GET", "/agents")).json()] == [2]


async def test_every_mistake_is_told_with_its_key(gateway: Gateway) -> None:
    plain = {**gateway.bench.agent.definition.plain(), "version": "two", "budget": {"usd_cents": 5}}
    answer = await gateway.as_person("PUT", "/agents/order-desk", json=plain)

    assert (answer.status_code, answer.json()["code"]) == (422, "definition_invalid")
    assert {mistake.split(": ")[1] for mistake in answer.json()["mistakes"]} == {"version", "budget"}


async def test_a_body_that_is_no_definition_is_refused(gateway: Gateway) -> None:
    for content in (b"", b"[]", b"\xff", b"{", b'{"name": "a", "name": "b"}', b"[" * 10_000, b"{" * 10_000):
        answer = await gateway.as_person("PUT", "/agents/order-desk", content=content)
        assert (answer.status_code, answer.json()["code"]) == (422, "definition_invalid"), content[:20]


async def test_the_name_is_that_of_the_address(gateway: Gateway) -> None:
    answer = await gateway.as_person("PUT", "/agents/other", json=gateway.bench.agent.definition.plain())

    assert answer.json()["mistakes"] == ["name: expected other as in the address, got order-desk"]


async def test_only_persons_deploy(gateway: Gateway) -> None:
    plain = gateway.bench.agent.definition.plain()

    assert (await gateway.as_worker("PUT", "/agents/order-desk", json=plain)).json()["code"] == "kind_not_allowed"
    assert (await gateway.as_task("PUT", "/agents/order-desk", json=plain)).status_code == 401


async def test_an_unknown_agent_is_told(gateway: Gateway) -> None:
    answer = await gateway.as_person("GET", "/agents/nobody")

    assert (answer.status_code, answer.json()["code"]) == (404, "agent_unknown")
