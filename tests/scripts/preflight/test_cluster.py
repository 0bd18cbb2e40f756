"""A cluster is ready when its operators are as the fabric was written for, and bring images that are admitted."""

import json
from typing import Any

import pytest

from components.backup import kubernetes as backup
from components.loading import load_spec
from components.naming import REPOSITORY
from components.spec import Backup
from scripts.kubernetes.definitions import SOURCES
from scripts.preflight.cluster import OPERATORS, apis, cluster
from scripts.preflight.facts import Facts
from scripts.preflight.results import Grade, Result
from scripts.preflight.wanted import brought

SPEC = load_spec(REPOSITORY / "stacks" / "Pulumi.kubernetes-onprem.yaml")
STACK = "kubernetes-onprem"
RECORDED = json.loads((REPOSITORY / "tests" / "fixtures" / "facts" / "kubernetes.json").read_text())
DIGEST = "sha256:" + "4e" * 32


def checked(**other: Any) -> list[Result]:
    return [*cluster(Facts.model_validate({**RECORDED, **other}), SPEC, brought(SPEC, STACK))]


def operator(name: str, **other: Any) -> list[Result]:
    operators = {**RECORDED["operators"], name: {**RECORDED["operators"][name], **other}}
    return [each for each in checked(operators=operators) if each.subject.startswith(name)]


def secret(keys: list[str] | None) -> Result:
    name = "kubernetes-onprem-primary/backup"
    (found,) = [each for each in checked(secrets={**RECORDED["secrets"], name: keys}) if each.subject == name]
    return found


@pytest.mark.parametrize("group", apis(SPEC))
def test_each_operator_that_a_cluster_lacks_is_named(group: str) -> None:
    results = checked(apis=[each for each in RECORDED["apis"] if each != group])

    assert [each.subject for each in results if (each.code, each.grade) == ("cluster/apis", Grade.FAIL)] == [group]


def test_a_cluster_without_a_store_a_model_or_cilium_needs_no_operators_of_theirs() -> None:
    without = SPEC.cluster.model_copy(update={"cilium": False})
    less = SPEC.model_copy(update={"cluster": without, "backup": Backup(), "models": {}})

    assert apis(SPEC).keys() - apis(less).keys() == {"keda.sh", "barmancloud.cnpg.io", "cilium.io"}
    assert brought(less, STACK) == {}
    subjects = {each.subject for each in cluster(Facts.model_validate(RECORDED), less, {})}
    assert not {"keda", "plugin-barman-cloud", "plugin-barman-cloud SIDECAR_IMAGE"} & subjects


def test_operators_are_held_to_the_versions_whose_definitions_the_fabric_is_tested_with() -> None:
    tested = {source.module.removesuffix("/v2").rpartition("/")[2]: source.version for source in SOURCES}

    for name, written in OPERATORS.items():
        assert tested[name].startswith("v{}.{}.".format(*written.since)), name


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(
    ("version", "grade"),
    [("0.1.0", Grade.FAIL), ("v0.14.9", Grade.FAIL), ("99.0.0", Grade.WARN), (None, Grade.INFO), ("main", Grade.INFO)],
)
def test_an_older_operator_fails_a_newer_is_told_and_an_unknown_is_not_passed(
    name: str, version: str | None, grade: Grade
) -> None:
    (found,) = [each for each in operator(name, version=version) if each.code == "cluster/operator"]

    assert found.grade is grade
    assert found.remedy


@pytest.mark.parametrize("name", ["cloudnative-pg", "plugin-barman-cloud"])
@pytest.mark.parametrize(
    ("image", "grade"),
    [
        ("ghcr.io/cloudnative-pg/cloudnative-pg:1.30.1", Grade.FAIL),
        ("registry.corp.example/cloudnative-pg/cloudnative-pg:1.30.1", Grade.FAIL),
        (f"ghcr.io/cloudnative-pg/cloudnative-pg@{DIGEST}", Grade.FAIL),
        (f"registry.corp.example.org/cloudnative-pg@{DIGEST}", Grade.FAIL),
        (f"registry.corp.example/cloudnative-pg/cloudnative-pg@{DIGEST}", Grade.PASS),
        (f"registry.corp.example/cloudnative-pg/cloudnative-pg:1.30.1@{DIGEST}", Grade.PASS),
        (None, Grade.INFO),
    ],
)
def test_what_an_operator_puts_into_pods_comes_from_the_registry_by_digest(
    name: str, image: str | None, grade: Grade
) -> None:
    (found,) = [each for each in operator(name, image=image) if each.code == "cluster/operator-image"]

    assert found.grade is grade


def test_a_secret_that_a_person_brings_has_its_keys() -> None:
    assert secret(["access-key-id", "secret-access-key"]).grade is Grade.PASS
    lacks = secret(["access-key-id"])
    assert (lacks.grade, lacks.message) == (Grade.FAIL, "it has no secret-access-key")
    assert secret([]).grade is Grade.FAIL


def test_before_the_first_up_it_is_told_what_to_lay_down_and_when() -> None:
    first = secret(None)

    assert first.grade is Grade.INFO
    assert "access-key-id, secret-access-key" in first.remedy


@pytest.mark.parametrize("nobody", ["operators", "secrets", "apis", "storage_classes", "regions", "gpus"])
def test_what_nobody_asked_of_a_cluster_is_not_passed(nobody: str) -> None:
    asked, unasked = checked(), checked(**{nobody: None})

    changed = {(each.code, each.subject) for each in asked} & {
        (each.code, each.subject) for each in unasked if each.grade is Grade.INFO
    }
    assert changed
    assert len(asked) == len(unasked)


def test_secrets_are_called_as_the_fabric_reads_them() -> None:
    assert f"{STACK}-primary/{backup.SECRET}" in brought(SPEC, STACK)
