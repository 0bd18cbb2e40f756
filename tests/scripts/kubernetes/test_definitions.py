"""Definitions of the operators' custom resources: what is fetched is what was pinned, or nothing."""

import pytest

from scripts.command import StepFailed
from scripts.kubernetes import definitions
from scripts.kubernetes.definitions import SOURCES, ensure_definitions
from tests.scripts.kubernetes.test_kubernetes import silent


def test_each_source_gives_definitions() -> None:
    found = list(definitions.definitions(ensure_definitions(silent)))
    assert {each["kind"] for each in found} == {"CustomResourceDefinition"}
    names = {each["metadata"]["name"] for each in found}
    assert {
        "clusters.postgresql.cnpg.io",
        "scheduledbackups.postgresql.cnpg.io",
        "objectstores.barmancloud.cnpg.io",
        "certificates.cert-manager.io",
    } <= names


def test_a_module_with_another_hash_is_refused_and_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    (source, *_) = [each for each in SOURCES if each.module.endswith("plugin-barman-cloud")]
    monkeypatch.setattr(definitions, "SOURCES", (source._replace(hash="h1:another"),))
    for _ in range(2):
        with pytest.raises(StepFailed, match="has the hash h1:gNVytrzzYUE08wxLDrjfJqy1FPPSFkMe1OEr4s4pVI0=, not h1:a"):
            ensure_definitions(silent)
