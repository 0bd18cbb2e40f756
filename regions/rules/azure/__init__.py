"""Rules on ``azure-native`` resources: Z01 to Z30."""

from regions.rules.azure import copies, data, ground, logs, models, traffic
from regions.rules.rule import ResourceRule

RULES: tuple[ResourceRule, ...] = (
    *ground.RULES,
    *models.RULES,
    *data.RULES,
    *copies.RULES,
    *logs.RULES,
    *traffic.RULES,
)
