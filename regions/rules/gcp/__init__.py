"""Rules on ``gcp`` resources: G01 to G28."""

from regions.rules.gcp import data, ground, keys, logs, models, traffic
from regions.rules.rule import ResourceRule

RULES: tuple[ResourceRule, ...] = (
    *ground.RULES,
    *keys.RULES,
    *data.RULES,
    *logs.RULES,
    *traffic.RULES,
    *models.RULES,
)
