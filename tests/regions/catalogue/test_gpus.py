"""Which accelerators are where, entered a second time in the short hand of the sources (``us-east-1/2``)."""

from collections.abc import Iterator

from regions.catalogue import Catalogue

FAMILIES = {
    ("aws", "p4d", "A100 40 GB", "aws-gpus", 13): (
        "us-east-1/2, us-west-2, ca-central-1, sa-east-1, eu-central-1, eu-north-1, eu-west-1, eu-west-2, "
        "ap-northeast-1/2, ap-south-1, ap-southeast-2"
    ),
    ("aws", "p4de", "A100 80 GB", "aws-gpus", 6): (
        "us-east-1, us-west-2, eu-central-1, il-central-1, ap-northeast-1, ap-southeast-1"
    ),
    ("aws", "p5", "H100", "aws-gpus", 13): (
        "us-east-1/2, us-west-1/2, ca-central-1, sa-east-1, eu-north-1, eu-west-2, ap-northeast-1/2, ap-south-1, "
        "ap-southeast-2/3"
    ),
    ("aws", "p5e", "H200", "aws-gpus", 7): "us-east-2, us-west-2, sa-east-1, eu-north-1, eu-west-2, ap-southeast-2/3",
    ("aws", "p5en", "H200", "aws-gpus", 11): (
        "us-east-1/2, us-west-1/2, eu-north-1, eu-south-2, me-central-1, ap-northeast-1/2, ap-south-1, ap-southeast-3"
    ),
    ("aws", "p6-b200", "B200", "aws-gpus", 7): "us-east-1/2, us-west-2, eu-north-1, eu-west-3, ap-south-1/2",
    ("aws", "p6-b300", "B300", "aws-gpus", 6): (
        "us-east-1, us-west-2, sa-east-1, ap-northeast-2, ap-south-2, ap-southeast-3"
    ),
    ("aws", "g4dn", "T4", "aws-t4", 4): "af-south-1, eu-south-1, me-south-1, ap-southeast-1",
    ("aws", "g5", "A10G", "aws-gpus", 19): (
        "us-east-1/2, us-west-2, ca-central-1, sa-east-1, eu-central-1, eu-north-1, eu-south-2, eu-west-1/2/3, "
        "il-central-1, me-central-1, ap-east-1, ap-northeast-1/2, ap-south-1, ap-southeast-2/3"
    ),
    ("aws", "g6", "L4", "aws-gpus", 18): (
        "us-east-1/2, us-west-2, ca-central-1, sa-east-1, eu-central-1, eu-central-2, eu-north-1, eu-south-2, "
        "eu-west-2/3, me-central-1, ap-northeast-1/2, ap-south-1/2, ap-southeast-2/5"
    ),
    ("aws", "g6e", "L40S", "aws-gpus", 12): (
        "us-east-1/2, us-west-2, eu-central-1, eu-north-1, eu-south-2, me-central-1, ap-northeast-1/2/3, ap-south-1/2"
    ),
    ("aws", "g7e", "RTX PRO 6000", "aws-g7e", 11): (
        "us-east-1/2, us-west-2, eu-central-1, eu-north-1, eu-south-2, eu-west-2, ap-northeast-1/2, ap-south-1, "
        "ap-southeast-3"
    ),
    ("azure", "Standard_NC40ads_H100_v5", "H100", "azure-gpus", 3): "spaincentral, koreacentral, eastus2",
    ("gcp", "g2", "L4", "gcp-gpus", 17): (
        "us-central1, us-east1, us-east4, us-west1, us-west4, northamerica-northeast2, europe-west1/2/3/4/6, "
        "me-central2, asia-east1, asia-northeast1/3, asia-south1, asia-southeast1"
    ),
    ("gcp", "g4", "RTX PRO 6000", "gcp-gpus-outside-us", 7): ("europe-north1, europe-west1/2/4/8, asia-southeast1/2"),
    ("gcp", "a2", "A100", "gcp-gpus", 9): (
        "us-central1, us-east1, us-west1/3/4, europe-west4, me-west1, asia-northeast1, asia-southeast1"
    ),
    ("gcp", "a3", "H100 or H200", "gcp-gpus-outside-us", 10): (
        "northamerica-northeast2, europe-west1, europe-west4, europe-west9, australia-southeast1, asia-east1, "
        "asia-northeast1/3, asia-south1, asia-southeast1"
    ),
    ("gcp", "a4", "B200", "gcp-gpus-outside-us", 3): "europe-west4, asia-northeast1, asia-southeast1",
}


def written_out(short: str) -> Iterator[str]:
    for names in short.split(", "):
        first, *others = names.split("/")
        yield first
        yield from (first.rstrip("0123456789") + number for number in others)


def check_families(catalogue: Catalogue) -> None:
    assert {
        (family.platform, name, family.accelerator, family.source, len(family.regions)): sorted(family.regions)
        for name, family in catalogue.gpus.items()
    } == {key: sorted(written_out(short)) for key, short in FAMILIES.items()}


def check_no_h100_in_frankfurt(catalogue: Catalogue) -> None:
    h100_class = [
        family for family in catalogue.gpus.values() if family.accelerator in {"H100", "H200", "B200", "B300"}
    ]
    assert not [family for family in h100_class if "eu-central-1" in family.regions]


def test_every_family_is_in_the_regions_that_its_source_lists(catalogue: Catalogue) -> None:
    check_families(catalogue)


def test_frankfurt_has_no_machine_of_the_h100_class(catalogue: Catalogue) -> None:
    check_no_h100_in_frankfurt(catalogue)
