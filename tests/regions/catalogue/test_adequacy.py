"""Every direction in which an adequacy decision lets data go, entered a second time, and none beside."""

from datetime import date

from regions.catalogue import Adequacy, Catalogue

COMMISSION = "Commission decision, GDPR article 45"
DPF = "recipients certified under the Data Privacy Framework"
EDGES: dict[tuple[str, str, str], str] = {
    ("eea", "eu-adequacy", COMMISSION): "AD AR CA CH FO GG IL IM JE JP KR NZ US UY",
    ("eea", "eu-adequacy", f"{COMMISSION}, renewed on 2025-12-19"): "GB",
    ("eu", "eu-adequacy-brazil", "Implementing Decision (EU) 2026/179 of 2026-01-26"): "BR",
    ("GB", "uk-adequacy", "UK adequacy regulations"): "eea AD AR CA CH GG GI IL IM JE JP KR NZ UY",
    ("GB", "uk-adequacy", "UK adequacy regulations of 2023-10-12"): "US",
    ("CH", "ch-annex-1", "Data Protection Ordinance, annex 1"): "eea GB US",
    ("BR", "br-anpd", "ANPD Resolution 32/2026"): "eea",
    ("JP", "jp-appi", "APPI article 28, designated countries"): "eea GB",
}
SCOPES = {
    ("eea", "CA"): "commercial organisations",
    ("eea", "US"): DPF,
    ("GB", "CA"): "organisations subject to PIPEDA",
    ("GB", "JP"): "recipients subject to APPI",
    ("GB", "KR"): "recipients subject to PIPA",
    ("GB", "US"): f"{DPF} with its UK Extension",
    ("CH", "US"): "recipients certified under the Swiss-US Data Privacy Framework",
}
EXPIRES = {("eea", "GB"): date(2031, 12, 27)}
NEVER = "IN SG AU AE SA CN ZA MX"


def directed(catalogue: Catalogue) -> dict[tuple[str, str], Adequacy]:
    return {(edge.origin, edge.to): edge for edge in catalogue.adequacy}


def check_edges(catalogue: Catalogue) -> None:
    entered = {
        (origin, to, source, basis) for (origin, source, basis), countries in EDGES.items() for to in countries.split()
    }
    assert {(edge.origin, edge.to, edge.source, edge.basis) for edge in catalogue.adequacy} == entered
    assert len(catalogue.adequacy) == len(entered)


def check_scopes(catalogue: Catalogue) -> None:
    assert {way: edge.scope for way, edge in directed(catalogue).items() if edge.scope} == SCOPES


def check_expiry(catalogue: Catalogue) -> None:
    assert {way: edge.expires for way, edge in directed(catalogue).items() if edge.expires} == EXPIRES


def check_never_symmetric_by_inference(catalogue: Catalogue) -> None:
    ways = directed(catalogue)
    assert not [way for way in ways if set(way) & set(NEVER.split())]
    assert ("US", "eea") not in ways
    assert ("JP", "CH") not in ways


def test_every_direction_is_there_on_its_ground_and_no_other(catalogue: Catalogue) -> None:
    check_edges(catalogue)


def test_a_decision_says_whom_it_covers(catalogue: Catalogue) -> None:
    check_scopes(catalogue)


def test_the_british_decision_ends(catalogue: Catalogue) -> None:
    check_expiry(catalogue)


def test_no_way_back_is_inferred_and_countries_without_decision_have_none(catalogue: Catalogue) -> None:
    check_never_symmetric_by_inference(catalogue)
