"""The issuer over HTTP: who gets which token, who may call what, and that clients which others wrote can use it."""

import asyncio
import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey

from runtime.gateway.oauth import MAX_FORM_BYTES
from runtime.identity import assertions, dpop
from runtime.identity.grant_types import ACCESS_TOKEN, CLIENT_CREDENTIALS, GRANT, JWT, TOKEN_EXCHANGE
from tests.fixtures.issuer import CONTRACT, KEYS, POLICY, SUBJECTS, Served

FORM = "application/x-www-form-urlencoded"


def claims_of(token: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def authentication(served: Served, name: str = "worker") -> dict[str, str]:
    return {
        "grant_type": CLIENT_CREDENTIALS,
        "client_assertion_type": assertions.TYPE,
        "client_assertion": assertions.assert_client(name, KEYS[name], served.stack.identity.token_endpoint),
    }


async def exchange_form(served: Served, txn: str, name: str = "worker", **changes: str) -> dict[str, str]:
    return {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": txn,
        "subject_token_type": GRANT,
        "actor_token": await served.client(name).identity_token(),
        "actor_token_type": ACCESS_TOKEN,
        **changes,
    }


async def ask(served: Served, form: dict[str, str], key: ECKey | None = KEYS["worker"]) -> httpx.Response:
    """POST to the token endpoint, with a proof by `key`."""
    url = served.stack.identity.token_endpoint
    headers = {} if key is None else {"dpop": dpop.prove(key, "POST", url)}
    return await served.http.post(url, data=form, headers=headers)


def verdict(answer: httpx.Response) -> tuple[int, str, str]:
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert problem["remedy"]
    return answer.status_code, problem["code"], problem.get("error", "")


async def test_a_client_that_others_wrote_finds_authenticates_and_verifies(served: Served) -> None:
    discovered = (await served.http.get(f"{served.issuer}/.well-known/openid-configuration")).json()
    assert discovered["issuer"] == served.issuer
    async with AsyncOAuth2Client(
        "operator",
        KEYS["operator"],
        token_endpoint_auth_method=PrivateKeyJWT(
            discovered["token_endpoint"], claims={"exp": int(time.time()) + 60}, alg="ES256"
        ),
    ) as client:
        answer = await client.fetch_token(discovered["token_endpoint"], grant_type=CLIENT_CREDENTIALS)
    assert answer["token_type"] == "Bearer"
    keys = jwt.PyJWKClient(discovered["jwks_uri"])
    signing = await asyncio.to_thread(keys.get_signing_key_from_jwt, answer["access_token"])
    claims = jwt.decode(
        answer["access_token"],
        signing.key,
        algorithms=discovered["id_token_signing_alg_values_supported"],
        audience=served.issuer,
        issuer=discovered["issuer"],
        options={"require": ["exp", "iat", "nbf", "jti", "sub"]},
    )
    assert (claims["sub"], claims["kind"]) == (SUBJECTS["operator"], "person")
    called = await served.http.get(
        f"{served.issuer}/person", headers={"authorization": f"Bearer {answer['access_token']}"}
    )
    assert called.status_code == 200


async def test_an_identity_token_says_who_and_is_bound_to_the_key(served: Served) -> None:
    answer = await ask(served, authentication(served))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    body = answer.json()
    claims = claims_of(body["access_token"])
    assert (body["token_type"], body["expires_in"]) == ("DPoP", 600)
    assert (claims["iss"], claims["aud"], claims["sub"], claims["kind"], claims["exp"] - claims["iat"]) == (
        served.issuer,
        served.issuer,
        SUBJECTS["worker"],
        "workload",
        600,
    )
    assert claims["cnf"] == {"jkt": KEYS["worker"].thumbprint()}


async def test_a_workload_needs_a_proof_and_each_proof_and_assertion_works_once(served: Served) -> None:
    assert verdict(await ask(served, authentication(served), None)) == (401, "proof_missing", "invalid_dpop_proof")
    form, url = authentication(served), served.stack.identity.token_endpoint
    proof = {"dpop": dpop.prove(KEYS["worker"], "POST", url)}
    assert (await served.http.post(url, data=form, headers=proof)).status_code == 200
    assert verdict(await ask(served, form))[:2] == (409, "replayed")
    again = await served.http.post(url, data=authentication(served), headers=proof)
    assert verdict(again)[:2] == (409, "replayed")
    assert again.headers["x-should-retry"] == "false"


async def test_a_token_endpoint_is_no_place_for_a_proof_for_another_address(served: Served) -> None:
    for method, path in (("POST", "/tools/orders.refund"), ("GET", "/oauth/token")):
        headers = {"dpop": dpop.prove(KEYS["worker"], method, served.issuer + path)}
        answer = await served.http.post(f"{served.issuer}/oauth/token", data=authentication(served), headers=headers)
        assert verdict(answer) == (401, "proof_invalid", "invalid_dpop_proof")


async def test_who_is_not_a_client_gets_nothing(served: Served) -> None:
    stranger = {**authentication(served), "client_assertion": "x"}
    assert verdict(await ask(served, stranger)) == (401, "assertion_invalid", "invalid_client")
    endpoint = served.stack.identity.token_endpoint
    unknown = {
        **authentication(served),
        "client_assertion": assertions.assert_client("nobody", KEYS["worker"], endpoint),
    }
    assert verdict(await ask(served, unknown)) == (401, "client_unknown", "invalid_client")


async def test_a_task_token_holds_what_the_grant_holds_and_is_recorded(served: Served) -> None:
    grant = await served.stack.open("t1")
    before = int(time.time())
    body = (await ask(served, await exchange_form(served, "t1"))).json()
    claims = claims_of(body["access_token"])
    assert body.keys() == {"access_token", "token_type", "expires_in", "issued_token_type"}
    assert (body["token_type"], body["issued_token_type"], body["expires_in"]) == ("DPoP", JWT, 300)
    assert before <= claims["iat"] == claims["nbf"] == claims["exp"] - 300
    assert {name: claims[name] for name in ("iss", "aud", "sub", "act", "txn", "cnf", "task")} == {
        "iss": served.issuer,
        "aud": f"{served.issuer}/tools",
        "sub": "trigger:order-desk/mail",
        "act": {"sub": "spiffe://local.loomstead/agent/order-desk/v1", "act": {"sub": SUBJECTS["worker"]}},
        "txn": "t1",
        "cnf": {"jkt": KEYS["worker"].thumbprint()},
        "task": {
            "class": "order-desk",
            "tenant": "local",
            "seq": 1,
            "max_steps": 10,
            "deadline": int(grant.deadline.timestamp()),
            "policy": POLICY,
        },
    }
    assert [detail["tool"] for detail in claims["authorization_details"]] == ["orders.refund", "orders.get"]
    [record] = await served.stack.records("t1")
    assert (record["kind"], record["actor"], record["decision"], record["policy"], record["body"]) == (
        "token_issued",
        SUBJECTS["worker"],
        "allowed",
        POLICY,
        {"jti": claims["jti"], "seq": 1, "exp": claims["exp"]},
    )


async def test_each_renewal_has_the_next_number(served: Served) -> None:
    await served.stack.open("t1")
    form = await exchange_form(served, "t1")
    answers = await asyncio.gather(*(ask(served, form) for _ in range(5)))
    numbers = sorted(claims_of(answer.json()["access_token"])["task"]["seq"] for answer in answers)
    assert numbers == [1, 2, 3, 4, 5]


async def test_a_token_never_outlives_its_task(served: Served) -> None:
    await served.stack.open("t1", deadline=datetime.now(UTC) + timedelta(seconds=30))
    body = (await ask(served, await exchange_form(served, "t1"))).json()
    assert body["expires_in"] <= 30
    assert claims_of(body["access_token"])["exp"] == claims_of(body["access_token"])["task"]["deadline"]


def details(**changes: Any) -> str:
    refund = {
        "type": "tool_call",
        "tool": "orders.refund",
        "effect": "write",
        "contract": CONTRACT,
        "budget": {"calls": 1},
        "args": {"order_id": {"from": "orders.get#/id", "trust": "internal"}, "amount_cents": {"max": 100}},
    }
    return json.dumps([{**refund, **changes}])


async def test_a_renewal_may_narrow(served: Served) -> None:
    await served.stack.open("t1")
    form = await exchange_form(served, "t1", authorization_details=details())
    claims = claims_of((await ask(served, form)).json()["access_token"])
    assert claims["authorization_details"] == json.loads(details())


@pytest.mark.parametrize(
    "wider",
    [
        {"budget": {"calls": 3}},
        {"args": {}},
        {"tool": "orders.delete"},
        {"args": {"order_id": {"const": "4711"}, "amount_cents": {"max": 100}}},
        {"contract": "sha256:" + "0" * 64},
    ],
)
async def test_a_renewal_that_widens_is_refused_and_uses_no_number(served: Served, wider: dict[str, Any]) -> None:
    await served.stack.open("t1")
    form = await exchange_form(served, "t1", authorization_details=details(**wider))
    assert verdict(await ask(served, form)) == (403, "widening_refused", "invalid_authorization_details")
    assert (await served.stack.grants.load(served.stack.pool, "t1")).token_seq == 0
    assert await served.stack.records("t1") == []


@pytest.mark.parametrize(
    "text", ["x", "{}", "[1]", '[{"tool": "a", "tool": "b"}]', details()[:-1] + "," + details()[1:]]
)
async def test_details_that_cannot_be_read_are_refused(served: Served, text: str) -> None:
    await served.stack.open("t1")
    form = await exchange_form(served, "t1", authorization_details=text)
    assert verdict(await ask(served, form))[0] == 422


async def test_only_the_grants_own_worker_may_act(served: Served) -> None:
    await served.stack.open("t1")
    form = await exchange_form(served, "t1", "other-worker")
    answer = await ask(served, form, KEYS["other-worker"])
    assert verdict(answer) == (403, "actor_not_allowed", "invalid_request")


async def test_a_person_does_not_act_for_a_task_even_where_a_grant_names_it(served: Served) -> None:
    await served.stack.open("t1", may_act=SUBJECTS["operator"])
    form = await exchange_form(served, "t1", "operator")
    assert verdict(await ask(served, form, KEYS["operator"]))[:2] == (403, "kind_not_allowed")


async def test_a_stolen_identity_token_is_no_use_without_its_key(served: Served) -> None:
    await served.stack.open("t1")
    form = await exchange_form(served, "t1")
    assert verdict(await ask(served, form, KEYS["other-worker"]))[:2] == (401, "proof_invalid")
    assert verdict(await ask(served, form, None))[:2] == (401, "proof_missing")


async def test_a_task_token_is_no_actor_token(served: Served) -> None:
    await served.stack.open("t1")
    task_token = await served.client("worker").task_token("t1")
    form = await exchange_form(served, "t1", actor_token=task_token)
    assert verdict(await ask(served, form)) == (401, "token_wrong_audience", "invalid_request")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("state = 'revoked'", (401, "token_revoked")),
        ("state = 'closed'", (401, "token_revoked")),
        ("deadline = now() - interval '1 second'", (429, "deadline_passed")),
    ],
)
async def test_a_grant_that_is_over_gives_no_token(served: Served, change: str, expected: tuple[int, str]) -> None:
    await served.stack.open("t1")
    await served.stack.pool.execute(f"UPDATE grants SET {change}")  # noqa: S608
    assert verdict(await ask(served, await exchange_form(served, "t1")))[:2] == expected


async def test_a_task_that_is_not_gives_no_token(served: Served) -> None:
    assert verdict(await ask(served, await exchange_form(served, "t1")))[:2] == (404, "task_unknown")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token_type": ACCESS_TOKEN}, "invalid_request"),
        ({"actor_token_type": JWT}, "invalid_request"),
        ({"audience": "sts.amazonaws.com"}, "invalid_target"),
        ({"resource": "http://127.0.0.1:9001"}, "invalid_target"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_target"),
    ],
)
async def test_what_is_asked_otherwise_is_told_what_is_wrong(
    served: Served, changes: dict[str, str], error: str
) -> None:
    await served.stack.open("t1")
    form = {name: value for name, value in (await exchange_form(served, "t1", **changes)).items() if value}
    assert verdict(await ask(served, form)) == (422, "body_invalid", error)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"grant_type=client_credentials", "application/json"),
        (b"grant_type=client_credentials", ""),
        (b"grant_type=client_credentials&grant_type=client_credentials", FORM),
        (b"grant_type=\xff", FORM),
        (b"grant_type=%ff", FORM),
        (b"grant_type", FORM),
        (b"", FORM),
        (b"&".join(b"a%d=1" % number for number in range(30)), FORM),
    ],
)
async def test_a_body_that_is_no_form_is_refused(served: Served, content: bytes, kind: str) -> None:
    answer = await served.http.post(f"{served.issuer}/oauth/token", content=content, headers={"content-type": kind})
    assert verdict(answer) == (422, "body_invalid", "invalid_request")


async def test_a_form_without_end_is_refused(served: Served) -> None:
    content = b"a=" + b"x" * MAX_FORM_BYTES
    answer = await served.http.post(f"{served.issuer}/oauth/token", content=content, headers={"content-type": FORM})
    assert verdict(answer)[:2] == (413, "body_too_large")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "Basic eDp5")],
        [("authorization", "Bearer")],
        [("authorization", "a.b.c")],
        [("authorization", "Bearer a.b.c"), ("authorization", "Bearer d.e.f")],
    ],
)
@pytest.mark.parametrize("path", ["/person", "/worker", "/task"])
async def test_without_one_token_nobody_is_anybody(served: Served, path: str, headers: list[tuple[str, str]]) -> None:
    answer = await served.http.get(served.issuer + path, headers=headers)
    assert verdict(answer)[:2] == (401, "token_missing")


async def test_persons_and_workers_do_not_pass_for_each_other(served: Served) -> None:
    for name, path in (("worker", "/person"), ("operator", "/worker")):
        answer = await served.http.get(served.issuer + path, auth=served.client(name).auth())
        assert verdict(answer)[:2] == (403, "kind_not_allowed")


async def test_tasks_do_not_pass_for_anybody_nor_anybody_for_a_task(served: Served) -> None:
    await served.stack.open("t1")
    worker = served.client("worker")
    for auth, path in (
        (worker.task_auth("t1"), "/worker"),
        (worker.task_auth("t1"), "/person"),
        (worker.auth(), "/task"),
    ):
        answer = await served.http.get(served.issuer + path, auth=auth)
        assert verdict(answer)[:2] == (401, "token_wrong_audience")


async def test_a_bound_identity_token_is_no_bearer_token(served: Served) -> None:
    for name, path in (("worker", "/worker"), ("operator", "/person")):
        token = await served.client(name).identity_token()
        for scheme in ("Bearer", "DPoP"):
            answer = await served.http.get(served.issuer + path, headers={"authorization": f"{scheme} {token}"})
            assert verdict(answer)[:2] == (401, "proof_missing")


async def call(served: Served, token: str, proof: str | list[str], scheme: str = "DPoP") -> tuple[int, str]:
    proofs = [proof] if isinstance(proof, str) else proof
    headers = [("authorization", f"{scheme} {token}"), *(("dpop", one) for one in proofs)]
    answer = await served.http.post(f"{served.issuer}/write?step=1", headers=headers)
    return (200, "") if answer.status_code == 200 else verdict(answer)[:2]


async def test_a_write_needs_a_proof_for_this_address_this_method_this_token_by_this_key_once(served: Served) -> None:
    await served.stack.open("t1")
    await served.stack.open("t2")
    worker = served.client("worker")
    token, other = await worker.task_token("t1"), await worker.task_token("t2")
    key, url = KEYS["worker"], f"{served.issuer}/write"
    proof = dpop.prove(key, "POST", url, token)
    assert await call(served, token, proof) == (200, "")
    assert await call(served, token, proof) == (409, "replayed")
    assert await call(served, token, dpop.prove(key, "POST", url, token), "Bearer") == (200, "")
    wrong = [
        dpop.prove(key, "POST", f"{served.issuer}/tools/orders.refund", token),
        dpop.prove(key, "GET", url, token),
        dpop.prove(key, "POST", url, other),
        dpop.prove(key, "POST", url),
        dpop.prove(KEYS["operator"], "POST", url, token),
        "",
    ]
    assert {await call(served, token, one) for one in wrong} == {(401, "proof_invalid")}
    two = [dpop.prove(key, "POST", url, token) for _ in range(2)]
    assert await call(served, token, two) == (401, "proof_invalid")
    assert await call(served, token, []) == (401, "proof_missing")
    assert await call(served, token, [], "Bearer") == (401, "proof_missing")


async def test_the_host_header_does_not_decide_what_a_proof_is_for(served: Served) -> None:
    await served.stack.open("t1")
    token = await served.client("worker").task_token("t1")
    elsewhere = dpop.prove(KEYS["worker"], "POST", "http://attacker.example/write", token)
    headers = {"host": "attacker.example", "authorization": f"DPoP {token}", "dpop": elsewhere}
    answer = await served.http.post(f"{served.issuer}/write", headers=headers)
    assert verdict(answer)[:2] == (401, "proof_invalid")


async def test_a_revoked_grant_kills_the_tokens_that_are_out(served: Served) -> None:
    await served.stack.open("t1")
    token = await served.client("worker").task_token("t1")
    headers = {"authorization": f"Bearer {token}"}
    assert (await served.http.get(f"{served.issuer}/task", headers=headers)).status_code == 200
    await served.stack.revoke("t1")
    await asyncio.sleep(1)
    answer = await served.http.get(f"{served.issuer}/task", headers=headers)
    assert verdict(answer)[:2] == (401, "token_revoked")


async def test_only_public_keys_are_published(served: Served) -> None:
    [published] = (await served.http.get(f"{served.issuer}/jwks.json")).json()["keys"]
    assert published["kid"] == KEYS["issuer"].thumbprint()
    assert "d" not in published
