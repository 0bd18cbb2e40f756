"""Policy documents of AWS. Their members may be outputs."""

from collections.abc import Mapping

from pulumi import Input, Output

Statement = Mapping[str, object]


def document(*statements: Statement) -> Output[str]:
    """A policy of these statements, as JSON."""
    return Output.json_dumps({"Version": "2012-10-17", "Statement": [*statements]})


def trusting(service: Input[str], account: Input[str], *sources: Input[str]) -> Output[str]:
    """Who may assume a role: a service of AWS on behalf of this account alone, where named for these ARNs alone.

    Without the account a service could be asked by another one to use the role (the confused deputy).
    """
    asked: dict[str, object] = {"StringEquals": {"aws:SourceAccount": account}}
    if sources:
        asked["ArnLike"] = {"aws:SourceArn": [*sources]}
    return document(
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", "Condition": asked}
    )
