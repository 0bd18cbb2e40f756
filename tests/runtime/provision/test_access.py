"""Roles and databases where a cloud gives no superuser; with one, the whole suite stands on them."""

import asyncio

import pytest

from runtime.provision import ProvisionError, access
from tests.runtime.provision.conftest import MASTER, Cloud


async def made(cloud: Cloud, wanted: access.Wanted) -> None:
    await cloud.as_cloud(f"ALTER ROLE {MASTER} PASSWORD 'known'")
    await access.apply(cloud.place.administered_by(MASTER, "known"), wanted)


async def test_a_master_without_superuser_makes_all_of_it(cloud: Cloud) -> None:
    wanted = cloud.wanted("agent_reader")
    await made(cloud, wanted)
    assert await access.settled(cloud.sign_in(wanted), wanted)
    owners = "SELECT string_agg(datname || ' ' || pg_get_userbyid(datdba), ', ' ORDER BY 1) FROM pg_database"
    assert await cloud.ask(f"{owners} WHERE datname IN ('loomstead', 'orders', 'vectors')") == (
        "loomstead gateway_owner, orders core_writer, vectors gateway_owner"
    )
    assert await cloud.ask("SELECT bool_or(rolsuper OR rolcreaterole) FROM pg_roles WHERE rolname LIKE 'gateway%'") is (
        False
    )
    open_to_all = (
        "SELECT string_agg(datname, ' ') FROM pg_database WHERE datallowconn AND datacl::text ~ '[{,]=[a-zA-Z]'"
    )
    assert await cloud.ask(open_to_all) is None
    assert await cloud.ask("SELECT pg_has_role('agent_reader', 'rds_iam', 'member')") is True
    assert await cloud.ask("SELECT pg_has_role('gateway', 'rds_iam', 'member')") is False
    async with cloud.place.sign_in("gateway_owner", wanted.passwords["gateway_owner"], "vectors") as connection:
        assert await connection.fetchval("SELECT extname FROM pg_extension WHERE extname = 'vector'") == "vector"


async def test_the_orchestrator_has_databases_of_its_own_where_it_runs_on_the_cluster(cloud: Cloud) -> None:
    databases = "SELECT string_agg(datname || ' ' || pg_get_userbyid(datdba), ', ') FROM pg_database"
    theirs = f"{databases} WHERE datname LIKE 'temporal%'"
    await made(cloud, cloud.wanted())
    assert await cloud.ask(theirs) is None
    wanted = cloud.wanted(further=(access.ORCHESTRATOR,))
    assert not await access.settled(cloud.sign_in(wanted), wanted)
    await made(cloud, wanted)
    assert await access.settled(cloud.sign_in(wanted), wanted)
    assert await cloud.ask(theirs) == "temporal temporal, temporal_visibility temporal"
    sign_in = cloud.sign_in(wanted)
    async with sign_in("temporal", "temporal_visibility") as connection:  # what its schema begins with
        await connection.execute("CREATE EXTENSION btree_gin; CREATE TABLE executions (id int)")
    for role, database in (("temporal", "loomstead"), ("gateway", "temporal"), ("agent_reader", "temporal")):
        with pytest.raises(ProvisionError, match="permission denied for database"):
            async with sign_in(role, database):
                pass


async def test_two_at_once_and_again_later_leave_the_same(cloud: Cloud) -> None:
    wanted = cloud.wanted()
    await cloud.as_cloud(f"ALTER ROLE {MASTER} PASSWORD 'known'")
    administer = cloud.place.administered_by(MASTER, "known")
    await asyncio.gather(*(access.apply(administer, wanted) for _ in range(2)))
    await access.apply(administer, wanted)
    assert await access.settled(cloud.sign_in(wanted), wanted)


@pytest.mark.parametrize(
    "changed",
    [
        "ALTER ROLE agent_reader CONNECTION LIMIT 99",
        "ALTER ROLE agent_reader SET statement_timeout = 0",
        "ALTER ROLE gateway PASSWORD 'another'",
        "ALTER ROLE core_writer NOLOGIN",
        "COMMENT ON DATABASE loomstead IS NULL",
    ],
)
async def test_what_is_missing_is_seen_without_an_administrator(cloud: Cloud, changed: str) -> None:
    wanted = cloud.wanted()
    assert not await access.settled(cloud.sign_in(wanted), wanted)
    await made(cloud, wanted)
    await cloud.as_cloud(changed)
    assert not await access.settled(cloud.sign_in(wanted), wanted)


async def test_other_limits_or_ways_in_are_something_missing(cloud: Cloud) -> None:
    wanted = cloud.wanted()
    await made(cloud, wanted)
    for other in (cloud.wanted("agent_reader"), access.Wanted(wanted.passwords, access.Limits(1, 5000))):
        assert not await access.settled(cloud.sign_in(wanted), other)


async def test_an_administrator_who_may_not_is_told_what_the_server_says(cloud: Cloud) -> None:
    await cloud.as_cloud("CREATE ROLE nobody LOGIN PASSWORD 'known'")
    with pytest.raises(ProvisionError, match="permission denied to create role"):
        await access.apply(cloud.place.administered_by("nobody", "known"), cloud.wanted())
    with pytest.raises(access.SignInRefused, match=f"{MASTER} at 127"):
        await access.apply(cloud.place.administered_by(MASTER, "wrong"), cloud.wanted())
