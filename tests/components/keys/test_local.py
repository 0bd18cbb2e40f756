"""Secrets are files that only their owner reads; the engine sees public keys and paths."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from components.keys.local import MAKERS, MANIFEST_KEY, ROLES, SIGNERS, SYMMETRIC, SecretFilesProvider

provider = SecretFilesProvider()


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    return {"home": str(tmp_path / "a home with spaces" / "local")}


@pytest.fixture
def outputs(inputs: dict[str, Any]) -> dict[str, Any]:
    outputs = provider.create(inputs).outs
    assert outputs is not None
    return outputs


def contents(outputs: dict[str, Any]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(outputs["secrets"]).iterdir()}


def test_folder_and_files_are_closed_to_others(outputs: dict[str, Any]) -> None:
    folder = Path(outputs["secrets"])

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.name for path in folder.iterdir()} == {*MAKERS, MANIFEST_KEY}


def test_keys_have_their_forms(outputs: dict[str, Any]) -> None:
    made = contents(outputs)

    for name in SIGNERS:
        key = ECKey.import_key(json.loads(made[f"{name}.jwk"]))
        assert (key.curve_name, key.is_private) == ("P-256", True)
        assert json.loads(made[f"{name}.jwk"])["kid"] == key.thumbprint()
    assert {len(base64.b64decode(made[f"{name}.key"])) for name in SYMMETRIC} == {32}
    for role in ROLES:
        *place, user, password = made[f"{role}.pgpass"].decode().strip().split(":")
        assert (place, user) == (["*", "*", "*"], role)
        assert len(password) >= 32


def test_only_public_halves_and_paths_are_outputs(outputs: dict[str, Any]) -> None:
    made = contents(outputs)
    secrets = [json.loads(made[f"{name}.jwk"])["d"] for name in SIGNERS]
    secrets += [made[f"{name}.key"].decode() for name in SYMMETRIC]
    secrets += [made[f"{role}.pgpass"].decode().strip().rpartition(":")[2] for role in ROLES]

    assert [secret for secret in secrets if secret in json.dumps(outputs)] == []
    assert json.loads(made[MANIFEST_KEY]) == outputs["public"]["manifest"]
    assert not ECKey.import_key(outputs["public"]["worker"]).is_private


def test_creating_again_keeps_every_secret(inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
    before = contents(outputs)

    assert provider.create(inputs).outs == outputs
    assert contents(outputs) == before
    assert provider.diff("id", outputs, inputs).changes is False


def test_a_lost_secret_is_drift_and_made_anew_under_a_new_generation(
    inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    before = contents(outputs)
    Path(outputs["secrets"], "worker.jwk").unlink()

    assert provider.diff("id", outputs, inputs).changes is True
    seen = provider.read("id", outputs).outs
    assert seen is not None
    assert set(outputs["files"]) - set(seen["files"]) == {"worker.jwk"}
    updated = provider.update("id", outputs, inputs).outs
    assert updated is not None
    assert updated["generation"] == outputs["generation"] + 1
    assert {name for name, content in contents(updated).items() if content != before[name]} == {"worker.jwk"}


def test_a_file_that_others_may_read_is_drift_and_closed_again(inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
    path = Path(outputs["secrets"], "issuer.jwk")
    path.chmod(0o644)
    assert provider.diff("id", outputs, inputs).changes is True

    updated = provider.update("id", outputs, inputs).outs
    assert updated == outputs
    assert path.stat().st_mode & 0o777 == 0o600


def test_deleting_removes_them_all(outputs: dict[str, Any]) -> None:
    provider.delete("id", outputs)

    assert not Path(outputs["secrets"]).exists()
    provider.delete("id", outputs)
