"""Where models of Microsoft Foundry are called and answered, entered a second time: by region, the tables by model.

Names are short: ``4.1-mini`` is ``gpt-4.1-mini``, ``large`` the third embedder.
"""

from collections.abc import Iterator

from regions.catalogue import Catalogue
from tests.fixtures.served import AZURE_WORLD, BOUNDARY, Key, assert_served

STANDARD = """
eastus eastus2: 4.1 4.1-mini 4o 4o-mini 5.1 o1 o4-mini large small ada
northcentralus southcentralus: 4.1 4.1-mini 4o 4o-mini 5.1 o1 o4-mini ada
westus: 4.1 4.1-mini 4o 4o-mini 5.1 o1 o4-mini small ada
westus3: 4.1 4.1-mini 4o 4o-mini 5.1 o1 o4-mini large ada
centralus: 4o 5.1
brazilsouth: ada
canadaeast: 4.1-mini 4o large small ada
francecentral: 4.1-mini 4o large ada
germanywestcentral polandcentral spaincentral koreacentral southeastasia: large
norwayeast: 4o large ada
swedencentral: 4.1 4.1-mini 4o 4o-mini 5.1 o1 o4-mini large ada
switzerlandnorth: 4.1 4.1-mini 4o large small ada
uksouth: 4.1-mini 4o large ada
westeurope: 4.1-mini ada
australiaeast japaneast: 4.1-mini 4o large small ada
southindia: 4.1-mini 4o large ada
southafricanorth: large ada
uaenorth: large small ada
usgovarizona: 4.1 4.1-mini 4o large small ada
usgovvirginia: 4.1 4.1-mini 4o ada
"""
PROVISIONED = """
brazilsouth: 4.1 4.1-mini 4o 4o-mini
canadacentral: 4o-mini 5.2
canadaeast: 4o 4o-mini 5 5-mini 5.1 5.2 o3-mini
centralus: 4.1 4o 5 o4-mini
eastus: 4.1 4.1-mini 4.1-nano 4o 4o-mini 5 5.1 5.5 o3 o4-mini
eastus2: 4.1 4.1-mini 4.1-nano 4o 4o-mini 5 5-mini 5.1 o3 o3-mini o4-mini
northcentralus: 4.1 4.1-mini 4.1-nano 4o 4o-mini 5 o3 o4-mini
southcentralus: 4.1 4.1-mini 4.1-nano 4o-mini 5 o3 o3-mini o4-mini
westus: 4.1 4.1-mini 4.1-nano 4o 4o-mini 5 5.2 o3 o4-mini
westus3: 4.1 4.1-mini 4.1-nano 4o 4o-mini 5 5-mini 5.1 5.2 5.4-mini o1 o3 o4-mini
francecentral norwayeast spaincentral switzerlandwest: 4o-mini
germanywestcentral: 4.1 4o
polandcentral: 4o
swedencentral: 4.1 4.1-mini 4.1-nano 4o 4o-mini 5-mini 5.1 5.2 o3-mini
switzerlandnorth: 4.1 4.1-mini 4o 4o-mini 5.1 o3-mini
uksouth: 4.1 4.1-mini 4o 4o-mini 5 5-mini 5.1 5.2 5.4 o1
westeurope: 4o o3 o4-mini
australiaeast: 4.1 4.1-mini 4o 4o-mini 5 5-mini 5.1 5.2 5.4 o3 o3-mini
japaneast: 4.1 4.1-mini 4o 4o-mini 5 5-mini 5.2 5.4 o1 o3-mini o4-mini
koreacentral: 4.1 4.1-mini 4o 4o-mini 5 5-mini 5.2 o3-mini
southeastasia: 4.1 4o 4o-mini
southindia: 4.1 4.1-mini 4o 4o-mini 5 5-mini 5.1 o3-mini
uaenorth: 4.1 4o 5-mini 5.1 o1 o3-mini
"""
TWO_COUNTRIES = {"westeurope": "IE NL", "southeastasia": "HK SG"}
"""Regions that Microsoft's privacy page binds to a geography only."""
AMERICA = "eastus eastus2 northcentralus southcentralus westus westus3"
UNION_REGIONS = "francecentral germanywestcentral polandcentral spaincentral swedencentral westeurope"
USGOV = "usgovarizona usgovvirginia"
EVERY = (
    "4.1 4.1-mini 4.1-nano 4o 4o-mini 5 5-mini 5-nano 5.1 5.2 5.4 5.4-mini 5.5 o1 o3 o3-mini o4-mini large small ada"
)
ZONES: dict[str, tuple[str, str]] = {
    f"{AMERICA} centralus": (EVERY, "US"),
    f"{UNION_REGIONS} italynorth": (
        "4.1 4.1-mini 4.1-nano 4o 4o-mini 5 5-mini 5-nano 5.4 5.5 o1 o3 o3-mini o4-mini large small ada",
        BOUNDARY,
    ),
    "francecentral swedencentral": ("5.1", BOUNDARY),
    "norwayeast switzerlandnorth": ("5.4 5.5", BOUNDARY),
    USGOV: ("4.1 4.1-mini 4o 5.1 o3-mini large small", "US"),
}
PROVISIONED_ZONES: dict[str, tuple[str, str]] = {
    AMERICA: ("4.1 4.1-mini 4.1-nano 4o 4o-mini 5 5-mini 5.1 5.2 5.4 5.4-mini 5.5 o1 o3 o3-mini o4-mini", "US"),
    UNION_REGIONS: ("4.1 4.1-mini 4.1-nano 4o 4o-mini 5 5-mini 5.1 5.2 5.4 o1 o3 o3-mini o4-mini", BOUNDARY),
    "italynorth": ("4.1 4.1-nano 5 5-mini 5.1 5.2 5.4 o3 o4-mini", BOUNDARY),
}
OFFERED_GLOBALLY = (
    f"{AMERICA} centralus brazilsouth canadaeast {UNION_REGIONS} italynorth norwayeast switzerlandnorth uksouth "
    "australiaeast japaneast koreacentral southindia southafricanorth uaenorth"
)
GLOBALS: dict[str, tuple[str, str]] = {
    OFFERED_GLOBALLY: (EVERY, AZURE_WORLD),
    "southeastasia": (
        "4.1 4.1-mini 4.1-nano 5 5-mini 5-nano 5.1 5.2 5.4 5.4-mini 5.5 o3 o4-mini large small ada",
        AZURE_WORLD,
    ),
    "canadacentral switzerlandwest": ("5.1 5.2 5.4 5.4-mini 5.5 large small ada", AZURE_WORLD),
}
PROVISIONED_GLOBALS: dict[str, tuple[str, str]] = {
    f"{OFFERED_GLOBALLY} southeastasia canadacentral switzerlandwest": (
        "4.1 4.1-mini 4.1-nano 4o 4o-mini 5 5-mini 5.1 5.2 5.4 5.5 o1 o3 o3-mini o4-mini",
        AZURE_WORLD,
    )
}
DEVELOPER: dict[str, tuple[str, str]] = {OFFERED_GLOBALLY: ("4.1 4.1-mini 4.1-nano", AZURE_WORLD)}
EMBEDDERS = {
    "large": "text-embedding-3-large",
    "small": "text-embedding-3-small",
    "ada": "text-embedding-ada-002",
}
CLAUDE_IN_FOUNDRY = "opus-4-8 opus-5 sonnet-5 opus-4-7 sonnet-4-6 sonnet-4-5 haiku-4-5"
FOUNDRY_AMERICA = f"{AMERICA} centralus westcentralus"


def azure_name(short: str) -> str:
    return EMBEDDERS.get(short, short if short.startswith("o") else f"gpt-{short}")


def by_azure_region() -> Iterator[tuple[Key, str]]:
    for sku, table in (("Standard", STANDARD), ("ProvisionedManaged", PROVISIONED)):
        for line in table.strip().splitlines():
            places, models = line.split(": ")
            for place in places.split():
                for short in models.split():
                    yield ("azure", azure_name(short), sku, place), TWO_COUNTRIES.get(place, "")


def by_azure_zone() -> Iterator[tuple[Key, str]]:
    tables = {
        "DataZoneStandard": ZONES,
        "DataZoneProvisionedManaged": PROVISIONED_ZONES,
        "GlobalStandard": GLOBALS,
        "GlobalProvisionedManaged": PROVISIONED_GLOBALS,
        "DeveloperTier": DEVELOPER,
    }
    for sku, table in tables.items():
        for places, (models, countries) in table.items():
            for place in places.split():
                for short in models.split():
                    yield ("azure", azure_name(short), sku, place), countries


def by_foundry() -> Iterator[tuple[Key, str]]:
    for short in CLAUDE_IN_FOUNDRY.split():
        for place in f"{FOUNDRY_AMERICA} swedencentral".split():
            yield ("azure-anthropic", f"claude-{short}", "GlobalStandard", place), AZURE_WORLD
    for short in ("opus-4-8", "opus-5", "sonnet-5"):
        for place in FOUNDRY_AMERICA.split():
            yield ("azure-anthropic", f"claude-{short}", "DataZoneStandard", place), "US"


SETS = {
    "azure-us6": AMERICA,
    "azure-us-claude": FOUNDRY_AMERICA,
    "azure-usgov": USGOV,
    "azure-eu6": UNION_REGIONS,
    "azure-eu7": f"{UNION_REGIONS} italynorth",
    "azure-global": OFFERED_GLOBALLY,
    "azure-global-more": "canadacentral southeastasia switzerlandwest",
}


def check_sets(catalogue: Catalogue) -> None:
    for name, members in SETS.items():
        assert set(catalogue.sets[name]) == set(members.split()), name
        assert len(catalogue.sets[name]) == len(members.split()), name


SOURCE_OF_SKU = {
    "Standard": "azure-standard",
    "ProvisionedManaged": "azure-provisioned",
    "DataZoneStandard": "azure-zones",
    "DataZoneProvisionedManaged": "azure-provisioned-zones",
    "GlobalStandard": "azure-standard",
    "GlobalProvisionedManaged": "azure-provisioned",
    "DeveloperTier": "azure-developer",
}


ENTERED = {"azure": [*by_azure_region(), *by_azure_zone()], "azure-anthropic": [*by_foundry()]}


def check_countries(catalogue: Catalogue) -> None:
    for provider, facts in ENTERED.items():
        assert_served(catalogue, provider, facts)


def check_sources(catalogue: Catalogue) -> None:
    for models, cited in (("azure", SOURCE_OF_SKU), ("azure-anthropic", dict.fromkeys(SOURCE_OF_SKU, "azure-claude"))):
        for name, model in catalogue.models[models].items():
            for via, way in model.ways.items():
                assert way.source == cited[via], (name, via)


def test_every_sku_in_every_region_is_answered_where_its_source_says(catalogue: Catalogue) -> None:
    check_countries(catalogue)


def test_sets_of_regions_have_their_members_and_no_other(catalogue: Catalogue) -> None:
    check_sets(catalogue)


def test_skus_cite_what_says_so(catalogue: Catalogue) -> None:
    check_sources(catalogue)
