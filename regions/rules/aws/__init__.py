"""Rules on AWS resources, A01 to A40 of the residency facts, by theme."""

from regions.rules.aws import copies, databases, edge, events, logs, models, where
from regions.rules.rule import ResourceRule

RULES: tuple[ResourceRule, ...] = tuple(
    sorted(
        (rule for theme in (where, databases, copies, logs, edge, models, events) for rule in theme.RULES),
        key=lambda rule: rule.id,
    )
)
