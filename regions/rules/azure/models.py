"""Models on Azure: what a deployment's SKU, its spillover, its publisher and its connections let out."""

from collections.abc import Iterator, Mapping
from typing import Any

from regions.catalogue import Country
from regions.endpoints import Serving, UnknownServing, serving
from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.azure.places import parent_of, place, refers_within
from regions.rules.clauses import absent, one_of, region_name
from regions.rules.rule import UNSET, Breach, Clause, Plan, Resource, ResourceRule, values_at

_ACCOUNT = "azure-native:cognitiveservices:Account"
_DEPLOYMENT = "azure-native:cognitiveservices:Deployment"
_PROVIDERS = {"OpenAI": "azure", "Anthropic": "azure-anthropic"}
"""The catalogue's providers by ``properties.model.format``."""
_PUBLISHERS: Mapping[str, tuple[Country, ...]] = {"Anthropic": ("US",)}
"""Where a publisher that processes prompts itself may be, at best."""


def deployed(deployment: Resource, plan: Plan) -> Serving:
    """How the catalogue says that a deployment is served, where its account stands; raises ``UnknownServing``."""
    account = parent_of(deployment, plan)
    where = None if account is None else place(account, plan)
    if where is None:
        raise UnknownServing("its account is not one resource of this plan, so where it is called is not known")
    said = {path: value for path in _SAID for _, value in values_at(deployment.properties, path)}
    model, format_, sku = (said[path] if isinstance(said[path], str) else None for path in _SAID)
    if model is None or sku is None:
        raise UnknownServing("its model or its SKU is not said, so what answers is not known")
    if format_ not in _PROVIDERS:
        raise UnknownServing(f"the catalogue has no models of format {format_}")
    return serving(plan.catalogue, _PROVIDERS[format_], model, region_name(where), via=sku)


_SAID = ("properties.model.name", "properties.model.format", "sku.name")


def _served_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    try:
        found = deployed(resource, plan)
    except UnknownServing as unknown:
        yield str(unknown)
        return
    breach = plan.outside(f"{found.model} by {found.via} in {found.called}", Purpose.PROCESS, found.countries)
    if breach is not None:
        yield breach


def _spills_no_further(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    if value is UNSET:
        return
    spilled = [
        found
        for found in plan.resources
        if found.type == _DEPLOYMENT
        and found.properties.get("accountName") == resource.properties.get("accountName")
        and found.properties.get("deploymentName", found.name) == value
    ]
    if len(spilled) != 1:
        yield f"{value} is not one deployment of the same account in this plan, so where it spills to is not known"
        return
    try:
        wider = set(deployed(spilled[0], plan).countries) - set(deployed(resource, plan).countries)
    except UnknownServing as unknown:
        yield f"where it spills to is not known: {unknown}"
        return
    if wider:
        message = f"{value} is answered in more countries than this deployment"
        yield Breach("", value, message, tuple(sorted(wider)))


def _published_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach]:
    if value == "OpenAI":
        return
    breach = plan.outside(f"a model of {value}", Purpose.PROCESS, _PUBLISHERS.get(str(value), ()))
    if breach is not None:
        yield breach


def _connected(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    target = value.get("ResourceId") if isinstance(value, Mapping) else None
    if not isinstance(target, str):
        yield "metadata has no ResourceId, so which resource it leads to is not known"
        return
    category = resource.properties.get("properties", {}).get("category")
    yield from refers_within(Purpose.PROCESS, *_TARGETS.get(str(category), ()))(target, resource, plan)


_TARGETS: Mapping[str, tuple[str, ...]] = {
    "AIServices": (_ACCOUNT,),
    "ADLSGen2": ("azure-native:storage:StorageAccount",),
    "AzureBlob": ("azure-native:storage:StorageAccount",),
    "AzureOpenAI": (_ACCOUNT,),
    "AzureTableStorage": ("azure-native:storage:StorageAccount",),
    "CognitiveSearch": ("azure-native:search:Service",),
    "CognitiveService": (_ACCOUNT,),
    "ContainerRegistry": ("azure-native:containerregistry:Registry",),
    "CosmosDb": ("azure-native:cosmosdb:DatabaseAccount",),
}
"""What a connection may lead to, by category: services of Azure that stand in a region."""


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="Z03",
        title="Model deployment answered outside the Boundary",
        severity=Severity.DENY,
        types=(_DEPLOYMENT,),
        trap="the SKU decides where prompts are processed: Global* and DeveloperTier anywhere, DataZone* in several "
        "countries; the SDK takes any text",
        remedy="take a SKU and model that the catalogue has for the account's region (loomstead models where)",
        source="MicrosoftDocs/azure-ai-docs, concepts-deployment-types-content.md",
        clauses=(Clause("sku.name", _served_within),),
    ),
    ResourceRule(
        id="Z04",
        title="Model deployment that spills further than it may go itself",
        severity=Severity.DENY,
        types=(_DEPLOYMENT,),
        trap="when it is throttled, a regional deployment is answered by the one it names, which may be a global one",
        remedy="remove spilloverDeploymentName, or name a deployment of the same account with the same SKU",
        source="pulumi-azure-native 3.29.0; MicrosoftDocs/azure-ai-docs",
        clauses=(Clause("properties.spilloverDeploymentName", _spills_no_further),),
    ),
    ResourceRule(
        id="Z05",
        title="AI account that is open, or in several regions",
        severity=Severity.DENY,
        types=(_ACCOUNT,),
        trap="locations routes requests to other regions; an open network and keys let prompts in and out unseen",
        remedy="no locations; publicNetworkAccess Disabled, restrictOutboundNetworkAccess and disableLocalAuth true",
        source="pulumi-azure-native 3.29.0; defaults known",
        clauses=(
            Clause("properties.locations", absent("requests are routed to the regions that it lists")),
            Clause("properties.publicNetworkAccess", one_of(("Disabled",), "anybody reaches it", unset="it is open")),
            Clause(
                "properties.restrictOutboundNetworkAccess",
                one_of((True,), "it calls whom it likes", unset="it calls whom it likes"),
            ),
            Clause(
                "properties.disableLocalAuth",
                one_of((True,), "a key is enough to use it", unset="a key is enough to use it"),
            ),
        ),
    ),
    ResourceRule(
        id="Z06",
        title="Model that its publisher processes",
        severity=Severity.DENY,
        types=(_DEPLOYMENT,),
        trap="Anthropic processes Claude in Foundry, in the United States or outside Azure; so do other partners",
        remedy="take a model that Azure operates, or one on another cloud inside the Boundary",
        source="MicrosoftDocs/azure-ai-docs, claude-models-hosting-comparison-content.md, 2026-07-20",
        clauses=(Clause("properties.model.format", _published_within),),
    ),
    ResourceRule(
        id="Z07",
        title="Connection that leads out of the Boundary",
        severity=Severity.DENY,
        types=(
            "azure-native:cognitiveservices:AccountConnection",
            "azure-native:cognitiveservices:ProjectConnection",
        ),
        trap="search engines, vendors' APIs and other clouds get prompts; Bing is outside Azure's boundary",
        remedy="connect to a service of Azure that this plan has inside the Boundary, its id as metadata.ResourceId",
        source="pulumi-azure-native 3.29.0; MicrosoftDocs, bing-grounding",
        clauses=(
            Clause(
                "properties.category",
                one_of(
                    tuple(_TARGETS),
                    "it is no service of Azure that stands in a region",
                    unset="its category is not said",
                ),
            ),
            Clause("properties.metadata", _connected),
        ),
    ),
)
