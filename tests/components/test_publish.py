"""The Manifest says what the stack file and the parts said, and the same always gives the same bytes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.keys.local import SecretFilesProvider
from components.loading import load_spec
from components.local.manifest_file import ManifestFileProvider
from components.naming import REPOSITORY
from components.publish import Ground, build
from components.spec import Platform
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue
from regions.signature import SignatureError, verify_manifest

ANSWERS: dict[str, Any] = {
    "endpoints": {
        "gateway": "http://127.0.0.1:20001",
        "orchestrator": {"kind": "temporal", "address": "127.0.0.1:20002", "ui": "http://127.0.0.1:20003"},
        "primary_host": "127.0.0.1",
        "primary_port": 20004,
        "replica_host": "127.0.0.1",
        "replica_port": 20005,
        "database": "loomstead",
    },
    "model_url": "http://127.0.0.1:20006/v1",
    "core_systems": [
        {
            "name": "orders",
            "url": "http://127.0.0.1:20007",
            "openapi": "http://127.0.0.1:20007/openapi.json",
            "country": "DE",
        }
    ],
    "issuer": "http://127.0.0.1:20001",
    "clients": [
        {"id": "worker", "subject": "spiffe://local.loomstead/worker", "kind": "workload", "jwk": {"kty": "EC"}}
    ],
}


@pytest.fixture(scope="module")
def ground() -> Ground:
    spec = load_spec(REPOSITORY / "stacks" / "Pulumi.local.yaml")
    catalogue = load_catalogue()
    return Ground("local", spec, compile_boundary(spec.residency, catalogue, host="DE"), catalogue)


def test_it_holds_the_spec_the_boundary_and_the_answers(ground: Ground) -> None:
    manifest = build(ground, ANSWERS)

    assert (manifest.stack, manifest.platform, manifest.country) == ("local", "local", "DE")
    assert manifest.boundary_digest == ground.boundary.digest
    assert manifest.catalogue_digest == ground.catalogue.digest
    assert manifest.spec_digest == ground.spec.digest
    assert [model.name for model in manifest.models] == ["chat-small/here"]
    assert [system.name for system in manifest.core_systems] == ["orders"]
    assert manifest.identities.clients[0].id == "worker"


def test_a_cloud_stack_stands_where_its_region_does(ground: Ground) -> None:
    spec = ground.spec.model_copy(update={"platform": Platform.AWS, "region": "eu-central-1", "country": None})

    assert build(replace(ground, spec=spec), ANSWERS).country == "DE"


def test_the_same_said_in_another_order_has_the_same_digest(ground: Ground) -> None:
    turned = {key: ANSWERS[key] for key in reversed(ANSWERS)}

    assert build(ground, turned).digest == build(ground, ANSWERS).digest


class TestFile:
    """The signed file as the engine keeps it."""

    provider = ManifestFileProvider()

    @pytest.fixture
    def inputs(self, tmp_path: Path, ground: Ground) -> dict[str, Any]:
        home = tmp_path / "a home" / "local"
        keys = SecretFilesProvider().create({"home": str(home)}).outs
        assert keys is not None
        return {
            "home": str(home),
            "manifest": build(ground, ANSWERS).model_dump_json(),
            "secrets": keys["secrets"],
            "kid": keys["public"]["manifest"]["kid"],
        }

    @pytest.fixture
    def outputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        outputs = self.provider.create(inputs).outs
        assert outputs is not None
        return outputs

    def test_it_verifies_with_the_public_key_file(self, outputs: dict[str, Any], ground: Ground) -> None:
        document = json.loads(Path(outputs["path"]).read_text())
        key = json.loads(Path(outputs["secrets"], "manifest.public.jwk").read_text())

        assert verify_manifest(document, key) == build(ground, ANSWERS)
        document["manifest"]["country"] = "US"
        with pytest.raises(SignatureError):
            verify_manifest(document, key)

    def test_it_is_left_alone_until_it_or_its_inputs_change(
        self, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> None:
        assert self.provider.diff("id", outputs, inputs).changes is False
        assert self.provider.diff("id", outputs, {**inputs, "kid": "another"}).changes is True
        Path(outputs["path"]).write_text("{}")
        assert self.provider.diff("id", outputs, inputs).changes is True
        updated = self.provider.update("id", outputs, inputs).outs
        assert updated is not None
        assert updated["digest"] == outputs["digest"]

    def test_deleting_removes_it(self, outputs: dict[str, Any]) -> None:
        self.provider.delete("id", outputs)

        assert not Path(outputs["path"]).exists()
