"""What an organisation on Google Cloud has to allow, for its own policies go before the stack's.

Roles and permissions: docs.cloud.google.com, iam/docs/roles-permissions/orgpolicy. Groups and subtrees in a list: the
Organization Policy API, v2, Constraint.ListConstraint.
"""

from collections.abc import Iterator, Mapping

from components.spec import FabricSpec, Platform
from scripts.preflight.facts import Facts, Rule
from scripts.preflight.results import Grade, Result, passed, unknown

ROLE = "roles/orgpolicy.policyAdmin"
NEEDED = ("orgpolicy.policies.create", "orgpolicy.policies.update", "orgpolicy.policies.delete")
_EXACT, _GROUPS = "is:", ("in:", "under:")


def organisation(facts: Facts, spec: FabricSpec, needed: Mapping[str, tuple[str, ...]]) -> Iterator[Result]:
    """``needed``: constraint → values that the stack takes to be allowed by it."""
    if spec.platform is not Platform.GCP:
        return
    yield _above(facts.organisation)
    yield _role(facts.permissions or {})
    for constraint, values in needed.items():
        yield _constraint(constraint, values, (facts.constraints or {}).get(constraint))


def _above(organisation: str | None) -> Result:
    if organisation is None:
        return unknown("organisation/there", "organisation")
    if not organisation:
        remedy = "move the project into an organisation: only there can policies be set"
        return Result("organisation/there", Grade.FAIL, "project", "it is in no organisation", remedy)
    return passed("organisation/there", organisation, "the project is in it")


def _role(permissions: Mapping[str, bool]) -> Result:
    code = "organisation/role"
    if denied := [each for each in NEEDED if permissions.get(each) is False]:
        remedy = f"have the organisation grant the deployer {ROLE}; no project can"
        return Result(code, Grade.FAIL, ROLE, f"the deployer lacks {', '.join(denied)}", remedy)
    if not all(permissions.get(each) for each in NEEDED):
        return unknown(code, ROLE)
    return passed(code, ROLE, "the deployer may set the project's policies")


def _constraint(constraint: str, values: tuple[str, ...], rules: tuple[Rule, ...] | None) -> Result:
    code = "organisation/constraint"
    if rules is None:
        return unknown(code, constraint)
    if any(rule.conditional for rule in rules):
        message, remedy = "it depends on tags, which nobody looked at here", "ask whoever administers the organisation"
        return Result(code, Grade.INFO, constraint, message, remedy)
    decided = {value: _allowed(value, rules) for value in values}
    if refused := [value for value, allowed in decided.items() if allowed is False]:
        remedy = "have the organisation except this project, before the first `pulumi up`"
        return Result(code, Grade.FAIL, constraint, f"it refuses {', '.join(refused)}", remedy)
    if untold := [value for value, allowed in decided.items() if allowed is None]:
        message = f"whether its groups hold {', '.join(untold)} is not known here"
        return Result(code, Grade.INFO, constraint, message, "ask whoever administers the organisation")
    return passed(code, constraint, f"refuses none of the {len(values)} that the stack needs")


def _allowed(value: str, rules: tuple[Rule, ...]) -> bool | None:
    """``None``: a group decides it, and what is in that is the organisation's or Google's to say."""
    allowed = {each.removeprefix(_EXACT) for rule in rules for each in rule.allowed}
    denied = {each.removeprefix(_EXACT) for rule in rules for each in rule.denied}
    spelt = {value, f"in:{value}-locations"}
    if any(rule.deny_all for rule in rules) or spelt & denied:
        return False
    if any(each.startswith(_GROUPS) for each in denied):
        return None
    if not allowed or spelt & allowed:
        return True
    return None if any(each.startswith(_GROUPS) for each in allowed) else False
