"""What the benchmark of residency measures: that the cases are what they say, and that a failed review is no figure."""

import subprocess
from pathlib import Path

import pytest

from regions.boundary import Flow
from scripts.benchmarks.residency import ON, REGIMES, boundary, catalogue, decisions, figure, review
from tests.fixtures.reviews import stack_file


def test_the_boundary_has_several_regimes_and_relaxations() -> None:
    rules = boundary().rules
    assert {rule.id.partition("/")[0] for rule in rules} >= set(REGIMES)
    assert max(len(rule.exemptions) for rule in rules) == 10
    assert boundary().decide(Flow("m", "process", ("DE",), "personal"), ON).allowed


def test_a_figure_tells_least_median_and_most() -> None:
    assert figure("x", "s", [3, 1, 2], 5).least == 1
    assert figure("x", "s", [3, 1, 2], 5).median == 2
    assert figure("x", "s", [3, 1, 2], 5).most == 3


def test_every_figure_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.benchmarks.residency.DECISIONS", 10)
    for one in [*decisions(2), catalogue(1)]:
        assert 0 < one.least <= one.median <= one.most


def test_a_review_is_measured_as_a_process_with_its_memory() -> None:
    seconds, memory = review("shipped", [], 1)
    assert seconds.least > 0
    assert 10 < memory.least < 500


def test_a_review_that_finds_something_gives_no_figure(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        review("wrong", [stack_file(tmp_path)], 1)
