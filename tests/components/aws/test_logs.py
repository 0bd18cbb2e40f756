"""Log groups have a key and forget, after a time that CloudWatch takes."""

import inspect
import re

import pulumi_aws as aws
import pytest

from components.aws.logs import KEPT_DAYS, checked_days
from components.infrastructure import Refused


def test_the_days_are_those_that_the_sdk_documents() -> None:
    told = re.search(r"Possible values are: ([\d, and]+)", inspect.getsource(aws.cloudwatch.LogGroup))

    assert told
    assert {int(day) for day in re.findall(r"\d+", told[1])} - {0} == set(KEPT_DAYS)


@pytest.mark.parametrize(("asked", "told"), [(100, "the next that it can is 120"), (4000, "it can is 3653")])
def test_days_that_cloudwatch_does_not_take_are_refused(asked: int, told: str) -> None:
    with pytest.raises(Refused, match=told):
        checked_days(asked)
