"""The one residency decision: unknown is refused, regimes only take away, order means nothing."""

import json
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.boundary import (
    Boundary,
    DataClass,
    Flow,
    Purpose,
    Residency,
    ResidencyError,
    Verdict,
    compile_boundary,
)
from regions.catalogue import Catalogue, Regime, load_catalogue

SHIPPED = load_catalogue()
PURPOSES = [purpose.value for purpose in Purpose]


def with_regimes(regimes: dict[str, dict[str, list[str]]]) -> Catalogue:
    """The shipped catalogue and further regimes."""
    fact = {"title": "made up", "as_of": "2026-11-23", "source": "this test", "confidence": "known"}
    made = {name: Regime.model_validate_json(json.dumps(fact | terms)) for name, terms in regimes.items()}
    return SHIPPED.model_copy(update={"regimes": SHIPPED.regimes | made})


def boundary(*regimes: str, host: str = "DE", classes: tuple[str, ...] = ("personal",)) -> Boundary:
    residency = Residency(regimes=regimes, data_classes=tuple(DataClass(name) for name in classes))
    return compile_boundary(residency, SHIPPED, host=host)


class Case(NamedTuple):
    name: str
    regimes: tuple[str, ...]
    flow: Flow
    rule: str
    refused: tuple[str, ...] = ()


CASES = [
    Case("inside the EEA", ("eu-gdpr",), Flow("m", "process", ("FR", "NO"), "personal"), "residency/inside"),
    Case("no longer a member", ("eu-gdpr",), Flow("m", "process", ("GB",), "personal"), "eu-gdpr/process", ("GB",)),
    Case("adequate is not inside", ("eu-gdpr",), Flow("m", "rest", ("CH",), "personal"), "eu-gdpr/rest", ("CH",)),
    Case("one of many leaves", ("eu-gdpr",), Flow("m", "logs", ("DE", "US"), "personal"), "eu-gdpr/logs", ("US",)),
    Case("keys elsewhere", ("eu-gdpr",), Flow("m", "keys", ("US",), "personal"), "eu-gdpr/keys", ("US",)),
    Case("at home", ("host-country",), Flow("m", "backup", ("DE",), "personal"), "residency/inside"),
    Case("next door", ("host-country",), Flow("m", "backup", ("FR",), "personal"), "host-country/backup", ("FR",)),
    Case(
        "the stricter of two decides",
        ("eu-gdpr", "host-country"),
        Flow("m", "process", ("FR",), "personal"),
        "host-country/process",
        ("FR",),
    ),
    Case("no country", ("eu-gdpr",), Flow("m", "process", (), "personal"), "residency/countries"),
    Case("an unknown country", ("eu-gdpr",), Flow("m", "process", ("ZZ",), "personal"), "eu-gdpr/process", ("ZZ",)),
    Case("a lower-case country", ("eu-gdpr",), Flow("m", "process", ("de",), "personal"), "eu-gdpr/process", ("de",)),
    Case("an unknown purpose", ("eu-gdpr",), Flow("m", "train", ("DE",), "personal"), "residency/purpose", ("DE",)),
    Case("a class not declared", ("eu-gdpr",), Flow("m", "rest", ("DE",), "public"), "residency/data-class", ("DE",)),
    Case("an unknown class", ("eu-gdpr",), Flow("m", "rest", ("DE",), "secret"), "residency/data-class", ("DE",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_flow_is_decided_by_the_rule_that_speaks_of_it(case: Case) -> None:
    verdict = boundary(*case.regimes).decide(case.flow)
    assert (verdict.rule, verdict.allowed) == (case.rule, case.rule == "residency/inside")
    assert verdict.countries == (case.flow.countries if verdict.allowed else case.refused)


def test_a_refusal_names_subject_fact_rule_and_country() -> None:
    verdict = boundary("host-country").decide(Flow("model small", "process", ("US", "DE", "FR"), "personal"))
    reason = "model small: process in FR, US is outside host-country, which allows it in DE"
    assert verdict == Verdict(False, "host-country/process", reason, ("FR", "US"))


def test_an_allowed_flow_names_every_regime_that_agreed() -> None:
    verdict = boundary("eu-gdpr", "host-country").decide(Flow("model small", "process", ("DE",), "personal"))
    chain = "eu-gdpr/process allows it; host-country/process allows it"
    assert verdict.reason == f"model small: process of personal data in DE: {chain}"


def test_host_means_where_the_stack_stands() -> None:
    flow = Flow("m", "process", ("CH",), "personal")
    assert boundary("host-country", host="CH").decide(flow).allowed
    assert not boundary("host-country", host="DE").decide(flow).allowed


def test_an_unknown_regime_and_an_unknown_host_are_malformed_not_refused() -> None:
    with pytest.raises(ResidencyError) as caught:
        boundary("eu-gdrp", host="ZZ")
    assert str(caught.value).splitlines() == [
        "the catalogue has no regime 'eu-gdrp' (did you mean eu-gdpr?)",
        "the catalogue has no country 'ZZ'",
    ]


def test_a_purpose_that_no_regime_speaks_of_is_refused() -> None:
    silent = Boundary(host="DE", data_classes=(DataClass.PERSONAL,), rules=())
    assert silent.decide(Flow("m", "rest", ("DE",), "personal")).rule == "residency/purpose"


def test_a_boundary_survives_json_with_its_digest() -> None:
    made = boundary("eu-gdpr", "host-country", classes=("personal", "public"))
    again = Boundary.model_validate_json(made.model_dump_json())
    assert (again, again.digest) == (made, made.digest)


@pytest.mark.parametrize(
    "other",
    [
        boundary("host-country"),
        boundary("eu-gdpr", "host-country"),
        boundary("eu-gdpr", host="FR"),
        boundary("eu-gdpr", classes=("public",)),
    ],
)
def test_whatever_changes_the_meaning_changes_the_digest(other: Boundary) -> None:
    assert other.digest != boundary("eu-gdpr").digest


COUNTRIES = st.sampled_from(["DE", "FR", "CH", "US", "IN"])
TERMS = st.lists(COUNTRIES | st.sampled_from(["host", "eea"]), min_size=1, max_size=4)
REGIMES = st.dictionaries(
    st.sampled_from(["r1", "r2", "r3", "r4"]), st.fixed_dictionaries(dict.fromkeys(PURPOSES, TERMS)), min_size=1
)
FLOWS = st.builds(
    Flow,
    subject=st.just("m"),
    purpose=st.sampled_from([*PURPOSES, "train", ""]),
    countries=st.lists(COUNTRIES | st.sampled_from(["ZZ", "de", ""]), max_size=3).map(tuple),
    data_class=st.sampled_from([*DataClass, "secret", ""]),
)
CLASSES = st.lists(st.sampled_from(DataClass), min_size=1).map(tuple)


@given(REGIMES, CLASSES, COUNTRIES, FLOWS)
def test_what_is_allowed_is_known_declared_and_inside_every_regime(
    regimes: dict[str, dict[str, list[str]]], classes: tuple[DataClass, ...], host: str, flow: Flow
) -> None:
    catalogue = with_regimes(regimes)
    made = compile_boundary(Residency(regimes=tuple(regimes), data_classes=classes), catalogue, host=host)
    eea = set(SHIPPED.groups["eea"].countries)

    def inside(country: str, terms: list[str]) -> bool:
        return country in terms or ("host" in terms and country == host) or ("eea" in terms and country in eea)

    expected = (
        flow.purpose in PURPOSES
        and flow.data_class in classes
        and bool(flow.countries)
        and all(inside(country, regime[flow.purpose]) for country in flow.countries for regime in regimes.values())
    )
    assert made.decide(flow).allowed == expected


@given(REGIMES, CLASSES, COUNTRIES, FLOWS, st.data())
def test_another_regime_never_allows_more(
    regimes: dict[str, dict[str, list[str]]],
    classes: tuple[DataClass, ...],
    host: str,
    flow: Flow,
    data: st.DataObject,
) -> None:
    catalogue = with_regimes(regimes)
    fewer = data.draw(st.lists(st.sampled_from(sorted(regimes)), min_size=1))
    some = compile_boundary(Residency(regimes=tuple(fewer), data_classes=classes), catalogue, host=host)
    every = compile_boundary(Residency(regimes=tuple(regimes), data_classes=classes), catalogue, host=host)
    assert some.decide(flow).allowed or not every.decide(flow).allowed


@given(REGIMES, CLASSES, COUNTRIES, FLOWS, st.randoms(use_true_random=False))
def test_order_and_repetition_change_neither_digest_nor_verdict(
    regimes: dict[str, dict[str, list[str]]],
    classes: tuple[DataClass, ...],
    host: str,
    flow: Flow,
    random: Random,
) -> None:
    def mixed(items: list) -> tuple:
        return tuple(random.sample([*items, items[0]], len(items) + 1))

    shuffled = {name: {purpose: list(mixed(terms)) for purpose, terms in regimes[name].items()} for name in regimes}
    one = compile_boundary(Residency(regimes=tuple(regimes), data_classes=classes), with_regimes(regimes), host=host)
    two = compile_boundary(
        Residency(regimes=mixed(list(regimes)), data_classes=mixed(list(classes))), with_regimes(shuffled), host=host
    )
    turned = Flow(flow.subject, flow.purpose, flow.countries[::-1], flow.data_class)
    assert one.digest == two.digest
    first, second = one.decide(flow), two.decide(turned)
    assert (first.allowed, first.rule, sorted(first.countries)) == (
        second.allowed,
        second.rule,
        sorted(second.countries),
    )
