"""What an endpoint's policy denies, read as IAM reads it: no statement that is not understood counts."""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

_CALLS = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
"""The actions that every call of a model needs; Converse is authorised as these."""


def denies_global_profiles(policy: Any, partition: str, region: str) -> bool:
    """Whether nobody can call a global profile of Bedrock by this policy (JSON text or mapping); unreadable: no."""
    profile = f"arn:{partition}:bedrock:{region}:123456789012:inference-profile/global.anthropic.claude"
    denials = [statement for statement in _statements(policy) if _is_denial(statement)]
    return all(any(_covers(statement, action, profile) for statement in denials) for action in _CALLS)


def _statements(policy: Any) -> Iterator[Mapping[str, Any]]:
    try:
        read = json.loads(policy) if isinstance(policy, str) else policy
    except ValueError:
        return
    if isinstance(read, Mapping):
        yield from (statement for statement in _listed(read.get("Statement")) if isinstance(statement, Mapping))


def _is_denial(statement: Mapping[str, Any]) -> bool:
    """A denial to everybody; ``NotAction`` and the like are not read."""
    known = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    everybody = statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    return statement.get("Effect") == "Deny" and everybody and known.issuperset(statement)


def _covers(statement: Mapping[str, Any], action: str, profile: str) -> bool:
    return (
        any(fnmatchcase(action.lower(), str(pattern).lower()) for pattern in _listed(statement.get("Action")))
        and any(fnmatchcase(profile, str(pattern)) for pattern in _listed(statement.get("Resource")))
        and all(_holds(*condition, profile) for condition in _conditions(statement.get("Condition", {})))
    )


def _conditions(condition: Any) -> Iterator[tuple[str, str, Any]]:
    """Operator, key and values of each; what cannot be read is a condition that never holds."""
    if not isinstance(condition, Mapping) or not all(isinstance(tests, Mapping) for tests in condition.values()):
        yield "", "", None
        return
    for operator, tests in condition.items():
        for key, values in tests.items():
            yield operator, key, values


def _holds(operator: str, key: str, values: Any, profile: str) -> bool:
    """Whether a condition holds for each global call: by its profile, or by the region that no global call names."""
    if key.lower() == "bedrock:inferenceprofilearn" and operator in {"ArnLike", "StringLike"}:
        return any(fnmatchcase(profile, str(pattern)) for pattern in _listed(values))
    return operator == "StringEquals" and key.lower() == "aws:requestedregion" and "unspecified" in _listed(values)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
