"""One error, one table, one shape; what an SDK may try again by itself is said in a header."""

import pytest

from runtime.errors import CODES, PROBLEM_BASE, Refused


@pytest.mark.parametrize("code", CODES)
def test_every_code_makes_a_whole_problem_document(code: str) -> None:
    refused = Refused(code, "what happened", remedy="what to do", rule="a rule", approval="apr")
    status, title = CODES[code]
    assert refused.problem() == {
        "type": PROBLEM_BASE + code,
        "title": title,
        "status": status,
        "code": code,
        "detail": "what happened",
        "rule": "a rule",
        "remedy": "what to do",
        "approval": "apr",
    }


@pytest.mark.parametrize(
    ("code", "final"),
    [("replayed", True), ("iteration_limit", True), ("outside_boundary", True), ("upstream_timeout", False)],
)
def test_what_cannot_be_helped_by_trying_again_says_so(code: str, final: bool) -> None:
    assert ("x-should-retry" in Refused(code, "", remedy="").headers()) is final


def test_a_code_that_is_not_in_the_table_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        Refused("unheard_of", "", remedy="")
