"""Rules on resources: which property of which type moves data, keys or logs to another place.

RULES                 every rule by id: A… (aws), Z… (azure-native), G… (gcp), X… (everywhere)
review_plan(plan)     what they have against the resources of a plan
"""

from functools import cache

from regions.findings import Finding
from regions.rules import aws, azure, everywhere, gcp
from regions.rules.rule import Plan, ResourceRule

RULES: dict[str, ResourceRule] = {rule.id: rule for family in (aws, azure, gcp, everywhere) for rule in family.RULES}


def review_plan(plan: Plan) -> list[Finding]:
    """Each rule's findings at each resource and at the plan as a whole, sorted by resource, rule and property."""
    findings = [
        finding
        for resource in plan.resources
        for rule in _rules_on(resource.type)
        for finding in rule.findings(resource, plan)
    ]
    findings += [finding for rule in RULES.values() for finding in rule.lacks(plan)]
    return sorted(findings, key=lambda finding: (finding.resource, finding.rule, finding.property, finding.message))


@cache
def _rules_on(type_: str) -> tuple[ResourceRule, ...]:
    return tuple(rule for rule in RULES.values() if rule.about(type_))
