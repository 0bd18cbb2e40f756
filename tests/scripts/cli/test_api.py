"""The command line at the gateway of a stack that stands elsewhere: its real routers, over TLS."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from joserfc.jwk import ECKey

from components.keys.aws import FILES
from components.keys.local import SecretFilesProvider
from regions.manifest import Client, Manifest
from regions.signature import sign_manifest
from runtime.identity.issuer import Identity
from scripts.cli.api import GATEWAY_CA, Api
from scripts.cli.failure import CommandError
from scripts.cli.manifest import fetch
from scripts.cli.place import Place
from scripts.cli.pulumi import Pulumi
from scripts.engine import Engine
from tests.fixtures.authority import Authority
from tests.fixtures.bench import Bench
from tests.fixtures.gateway import application
from tests.fixtures.issuer import SUBJECTS
from tests.fixtures.postgres import free_port

STACK = "aws-eu-central-1"
KMS = ECKey.generate_key("P-256")
"""What the Manifest is signed with, and no file."""


@dataclass
class Raised:
    """A stack whose deployer has its operator's key, as ``up`` leaves it, and its Manifest, by ``manifest``."""

    place: Place
    authority: Path

    async def loomstead(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("loomstead")),
            *arguments,
            env={**os.environ, "LOOMSTEAD_HOME": str(self.place.home), **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()


def _described(bench: Bench, place: Place, gateway: str) -> Manifest:
    made = SecretFilesProvider().create({"home": str(place.folder), "signers": [*FILES]}).outs
    assert made is not None
    operator = Client(id="operator", subject=SUBJECTS["operator"], kind="person", jwk=made["public"]["operator"])
    return bench.manifest.model_copy(
        update={
            "stack": STACK,
            "platform": "aws",
            "endpoints": bench.manifest.endpoints.model_copy(update={"gateway": gateway}),
            "identities": bench.manifest.identities.model_copy(update={"clients": (operator,)}),
        }
    )


def _exporting(place: Place, manifest: Manifest) -> Pulumi:
    signed = sign_manifest(manifest, KMS.as_dict(private=True))
    told = {"manifest": json.dumps(signed), "manifest_key": json.dumps(KMS.as_dict(private=False))}
    engine = place.home / "engine" / "pulumi"
    engine.parent.mkdir(parents=True)
    (place.home / "outputs").write_text(json.dumps(told))
    engine.write_text('#!/bin/sh\ncat "$LOOMSTEAD_HOME/outputs"\n')
    engine.chmod(0o755)
    return Pulumi(Engine(engine.parent, "3"), place)


@pytest.fixture
async def raised(bench: Bench, tmp_path: Path) -> AsyncIterator[Raised]:
    home, port = tmp_path / "a home", free_port()
    place, authority = Place(STACK, home / STACK, tmp_path / "unused"), Authority.make()
    described = _described(bench, place, f"https://localhost:{port}")
    fetch(place, _exporting(place, described))
    certificate, private = tmp_path / "certificate.pem", tmp_path / "private.pem"
    authority.issue("localhost", certificate, private)
    app = application(bench, Identity.load(described, tmp_path, bench.pool, bench.grants, bench.ledger))
    served = uvicorn.Server(
        uvicorn.Config(
            app, port=port, ssl_certfile=str(certificate), ssl_keyfile=str(private), log_level="warning", ws="none"
        )
    )
    serving = asyncio.create_task(served.serve())
    while not served.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    yield Raised(place, authority.write(tmp_path / "authority.pem"))
    served.should_exit = True
    await serving


async def test_an_approval_is_seen_and_decided_by_whoever_raised_the_stack(
    bench: Bench, raised: Raised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GATEWAY_CA, str(raised.authority))
    await bench.read("4711")
    asked = await bench.call("orders.refund", {"order_id": "4711", "amount_cents": 12900}, 2)

    def decide(approval: str, digest: str) -> str:
        with Api(raised.place) as api:
            return api.post({"decision": "approve", "digest": digest}, "approvals", approval, "decision")["decided_by"]

    code, told, said = await raised.loomstead("approvals", "list", "--all", "-s", STACK, "--json")
    assert (code, said) == (0, "")
    (seen,) = json.loads(told)
    assert seen["id"] == asked.body["approval"]["id"]
    assert await asyncio.to_thread(decide, seen["id"], seen["digest"]) == SUBJECTS["operator"]


async def test_a_gateway_whose_authority_nobody_named_is_not_spoken_to(raised: Raised) -> None:
    code, _, said = await raised.loomstead("approvals", "list", "-s", STACK)
    assert (code, "CERTIFICATE_VERIFY_FAILED" in said, "Traceback" in said) == (1, True, False)


async def test_an_authority_that_cannot_be_read_is_named(raised: Raised, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    for file in ("none.pem", "missing.pem"):
        told = {GATEWAY_CA: str(tmp_path / file)}
        code, _, said = await raised.loomstead("approvals", "list", "-s", STACK, **told)
        assert (code, "Traceback" in said) == (1, False)
        assert f"{GATEWAY_CA}: " in said


async def test_a_secret_that_is_elsewhere_is_named_with_how_to_come_by_it(
    raised: Raised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GATEWAY_CA, str(raised.authority))
    (raised.place.secrets / "operator.jwk").unlink()
    with Api(raised.place) as api:
        with pytest.raises(CommandError, match=r"operator\.jwk is not there\. Whoever raised the stack has it"):
            api.get("approvals")
        with pytest.raises(CommandError, match=r"webhook\.key is not there\. The fabric keeps it"):
            api.send_event("order-desk", "mail", {"text": "x"})
