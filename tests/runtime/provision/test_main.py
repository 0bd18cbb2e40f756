"""The Job as a cluster runs it: a process, a real Kubernetes API and a real server, as often as one likes."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from regions.signature import sign_manifest
from runtime.provision import access
from runtime.provision.secrets import MAKERS, PASSWORD, PGPASS, password_of
from runtime.settings import START_REFUSED
from tests.fixtures.issuer import KEYS, manifest
from tests.fixtures.pods import Pods
from tests.runtime.provision.conftest import Cloud, allow, held


@dataclass
class Job:
    environment: dict[str, str]

    async def run(self) -> tuple[int | None, str]:
        """Exit code, and all that it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "runtime.provision"),
            env={"PATH": os.environ["PATH"], **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()


def written(path: Path, content: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(content)
    return path


@pytest.fixture
def job(allowed: Pods, cloud: Cloud, tmp_path: Path) -> Job:
    described = manifest("https://gateway.example")
    port = cloud.place.port
    endpoints = described.endpoints.model_copy(update={"primary_port": port, "replica_port": port})
    signed = sign_manifest(
        described.model_copy(update={"endpoints": endpoints}), KEYS["operator"].as_dict(private=True)
    )
    line = cloud.server.database.passfile("postgres").read_text()
    written(tmp_path / "administrator" / "username", "postgres\n")
    administrator = written(tmp_path / "administrator" / "password", line.strip().rpartition(":")[2]).parent
    public = json.dumps(KEYS["operator"].as_dict(private=False))
    api = allowed.mounted("provision")
    url = httpx.URL(api.url)
    return Job(
        {
            "LOOMSTEAD_STACK": "local",
            "LOOMSTEAD_REGION": "local",
            "LOOMSTEAD_MANIFEST": str(written(tmp_path / "manifest.json", json.dumps(signed))),
            "LOOMSTEAD_MANIFEST_KEY": str(written(tmp_path / "key.jwk", public)),
            "LOOMSTEAD_SECRET": f"{allowed.runtime}/secrets",
            "LOOMSTEAD_SECRET_STORE": "kubernetes",
            "LOOMSTEAD_ADMINISTRATOR": str(administrator),
            "LOOMSTEAD_SERVICE_ACCOUNT": str(api.account),
            "KUBERNETES_SERVICE_HOST": url.host,
            "KUBERNETES_SERVICE_PORT": str(url.port),
        }
    )


def secrets_in(content: dict[str, str]) -> list[str]:
    return [password_of(value) if name.endswith(PGPASS) else value for name, value in content.items()]


async def test_two_at_once_make_everything_and_a_third_changes_nothing(job: Job, allowed: Pods, cloud: Cloud) -> None:
    outcomes = await asyncio.gather(job.run(), job.run())
    assert [code for code, _ in outcomes] == [0, 0], outcomes
    kept = held(allowed)
    assert kept.keys() == MAKERS.keys()
    password = password_of(kept["gateway.pgpass"])
    async with cloud.place.sign_in("gateway", password, access.RUNTIME) as connection:
        assert await connection.fetchval("SELECT count(*) FROM tasks") == 0
    marks = "SELECT string_agg(rolname || rolpassword, ' ' ORDER BY 1) FROM pg_authid"
    before = await cloud.ask(marks)
    code, said = await job.run()
    assert (code, held(allowed), await cloud.ask(marks)) == (0, kept, before)
    for spoken in (said, *(text for _, text in outcomes)):
        assert not any(secret in spoken for secret in secrets_in(kept))


async def test_the_orchestrator_finds_its_databases_and_what_to_sign_in_with(
    job: Job, allowed: Pods, cloud: Cloud
) -> None:
    assert (await job.run())[0] == 0
    allow(allowed, allowed.tools, "temporal")
    job.environment["LOOMSTEAD_ORCHESTRATOR_SECRET"] = f"{allowed.tools}/temporal"
    code, said = await job.run()
    assert code == 0, said
    password = password_of(held(allowed)["temporal.pgpass"])
    assert held(allowed, allowed.tools, "temporal") == {PASSWORD: password}
    assert password not in said
    for database in ("temporal", "temporal_visibility"):
        async with cloud.place.sign_in("temporal", password, database) as connection:
            await connection.execute("CREATE TABLE its_own (id int)")


async def test_an_orchestrators_secret_out_of_reach_is_said(job: Job, allowed: Pods) -> None:
    job.environment["LOOMSTEAD_ORCHESTRATOR_SECRET"] = f"{allowed.tools}/temporal"
    code, said = await job.run()
    assert code == 1
    assert f"Secret {allowed.tools}/temporal: the Kubernetes API answered 403" in said


async def test_the_job_goes_on_where_it_was_cut_off(job: Job, allowed: Pods, cloud: Cloud) -> None:
    cloud.server.stop()
    code, said = await job.run()
    assert code == 1
    assert "postgres at 127.0.0.1" in said
    assert "Traceback" not in said
    kept = held(allowed)
    cloud.server.start()
    assert (await job.run())[0] == 0
    assert held(allowed) == kept


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"LOOMSTEAD_SECRET": ""}, "LOOMSTEAD_SECRET is not set"),
        ({"LOOMSTEAD_SECRET_STORE": "vault"}, "expected kubernetes or aws-secrets-manager"),
        ({"LOOMSTEAD_SECRET_STORE": "aws-secrets-manager"}, "LOOMSTEAD_SECRET_KEY is not set"),
        ({"LOOMSTEAD_ADMINISTRATOR": ""}, "name exactly one: LOOMSTEAD_ADMINISTRATOR"),
        ({"LOOMSTEAD_RDS_INSTANCE": "primary"}, "name exactly one: LOOMSTEAD_ADMINISTRATOR"),
        ({"LOOMSTEAD_ADMINISTRATOR": "/nowhere"}, "/nowhere: the administrator's"),
        ({"LOOMSTEAD_AGENT_SESSIONS": "many"}, "LOOMSTEAD_AGENT_SESSIONS is 'many'"),
        ({"LOOMSTEAD_ISSUER_DOCUMENTS": "gs://bucket"}, "expected s3://"),
        ({"KUBERNETES_SERVICE_HOST": ""}, "KUBERNETES_SERVICE_HOST is not set"),
        ({"LOOMSTEAD_REGION": "elsewhere"}, "it is for region 'local'"),
    ],
)
async def test_what_it_is_told_wrongly_is_named_in_one_line(job: Job, changed: dict[str, str], line: str) -> None:
    job.environment |= changed
    code, said = await job.run()
    assert code == START_REFUSED, said
    assert line in said
    assert "Traceback" not in said
