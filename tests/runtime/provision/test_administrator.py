"""Who makes roles on a cloud: the mounted superuser, or RDS's master, whose password nobody keeps (moto's API)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import asyncpg
import pytest
from botocore.session import get_session
from moto import mock_aws

from runtime.provision import ProvisionError, access
from runtime.provision.administrator import MountedSuperuser, Place, RdsMaster
from runtime.settings import StartError
from tests.runtime.provision.conftest import MASTER, Cloud

INSTANCE = "aws-eu-central-1-primary"


@pytest.fixture
def rds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = get_session().create_client("rds", region_name="eu-central-1")
        client.create_db_instance(
            DBInstanceIdentifier=INSTANCE,
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            AllocatedStorage=50,
            MasterUsername=MASTER,
            MasterUserPassword="drawn-and-forgotten",
        )
        yield client


class Passwords:
    """Brings each password that RDS is told to the real server, as RDS does; ``told``: all of them."""

    def __init__(self, rds: Any, cloud: Cloud) -> None:
        self.told: list[str] = []
        self._cloud, self._one_by_one = cloud, Lock()
        rds.meta.events.register("provide-client-params.rds.ModifyDBInstance", self._set)

    def _set(self, params: dict[str, Any], **_: Any) -> None:
        self.told.append(params["MasterUserPassword"])
        with self._one_by_one:
            asyncio.run(self._cloud.as_cloud(f"ALTER ROLE {MASTER} PASSWORD '{self.told[-1]}'"))


async def test_the_master_is_set_used_and_forgotten(rds: Any, cloud: Cloud) -> None:
    passwords, wanted = Passwords(rds, cloud), cloud.wanted("agent_reader")
    await RdsMaster(rds, INSTANCE, cloud.place, pause=0.01).apply(wanted)
    assert await access.settled(cloud.sign_in(wanted), wanted)
    used, forgotten = passwords.told
    assert used != forgotten
    with pytest.raises(access.SignInRefused):
        async with cloud.place.sign_in(MASTER, used, "postgres"):
            pass


async def test_two_jobs_at_once_both_finish(rds: Any, cloud: Cloud) -> None:
    Passwords(rds, cloud)
    wanted = cloud.wanted()
    await asyncio.gather(*(RdsMaster(rds, INSTANCE, cloud.place, pause=0.05).apply(wanted) for _ in range(2)))
    assert await access.settled(cloud.sign_in(wanted), wanted)


async def test_a_master_that_fails_is_forgotten_too(rds: Any, cloud: Cloud) -> None:
    passwords = Passwords(rds, cloud)
    await cloud.as_cloud(f"ALTER ROLE {MASTER} NOCREATEROLE")
    with pytest.raises(ProvisionError, match="permission denied") as refused:
        await RdsMaster(rds, INSTANCE, cloud.place, pause=0.01).apply(cloud.wanted())
    assert len(passwords.told) == 2
    assert not any(password in str(refused.value) for password in passwords.told)


async def test_an_instance_that_is_not_there_is_named(rds: Any, cloud: Cloud) -> None:
    with pytest.raises(ProvisionError, match="RDS instance other: DBInstanceNotFound"):
        await RdsMaster(rds, "other", cloud.place, pause=0.01).apply(cloud.wanted())


async def test_a_mounted_superuser_makes_all_of_it(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "administrator"
    folder.mkdir()
    line = cloud.server.database.passfile("postgres").read_text()
    for name, content in (("username", "postgres"), ("password", line.strip().rpartition(":")[2])):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(content)
    wanted = cloud.wanted()
    await MountedSuperuser(folder, cloud.place).apply(wanted)
    assert await access.settled(cloud.sign_in(wanted), wanted)

    (folder / "password").unlink()
    with pytest.raises(StartError, match=r"administrator's .*password: No such file"):
        await MountedSuperuser(folder, cloud.place).apply(wanted)


async def test_a_primary_elsewhere_is_asked_only_over_tls(cloud: Cloud) -> None:
    with pytest.raises(StartError, match="LOOMSTEAD_DATABASE_CA is not set"):
        async with Place("primary.example", 5432, None).sign_in("postgres", "secret", "postgres"):
            pass


async def test_nothing_else_than_a_password_is_taken_for_a_wrong_one(cloud: Cloud) -> None:
    cloud.server.stop()
    try:
        with pytest.raises(ProvisionError) as refused:
            async with cloud.place.sign_in(MASTER, "unknown", "postgres"):
                pass
        assert not isinstance(refused.value, access.SignInRefused)
        assert isinstance(refused.value.__cause__, OSError | asyncpg.PostgresError)
    finally:
        cloud.server.start()
