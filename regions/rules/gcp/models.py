"""Models and search on Google Cloud: where they answer, what they log and cache."""

from collections.abc import Iterator
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.clauses import one_of, within
from regions.rules.gcp.places import named, stored_within
from regions.rules.rule import UNSET, Breach, Clause, Plan, Resource, ResourceRule

_JURISDICTIONS = {"eu": ("eu",), "us": ("US",)}
"""The multi-regions that commit to a jurisdiction, as terms of the catalogue; ``global`` commits to nothing."""


def _jurisdiction_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    if str(value) not in _JURISDICTIONS:
        yield "it is neither eu nor us, and there are no other places that commit to any country"
        return
    countries = tuple(sorted(plan.catalogue.expand(_JURISDICTIONS[str(value)], plan.boundary.host)))
    for purpose in (Purpose.REST, Purpose.PROCESS):
        if breach := plan.outside(f"{resource.name} in {value}", purpose, countries):
            yield breach
            return


def _logged_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """``bq://project.dataset`` or ``bq://project.dataset.table``."""
    parts = [] if value is UNSET else str(value).removeprefix("bq://").split(".")
    dataset = named(plan, parts[1], "gcp:bigquery/dataset:Dataset") if len(parts) > 1 else None
    yield from stored_within(resource, plan, Purpose.LOGS, dataset)


def _logs_nothing(resource: Resource) -> bool:
    logging = resource.properties.get("predictRequestResponseLoggingConfig")
    return logging is None or (isinstance(logging, dict) and logging.get("enabled") in (None, False))


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="G20",
        title="Vertex AI endpoint that answers or logs outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:vertex/aiEndpoint:AiEndpoint",),
        trap="requests and replies are logged in full to the dataset that the endpoint names, or to one that it makes",
        remedy="location inside the Boundary, and a dataset of this plan inside it for the logs, or none",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("location", within(Purpose.PROCESS, unset="its location is not said")),
            Clause(
                "predictRequestResponseLoggingConfig.bigqueryDestination.outputUri",
                _logged_within,
                unless=_logs_nothing,
            ),
        ),
    ),
    ResourceRule(
        id="G21",
        title="Prompts cached",
        severity=Severity.WARN,
        types=("gcp:vertex/aiCacheConfig:AiCacheConfig",),
        trap="Vertex AI caches prompts by default, up to 24 hours",
        remedy="set disableCache to true",
        source="docs.cloud.google.com, zero data retention; 24 hours secondary",
        clauses=(Clause("disableCache", one_of((True,), "prompts are cached", unset="prompts are cached")),),
    ),
    ResourceRule(
        id="G22",
        title="Search outside the Boundary",
        severity=Severity.DENY,
        types=(
            "gcp:discoveryengine/chatEngine:ChatEngine",
            "gcp:discoveryengine/dataStore:DataStore",
            "gcp:discoveryengine/searchEngine:SearchEngine",
        ),
        trap="Discovery Engine is in global, us or eu: there is no single country to choose",
        remedy="eu or us where the Boundary holds the whole of it; else search by a database inside the Boundary",
        source="pulumi-gcp 10.2.0",
        clauses=(Clause("location", _jurisdiction_within),),
    ),
)
