"""Secrets are drawn once and kept: in a real Kubernetes Secret, by the one right the Job has, and in moto's store."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from botocore.session import get_session
from moto import mock_aws

from regions.canonical import canonical
from runtime.identity.keys import es256_key
from runtime.provision import ProvisionError
from runtime.provision.aws import SecretsManager
from runtime.provision.secrets import (
    CA,
    MAKERS,
    ORCHESTRATORS,
    PASSWORD,
    Addresses,
    KubernetesSecret,
    fill,
    hand_over,
    kubernetes_secret,
    password_of,
)
from tests.fixtures.pods import Pods
from tests.runtime.provision.conftest import allow, held

ADDRESSES = Addresses(("primary.example", 5432), ("replica.example", 5432))


@pytest.fixture
async def secret(allowed: Pods) -> AsyncIterator[KubernetesSecret]:
    api = allowed.mounted("provision")
    async with api.client() as http:
        yield kubernetes_secret(api, http, f"{allowed.runtime}/secrets")


async def test_everything_is_drawn_once_with_the_servers_names(secret: KubernetesSecret, allowed: Pods) -> None:
    made = await fill(secret, None, ADDRESSES, "an authority")
    assert held(allowed) == made
    assert made.keys() == {*MAKERS, CA}
    assert es256_key(json.loads(made["issuer.jwk"]), "sign").curve_name == "P-256"
    assert len(base64.b64decode(made["ledger.key"])) == 32
    assert made["gateway.pgpass"].startswith("primary.example:5432:*:gateway:")
    assert made["agent_reader.pgpass"].startswith("replica.example:5432:*:agent_reader:")
    assert len(set(made.values())) == len(made)
    version = (await secret.read())[1]
    assert await fill(secret, None, ADDRESSES, "an authority") == made
    assert (await secret.read())[1] == version


async def test_what_is_there_stays_and_what_is_missing_comes(secret: KubernetesSecret, allowed: Pods) -> None:
    before = await fill(secret, None, ADDRESSES, None)
    given = {"issuer.jwk": None, "upstream.theirs.key": base64.b64encode(b"given").decode()}
    allowed.core.patch_namespaced_secret("secrets", allowed.runtime, {"data": given})
    after = await fill(secret, None, ADDRESSES, None)
    assert after.pop("issuer.jwk") != before.pop("issuer.jwk")
    assert after == {**before, "upstream.theirs.key": "given"}
    assert held(allowed).keys() == {*after, "issuer.jwk"}


async def test_a_server_or_authority_that_moved_takes_no_password_with_it(
    secret: KubernetesSecret, allowed: Pods
) -> None:
    before = await fill(secret, None, ADDRESSES, "old")
    after = await fill(secret, None, Addresses(("::1", 6432), ("replica.example", 5432)), "new")
    assert after["gateway.pgpass"].startswith(r"\:\:1:6432:*:gateway:")
    assert after[CA] == "new"
    for name in MAKERS:
        same = password_of if name.endswith(".pgpass") else str
        assert same(after[name]) == same(before[name])
    assert held(allowed) == after


async def test_what_the_orchestrator_signs_in_with_follows(allowed: Pods) -> None:
    allow(allowed, allowed.tools, "temporal")
    api = allowed.mounted("provision")
    async with api.client() as http:
        theirs = kubernetes_secret(api, http, f"{allowed.tools}/temporal")
        await asyncio.gather(*(hand_over(theirs, "drawn", "old") for _ in range(3)))
        assert held(allowed, allowed.tools, "temporal") == {PASSWORD: "drawn", CA: "old"}
        await hand_over(theirs, "another", "new")
    assert held(allowed, allowed.tools, "temporal") == {PASSWORD: "another", CA: "new"}


async def test_of_many_at_once_one_decides(secret: KubernetesSecret, allowed: Pods) -> None:
    made = await asyncio.gather(*(fill(secret, None, ADDRESSES, None) for _ in range(4)))
    assert all(one == made[0] for one in made)
    assert held(allowed) == made[0]


async def test_another_secret_or_namespace_is_out_of_reach(allowed: Pods) -> None:
    api = allowed.mounted("provision")
    async with api.client() as http:
        for named in ("others", f"{allowed.tools}/secrets"):
            with pytest.raises(ProvisionError, match=r"answered 403; .* get, create and patch"):
                await fill(kubernetes_secret(api, http, named), None, ADDRESSES, None)


async def test_an_api_that_does_not_answer_is_said(allowed: Pods) -> None:
    async with httpx.AsyncClient(base_url="https://127.0.0.1:1") as http:
        with pytest.raises(ProvisionError, match="the Kubernetes API"):
            await fill(KubernetesSecret(http, "runtime", "secrets"), None, ADDRESSES, None)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield get_session().create_client("secretsmanager", region_name="eu-central-1")


def store(manager: Any) -> SecretsManager:
    return SecretsManager(manager, "loomstead/aws-eu-central-1/", "alias/loomstead/aws-eu-central-1/encryption")


async def test_a_lost_secret_comes_back_from_the_store(secret: KubernetesSecret, allowed: Pods, manager: Any) -> None:
    manager.create_secret(Name="loomstead/aws-eu-central-1/ledger", KmsKeyId="pulumi's")  # without a value
    makers = {**MAKERS, **ORCHESTRATORS}
    before = await fill(secret, store(manager), ADDRESSES, None, makers)
    assert before["temporal.pgpass"].startswith("primary.example:5432:*:temporal:")
    allowed.core.delete_namespaced_secret("secrets", allowed.runtime)
    assert await fill(secret, store(manager), ADDRESSES, None, makers) == before
    kept = manager.describe_secret(SecretId="loomstead/aws-eu-central-1/issuer.jwk")
    assert kept["KmsKeyId"] == "alias/loomstead/aws-eu-central-1/encryption"
    assert (
        manager.get_secret_value(SecretId="loomstead/aws-eu-central-1/ledger")["SecretString"] == before["ledger.key"]
    )


async def test_what_the_cluster_has_already_goes_into_the_store(secret: KubernetesSecret, manager: Any) -> None:
    before = await fill(secret, None, ADDRESSES, None)
    assert await fill(secret, store(manager), ADDRESSES, None) == before


@pytest.mark.parametrize("name", ["ledger.key", "gateway.pgpass"])
async def test_two_different_ones_are_nobodys_to_choose_between(
    secret: KubernetesSecret, allowed: Pods, manager: Any, name: str
) -> None:
    await fill(secret, store(manager), ADDRESSES, None)
    other = base64.b64encode(MAKERS[name]().encode()).decode()
    allowed.core.patch_namespaced_secret("secrets", allowed.runtime, {"data": {name: other}})
    before = held(allowed)
    with pytest.raises(ProvisionError, match=rf"{name}: the secret store and the Kubernetes Secret") as refused:
        await fill(secret, store(manager), ADDRESSES, None)
    assert held(allowed) == before
    assert not any(value.strip() in str(refused.value) for value in before.values())


async def test_of_two_first_versions_the_first_stays(manager: Any) -> None:
    one, other = store(manager), store(manager)
    first = await one.keep("ledger.key", "first")
    manager.create_secret(Name="loomstead/aws-eu-central-1/raced", KmsKeyId="pulumi's")
    assert (first, await other.keep("ledger.key", "second")) == ("first", "first")
    assert canonical(await one.keep("webhook.key", "x")) == b'"x"'
