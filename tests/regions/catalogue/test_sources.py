"""When the facts of places and laws held and how sure they are, entered a second time; no source is idle."""

from datetime import date

from regions.catalogue import Catalogue, Confidence
from regions.catalogue.references import cited

HELD = {
    date(2025, 1, 13): {"azure-pairs": "verified"},
    date(2025, 3, 21): {"azure-regions": "verified"},
    date(2026, 2, 5): {"gcp-gpus": "secondary", "gcp-gpus-outside-us": "secondary"},
    date(2026, 4, 15): {"aws-g7e": "secondary"},
    date(2026, 4, 30): {"in-dpdp": "secondary"},
    date(2026, 5, 31): {"eu-adequacy-brazil": "secondary"},
    date(2026, 10, 2): {"ch-annex-1": "secondary"},
    date(2026, 10, 31): {
        **dict.fromkeys(["eu-members", "eea-members", "eu-strict-demand", "ca-pipeda"], "known"),
        **dict.fromkeys(["eu-adequacy", "ca-qc-s17", "aws-regions", "gcp-regions", "gcp-dedicated"], "verified"),
        **dict.fromkeys(["datadog-sites", "datadog-uk1", "langfuse-regions", "sentry-storage"], "verified"),
        **dict.fromkeys(["uk-adequacy", "sa-pdpl", "ae-pdpl", "br-anpd", "au-app8", "jp-appi", "sg-pdpa"], "secondary"),
        **dict.fromkeys(["us-hipaa", "us-cjis", "us-itar", "cn-pipl"], "secondary"),
        **dict.fromkeys(["aws-gpus", "aws-t4", "azure-gpus", "azure-newer-regions"], "secondary"),
    },
    date(2026, 11, 1): {"iso-3166": "verified"},
    date(2026, 11, 23): {"loomstead": "verified", "stack-file": "known", "qwen-model-card": "verified"},
}


def check_held(catalogue: Catalogue) -> None:
    for day, sources in HELD.items():
        for name, confidence in sources.items():
            source = catalogue.sources[name]
            assert (source.as_of, source.confidence) == (day, Confidence(confidence)), name


def check_cited(catalogue: Catalogue) -> None:
    assert {name for _, name in cited(catalogue)} == set(catalogue.sources)


def check_groups_and_countries(catalogue: Catalogue) -> None:
    assert catalogue.countries.source == "iso-3166"
    assert {name: group.source for name, group in catalogue.groups.items()} == {
        "eu": "eu-members",
        "eea": "eea-members",
    }


def test_every_source_says_when_it_held_and_how_sure_it_is(catalogue: Catalogue) -> None:
    check_held(catalogue)


def test_every_source_is_cited(catalogue: Catalogue) -> None:
    check_cited(catalogue)


def test_countries_and_groups_cite_their_lists(catalogue: Catalogue) -> None:
    check_groups_and_countries(catalogue)
