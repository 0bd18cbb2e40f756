"""Who deploys a cluster with a private API has to reach it, and hears before the first `pulumi up` how."""

from typing import Any

import pytest

from components.loading import load_spec
from components.naming import REPOSITORY
from components.spec import Extent
from scripts.preflight.facts import Facts, read
from scripts.preflight.reach import reached
from scripts.preflight.results import Grade, Result

SPEC = load_spec(REPOSITORY / "stacks" / "Pulumi.aws-eu-central-1.yaml")
FACTS = read(REPOSITORY / "tests" / "fixtures" / "facts" / "aws.json")


def found(code: str, **other: Any) -> Result:
    (result,) = [each for each in reached(FACTS.model_copy(update=other), SPEC) if each.code == code]
    return result


@pytest.mark.parametrize(
    ("reach", "grade"), [("answers", Grade.PASS), ("absent", Grade.INFO), ("silent", Grade.FAIL), (None, Grade.INFO)]
)
def test_a_cluster_that_is_there_has_to_answer(reach: str | None, grade: Grade) -> None:
    said = found("cluster/reach", reach=Facts.model_validate({**FACTS.model_dump(), "reach": reach}).reach)

    assert said.grade is grade
    assert bool(said.remedy) is (grade is not Grade.PASS)


def test_before_it_is_there_the_foundation_s_network_is_to_be_attached() -> None:
    said = found("cluster/reach")

    assert said.grade is Grade.INFO
    assert "extent: foundation" in said.remedy
    assert SPEC.cluster.callers[0] in said.remedy


@pytest.mark.parametrize(
    ("machine", "grade"), [("10.8.200.1", Grade.PASS), ("192.168.1.20", Grade.WARN), ("fd00::1", Grade.WARN)]
)
def test_the_machine_is_one_of_the_callers(machine: str, grade: Grade) -> None:
    address = Facts.model_validate({**FACTS.model_dump(), "machine": machine}).machine

    assert found("cluster/callers", machine=address).grade is grade


def test_a_machine_that_is_not_known_is_not_passed() -> None:
    assert found("cluster/callers", machine=None).grade is Grade.INFO


OWN = SPEC.model_copy(update={"cluster": SPEC.cluster.model_copy(update={"own": "platform", "callers": ()})})


@pytest.mark.parametrize(
    ("reach", "grade"), [("answers", Grade.PASS), ("absent", Grade.FAIL), ("silent", Grade.FAIL), (None, Grade.INFO)]
)
def test_of_an_own_cluster_nothing_is_wanted_that_a_stack_file_may_not_say_beside_it(
    reach: str | None, grade: Grade
) -> None:
    facts = Facts.model_validate({**FACTS.model_dump(), "reach": reach, "machine": "192.168.1.20"})
    (said,) = reached(facts, OWN)

    assert (said.code, said.grade, said.subject) == ("cluster/reach", grade, "platform")
    assert "callers" not in said.remedy
    assert "extent" not in said.remedy


def test_a_foundation_has_no_cluster_to_reach() -> None:
    assert [*reached(FACTS, SPEC.model_copy(update={"extent": Extent.FOUNDATION}))] == []
