"""The report: it says all that was found, asks nobody for anything, and what a stack file says stays text."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from components.naming import REPOSITORY
from components.review import review
from regions.catalogue import load_catalogue
from scripts.report.coverage import NOT_COVERED
from scripts.report.html import render
from tests.fixtures.reviews import HOSTILE, MIXED, ON, hostile, reviewed

CATALOGUE = load_catalogue()
VOID = {"meta", "br", "path", "rect"}


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts)).replace(" ,", ",")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def mixed(tmp_path: Path) -> Page:
    return Page(render([reviewed(tmp_path)], CATALOGUE, ON))


def test_it_is_well_formed_and_closes_what_it_opens(mixed: Page) -> None:
    assert mixed.open == []


def test_it_fetches_nothing_and_runs_nothing(mixed: Page) -> None:
    names = {name for name, _ in mixed.tags}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form", "base"})
    assert {attributes["href"][:1] for attributes in mixed.all("a") if attributes["href"]} == {"#"}
    policy = next(meta for meta in mixed.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_every_link_within_it_leads_somewhere(mixed: Page) -> None:
    ids = [attributes["id"] for _, attributes in mixed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {f"#{name}" for name in ids} >= {attributes["href"] for attributes in mixed.all("a")}
    named = {name for _, attributes in mixed.tags for name in (attributes.get("aria-labelledby") or "").split()}
    assert named <= set(ids)


def test_every_table_has_headers_for_its_rows_and_columns(mixed: Page) -> None:
    assert {attributes.get("scope") for attributes in mixed.all("th")} == {"col", "row", "rowgroup"}
    assert {"header", "nav", "main", "footer"} <= {name for name, _ in mixed.tags}
    assert mixed.all("html") == [{"lang": "en"}]


def test_every_finding_is_told_with_its_remedy_and_its_line(tmp_path: Path, mixed: Page) -> None:
    found = reviewed(tmp_path)
    assert len(found.open) == 3
    assert "3 open findings. This stack is refused until each is put right or answered for." in mixed.text
    for finding in found.findings:
        assert finding.location
        for told in (finding.rule, finding.message, finding.remedy, f"line {finding.location.line}"):
            assert " ".join(told.split()) in mixed.text


def test_every_place_is_told_with_country_fact_and_standing(mixed: Page) -> None:
    assert "Germany (DE) the stack, eu-central-1 aws-regions 2026-10-31, verified, set by region" in mixed.text
    assert "United States (US) telemetry langfuse, us.cloud.langfuse.com langfuse-regions" in mixed.text
    assert "4 countries: BR IN US ZA model chat-small/abroad, abroad.example said by the stack file" in mixed.text
    assert "! relaxed" in mixed.text
    assert "not sent" in mixed.text
    assert "Keys are held by the provider alone" in mixed.text


def test_purposes_with_the_same_answer_are_one_rule_and_others_are_not(mixed: Page) -> None:
    assert "eu-gdpr rest, process, backup, keys 30 countries: AT BE" in mixed.text
    assert "eu-gdpr logs 30 countries: AT BE" in mixed.text
    assert "United States (US) public data until 2027-06-30" in mixed.text
    assert "health health data alone process Germany (DE) no" in mixed.text


def test_who_answers_for_an_exception_is_told_and_until_when(mixed: Page) -> None:
    assert "eu-gdpr: logs of public data in US (documented, clauses of 2026) Support reads public texts" in mixed.text
    assert "Ines Weber 2027-06-30 ✓ in force" in mixed.text
    assert "eu-gdpr/custody at keys.custody Own keys come with the next release Jan Petersen 2027-03-31" in mixed.text


def test_an_exception_that_does_not_hold_is_not_told_as_one_that_does(tmp_path: Path) -> None:
    text = MIXED.replace("expires: 2027-03-31", "expires: 2026-01-31").replace("rule: eu-gdpr/custody", "rule: X99")
    page = Page(render([reviewed(tmp_path, text)], CATALOGUE, ON))
    assert "2026-01-31 ✕ void: the waiver of X99 at keys.custody does not hold: it expired on 2026-01-31" in page.text


def test_what_is_not_covered_is_said(mixed: Page) -> None:
    for title, text in NOT_COVERED.items():
        assert title in mixed.text
        assert text in mixed.text
    assert "This is not legal advice." in mixed.text


def test_digests_of_boundary_and_catalogue_are_told(tmp_path: Path, mixed: Page) -> None:
    assert str(reviewed(tmp_path).digest) in mixed.text
    assert CATALOGUE.digest in mixed.text


@pytest.mark.parametrize("name", ["mixed", "<img src=x onerror=alert(1)>", 'a "b" c'])
def test_what_a_stranger_wrote_stays_text(tmp_path: Path, name: str) -> None:
    page = Page(render([reviewed(tmp_path, hostile(), name)], CATALOGUE, ON))
    harmless = Page(render([reviewed(tmp_path)], CATALOGUE, ON))
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in harmless.tags}
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert "<script>alert(1)</script>" in page.text
    assert HOSTILE[-4] not in page.text
    assert r"\u202egnp" in page.text
    assert name in page.text
    assert page.open == []


def test_a_malformed_file_is_told_with_what_is_wrong(tmp_path: Path) -> None:
    page = Page(render([reviewed(tmp_path, "config: {loomstead:fabric: {platform: moon}}")], CATALOGUE, ON))
    assert "spec/value" in page.text
    assert "No finding." not in page.text


def test_stacks_share_one_report_and_its_facts(tmp_path: Path) -> None:
    clean = review(REPOSITORY / "stacks" / "Pulumi.local.yaml", CATALOGUE, ON)
    page = Page(render([reviewed(tmp_path), clean], CATALOGUE, ON))
    assert "mixed Germany (DE) eu-gdpr 3 open, 1 waived local Germany (DE) eu-gdpr none" in page.text
    assert "No finding. Every declared flow stays inside the rules." in page.text
    assert "no declared flow leaves this place" in page.text
    assert page.open == []


def test_a_clean_stack_says_what_it_owes_to_a_relaxation(tmp_path: Path) -> None:
    clean = MIXED[: MIXED.index("          abroad:")].replace("countries: [FR]", "countries: [DE]")
    text = clean.replace(
        "data_classes: {public: {}, personal: {}, health: {process: [DE]}}", "data_classes: {public: {}}"
    )
    page = Page(render([reviewed(tmp_path, text)], CATALOGUE, ON))
    assert "No open finding; 1 answered for by a waiver." in page.text
    unwaived = text[: text.index("    waivers:")] + text[text.index("    telemetry:") :]
    page = Page(render([reviewed(tmp_path, unwaived)], CATALOGUE, ON))
    assert "No finding. Every declared flow stays inside the rules, some by a relaxation alone." in page.text


def test_the_same_review_gives_the_same_bytes(tmp_path: Path) -> None:
    once, again = (render([reviewed(tmp_path)], CATALOGUE, ON) for _ in range(2))
    assert once == again
