"""Where regions are, entered a second time by country, and held against what the SDKs know."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import botocore
from pulumi_azure_native.config import vars as azure_config
from pulumi_azure_native.migrate._enums import AzureLocation

from regions.catalogue import Catalogue

AWS = """
US us-east-1 N. Virginia, us-east-2 Ohio, us-west-1 N. California, us-west-2 Oregon · CA ca-central-1 Montréal,
ca-west-1 Calgary · MX mx-central-1 · BR sa-east-1 São Paulo · CL sa-west-1 · IE eu-west-1 · GB eu-west-2 London · FR
eu-west-3 Paris · DE eu-central-1 Frankfurt · CH eu-central-2 Zurich · SE eu-north-1 Stockholm · IT eu-south-1 Milan ·
ES eu-south-2 · IL il-central-1 Tel Aviv · AE me-central-1 · BH me-south-1 · SA me-west-1 · ZA af-south-1 Cape Town ·
HK ap-east-1 Hong Kong · TW ap-east-2 Taipei · JP ap-northeast-1 Tokyo, ap-northeast-3 Osaka · KR ap-northeast-2 Seoul
· IN ap-south-1 Mumbai, ap-south-2 Hyderabad · SG ap-southeast-1 Singapore · AU ap-southeast-2 Sydney, ap-southeast-4
Melbourne · ID ap-southeast-3 Jakarta · MY ap-southeast-5 · NZ ap-southeast-6 · TH ap-southeast-7
"""
AZURE = """
US eastus Virginia, eastus2 Virginia, centralus Iowa, northcentralus Illinois, southcentralus Texas, westcentralus
Wyoming, westus California, westus2 Washington, westus3 Arizona · CA canadacentral Toronto, canadaeast Québec City ·
MX mexicocentral Querétaro · BR brazilsouth São Paulo, brazilsoutheast* Rio de Janeiro · IE northeurope · NL
westeurope · GB uksouth London, ukwest Cardiff · FR francecentral Paris, francesouth* Marseille · DE
germanywestcentral Frankfurt, germanynorth* Berlin · CH switzerlandnorth Zurich, switzerlandwest* Geneva · NO
norwayeast Oslo, norwaywest* · SE swedencentral Gävle, swedensouth* · IT italynorth Milan · PL polandcentral Warsaw ·
ES spaincentral Madrid · IL israelcentral · AE uaenorth Dubai, uaecentral* Abu Dhabi · QA qatarcentral Doha · ZA
southafricanorth Johannesburg, southafricawest* Cape Town · IN centralindia Pune, southindia Chennai, westindia Mumbai
· HK eastasia Hong Kong · SG southeastasia Singapore · JP japaneast Tokyo, japanwest Osaka · KR koreacentral Seoul,
koreasouth* Busan · AU australiaeast New South Wales, australiasoutheast Victoria, australiacentral Canberra,
australiacentral2* Canberra · NZ newzealandnorth Auckland
"""
AZURE_NEWER = """
CL chilecentral · AT austriaeast Vienna · BE belgiumcentral Brussels · DK denmarkeast · IL israelnorthwest · ID
indonesiacentral · MY malaysiawest
"""
GCP = """
US us-central1 Iowa, us-east1 South Carolina, us-east4 N. Virginia, us-east5 Columbus, us-south1 Dallas, us-west1
Oregon, us-west2 Los Angeles, us-west3 Salt Lake City, us-west4 Las Vegas · CA northamerica-northeast1 Montréal,
northamerica-northeast2 Toronto · MX northamerica-south1 · BR southamerica-east1 São Paulo · CL southamerica-west1
Santiago · BE europe-west1 · GB europe-west2 London · DE europe-west3 Frankfurt, europe-west10 Berlin · NL
europe-west4 · CH europe-west6 Zurich · IT europe-west8 Milan, europe-west12 Turin · FR europe-west9 Paris · PL
europe-central2 Warsaw · FI europe-north1 · SE europe-north2 Stockholm · ES europe-southwest1 Madrid · IL me-west1 Tel
Aviv · QA me-central1 Doha · SA me-central2 Dammam · ZA africa-south1 Johannesburg · TW asia-east1 · HK asia-east2
Hong Kong · JP asia-northeast1 Tokyo, asia-northeast2 Osaka · KR asia-northeast3 Seoul · IN asia-south1 Mumbai,
asia-south2 Delhi · SG asia-southeast1 Singapore · ID asia-southeast2 Jakarta · TH asia-southeast3 Bangkok · AU
australia-southeast1 Sydney, australia-southeast2 Melbourne
"""
CLOUDS = {
    ("aws", "aws", "aws-regions"): AWS,
    ("aws", "aws-eusc", "aws-regions"): "DE eusc-de-east-1 Brandenburg",
    ("aws", "aws-us-gov", "aws-regions"): "US us-gov-east-1, us-gov-west-1",
    ("aws", "aws-cn", "aws-regions"): "CN cn-north-1 Beijing, cn-northwest-1 Ningxia",
    ("azure", "public", "azure-regions"): AZURE,
    ("azure", "public", "azure-newer-regions"): AZURE_NEWER,
    ("azure", "usgovernment", "azure-pairs"): (
        "US usgovvirginia Virginia, usgovarizona Arizona, usgovtexas Texas, usdodeast, usdodcentral"
    ),
    ("azure", "china", "azure-pairs"): "CN chinaeast2, chinaeast3, chinanorth2, chinanorth3",
    ("gcp", "googleapis.com", "gcp-regions"): GCP,
    ("gcp", "s3nsapis.fr", "gcp-dedicated"): "FR u-france-east1",
    ("gcp", "apis-berlin-build0.goog", "gcp-dedicated"): "DE u-germany-northeast1",
    ("local", "own", "stack-file"): "host local",
    ("kubernetes", "own", "stack-file"): "host onprem",
}
SUBDIVISIONS = {
    "CA-QC": {"ca-central-1", "canadaeast", "northamerica-northeast1"},
    "CA-ON": {"canadacentral", "northamerica-northeast2"},
    "CA-AB": {"ca-west-1"},
}
BOTH_WAYS = """
eastasia southeastasia · northeurope westeurope · centralindia southindia · eastus westus · eastus2 centralus ·
northcentralus southcentralus · westus2 westcentralus · canadacentral canadaeast · uksouth ukwest · francecentral
francesouth · germanywestcentral germanynorth · switzerlandnorth switzerlandwest · norwayeast norwaywest ·
swedencentral swedensouth · uaenorth uaecentral · southafricanorth southafricawest · japaneast japanwest ·
koreacentral koreasouth · australiaeast australiasoutheast · australiacentral australiacentral2 · usgovvirginia
usgovtexas · usdodeast usdodcentral · chinaeast2 chinanorth2 · chinaeast3 chinanorth3
"""
ONE_WAY = """
brazilsouth southcentralus · brazilsoutheast brazilsouth · westindia southindia · westus3 eastus · usgovarizona
usgovtexas
"""
ACROSS_BORDERS = {
    ("eastasia", "HK", "SG"),
    ("southeastasia", "SG", "HK"),
    ("northeurope", "IE", "NL"),
    ("westeurope", "NL", "IE"),
    ("brazilsouth", "BR", "US"),
}
SETS = {
    "aws-eu6": "eu-central-1 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-3",
    "aws-us3": "us-east-1 us-east-2 us-west-2",
    "aws-gov": "us-gov-east-1 us-gov-west-1",
}


class Entry(NamedTuple):
    platform: str
    partition: str
    source: str
    country: str
    place: str | None
    restricted: bool


def entered() -> Iterator[tuple[str, Entry]]:
    for (platform, partition, source), text in CLOUDS.items():
        for country_and_regions in " ".join(text.split()).split(" · "):
            country, regions = country_and_regions.split(maxsplit=1)
            for region in regions.split(", "):
                name, _, place = region.partition(" ")
                yield (
                    name.rstrip("*"),
                    Entry(platform, partition, source, country, place or None, name.endswith("*")),
                )


def arrows(text: str) -> Iterator[tuple[str, str]]:
    for pair in " ".join(text.split()).split(" · "):
        first, second = pair.split()
        yield first, second


@cache
def of_botocore(name: str) -> Any:
    return json.loads((Path(botocore.__file__).parent / "data" / name).read_text())


def check_regions(catalogue: Catalogue) -> None:
    assert {
        name: Entry(*(getattr(region, field) for field in Entry._fields)) for name, region in catalogue.regions.items()
    } == dict(entered())


def check_subdivisions(catalogue: Catalogue) -> None:
    for subdivision, names in SUBDIVISIONS.items():
        assert {name for name, region in catalogue.regions.items() if region.subdivision == subdivision} == names
    assert {region.subdivision for region in catalogue.regions.values()} == {None, *SUBDIVISIONS}


def check_pairs(catalogue: Catalogue) -> None:
    back = ((second, first) for first, second in arrows(BOTH_WAYS))
    pairs = {name: region.pair for name, region in catalogue.regions.items() if region.pair}
    assert pairs == dict([*arrows(BOTH_WAYS), *back, *arrows(ONE_WAY)])


def check_pairs_across_borders(catalogue: Catalogue) -> None:
    regions = catalogue.regions
    pairs = {(name, region.country, regions[region.pair].country) for name, region in regions.items() if region.pair}
    assert {pair for pair in pairs if pair[1] != pair[2]} == ACROSS_BORDERS


def check_sets(catalogue: Catalogue) -> None:
    for name, members in SETS.items():
        assert sorted(catalogue.sets[name]) == members.split()


def check_aws_partitions(catalogue: Catalogue) -> None:
    known = {partition["id"]: partition["regions"] for partition in of_botocore("partitions.json")["partitions"]}
    ours = {(region.partition, name) for name, region in catalogue.regions.items() if region.platform == "aws"}
    assert ours == {
        (partition, name)
        for partition, regions in known.items()
        if not partition.startswith("aws-iso")
        for name in regions
        if not name.endswith("-global")
    }


def check_bedrock_regions(catalogue: Catalogue) -> None:
    commercial = next(found for found in of_botocore("endpoints.json")["partitions"] if found["partition"] == "aws")
    endpoints = set(commercial["services"]["bedrock"]["endpoints"])
    ours = {name for name, region in catalogue.regions.items() if region.partition == "aws"}
    assert sorted(catalogue.sets["aws-bedrock"]) == sorted(ours & endpoints)
    assert ours - endpoints == {"ap-east-1", "me-west-1", "sa-west-1"}


def check_azure_environments(catalogue: Catalogue) -> None:
    retired = {"germanycentral", "germanynortheast", "usgoviowa", "chinanorth", "chinaeast", "jioindiawest"}
    for location in AzureLocation:
        name = location.value.lower()
        if name != "unknown" and name not in retired and not name.startswith(("usnat", "ussec")):
            gov, china = name.startswith(("usgov", "usdod")), name.startswith("china")
            assert catalogue.regions[name].partition == ("usgovernment" if gov else "china" if china else "public")
    environments = {region.partition for region in catalogue.regions.values() if region.platform == "azure"}
    said = azure_config._ExportableConfig.environment.fget.__doc__
    assert said is not None
    assert all(environment in said for environment in environments)
    assert environments == {"public", "usgovernment", "china"}


def test_every_region_is_in_its_country_cloud_and_partition(catalogue: Catalogue) -> None:
    check_regions(catalogue)


def test_the_canadian_regions_say_their_province(catalogue: Catalogue) -> None:
    check_subdivisions(catalogue)


def test_every_pair_is_known_with_its_direction(catalogue: Catalogue) -> None:
    check_pairs(catalogue)


def test_the_pairs_that_cross_a_border_are_these(catalogue: Catalogue) -> None:
    check_pairs_across_borders(catalogue)


def test_the_sets_hold_the_regions_that_bedrock_names_together(catalogue: Catalogue) -> None:
    check_sets(catalogue)


def test_aws_regions_and_partitions_are_those_of_botocore(catalogue: Catalogue) -> None:
    check_aws_partitions(catalogue)


def test_bedrock_is_in_the_regions_for_which_botocore_has_an_endpoint(catalogue: Catalogue) -> None:
    check_bedrock_regions(catalogue)


def test_azure_regions_of_the_sdk_are_in_their_environment(catalogue: Catalogue) -> None:
    check_azure_environments(catalogue)
