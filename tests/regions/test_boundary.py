"""The one residency decision: unknown is refused, regimes only take away, order means nothing."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.boundary import Boundary, Flow, ResidencyError, Verdict, adequacy, compile_boundary
from regions.catalogue import Adequacy, Catalogue, Regime, load_catalogue
from regions.residency import Basis, DataClass, DataClassRules, Purpose, Relaxation, Residency

SHIPPED = load_catalogue()
PURPOSES = [purpose.value for purpose in Purpose]
TODAY = date(2026, 11, 23)


def with_regimes(regimes: Mapping[str, Mapping[str, Any]], adequacy: tuple[Adequacy, ...] = ()) -> Catalogue:
    """The shipped catalogue with further regimes, and with these adequacy decisions alone."""
    fact = {"title": "made up", "source": "loomstead", "transfer_mode": "documented"}
    made = {name: Regime.model_validate_json(json.dumps(fact | dict(terms))) for name, terms in regimes.items()}
    return SHIPPED.model_copy(update={"regimes": SHIPPED.regimes | made, "adequacy": adequacy})


def residency(*regimes: str, classes: tuple[str, ...] = ("personal",), **more: Any) -> Residency:
    return Residency(regimes=regimes, data_classes={DataClass(name): DataClassRules() for name in classes}, **more)


def boundary(*regimes: str, host: str = "DE", classes: tuple[str, ...] = ("personal",), **more: Any) -> Boundary:
    return compile_boundary(residency(*regimes, classes=classes, **more), SHIPPED, host=host)


def relaxation(**changed: Any) -> Relaxation:
    fields: dict[str, Any] = {
        "regime": "eu-gdpr",
        "purposes": [Purpose.PROCESS],
        "data_classes": [DataClass.PERSONAL],
        "countries": ["US"],
        "basis": Basis.DOCUMENTED,
        "reference": "SCC-2026-7",
        "reason": "the model is there",
        "approver": "dpo@example.com",
        "expires": TODAY,
    }
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in (fields | changed).items()
    }
    return Relaxation(**given)


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
    verdict = boundary(*case.regimes).decide(case.flow, TODAY)
    assert (verdict.rule, verdict.allowed) == (case.rule, case.rule == "residency/inside")
    assert verdict.countries == (case.flow.countries if verdict.allowed else case.refused)


def test_a_refusal_names_subject_fact_rule_and_country() -> None:
    verdict = boundary("host-country").decide(Flow("model small", "process", ("US", "DE", "FR"), "personal"), TODAY)
    reason = "model small: process in FR, US is outside host-country, which allows it in DE"
    assert verdict == Verdict(False, "host-country/process", reason, ("FR", "US"))


def test_an_allowed_flow_names_every_regime_that_agreed() -> None:
    verdict = boundary("eu-gdpr", "host-country").decide(Flow("model small", "process", ("DE",), "personal"), TODAY)
    chain = "eu-gdpr/process allows it; host-country/process allows it"
    assert verdict.reason == f"model small: process of personal data in DE: {chain}"


def test_host_means_where_the_stack_stands() -> None:
    flow = Flow("m", "process", ("CH",), "personal")
    assert boundary("host-country", host="CH").decide(flow, TODAY).allowed
    assert not boundary("host-country", host="DE").decide(flow, TODAY).allowed


def test_an_unknown_regime_and_an_unknown_host_are_malformed_not_refused() -> None:
    with pytest.raises(ResidencyError) as caught:
        boundary("eu-gdrp", host="ZZ")
    assert str(caught.value).splitlines() == [
        "the catalogue has no regime 'eu-gdrp' (did you mean eu-gdpr?)",
        "the catalogue has no country 'ZZ'",
    ]


def test_a_purpose_that_no_regime_speaks_of_is_refused() -> None:
    silent = Boundary(host="DE", data_classes=(DataClass.PERSONAL,), denied=(), rules=())
    assert silent.decide(Flow("m", "rest", ("DE",), "personal"), TODAY).rule == "residency/purpose"


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


def test_a_relaxation_allows_what_it_names_until_it_ends_and_says_who_approved() -> None:
    made = boundary("eu-gdpr", classes=("personal", "public"), relaxations=(relaxation(),))
    flow = Flow("m", "process", ("DE", "US"), "personal")
    verdict = made.decide(flow, TODAY)
    assert verdict.allowed
    assert "by relaxation (documented, approved by dpo@example.com, until 2026-11-23)" in verdict.reason
    later = made.decide(flow, TODAY + timedelta(days=1))
    assert (later.rule, later.countries) == ("eu-gdpr/process", ("US",))
    assert "the relaxation for US ended on 2026-11-23" in later.reason


@pytest.mark.parametrize(
    "flow",
    [
        Flow("m", "rest", ("US",), "personal"),
        Flow("m", "process", ("US",), "public"),
        Flow("m", "process", ("CA",), "personal"),
    ],
    ids=["another purpose", "another data class", "another country"],
)
def test_a_relaxation_allows_nothing_beside_what_it_names(flow: Flow) -> None:
    made = boundary("eu-gdpr", classes=("personal", "public"), relaxations=(relaxation(),))
    assert not made.decide(flow, TODAY).allowed


def test_a_relaxation_of_one_regime_leaves_the_others_as_they_are() -> None:
    made = boundary("eu-gdpr", "host-country", relaxations=(relaxation(),))
    assert made.decide(Flow("m", "process", ("US",), "personal"), TODAY).rule == "host-country/process"


def test_a_relaxation_by_adequacy_ends_with_the_decision() -> None:
    edge = Adequacy(origin="eea", to="GB", basis="made up", expires=TODAY, source="loomstead")
    catalogue = SHIPPED.model_copy(update={"adequacy": (edge,)})
    asked = relaxation(countries=["GB"], basis=Basis.ADEQUACY, reference=None, expires=TODAY + timedelta(days=30))
    made = compile_boundary(residency("eu-gdpr", relaxations=(asked,)), catalogue, host="DE")
    flow = Flow("m", "process", ("GB",), "personal")
    assert made.decide(flow, TODAY).allowed
    assert not made.decide(flow, TODAY + timedelta(days=1)).allowed


def test_a_documented_relaxation_does_not_end_with_a_decision_it_does_not_rest_on() -> None:
    edge = Adequacy(origin="eea", to="US", basis="made up", expires=TODAY, source="loomstead")
    catalogue = SHIPPED.model_copy(update={"adequacy": (edge,)})
    asked = relaxation(expires=TODAY + timedelta(days=30))
    made = compile_boundary(residency("eu-gdpr", relaxations=(asked,)), catalogue, host="DE")
    assert made.decide(Flow("m", "process", ("US",), "personal"), TODAY + timedelta(days=30)).allowed


def test_an_allowed_flow_names_only_the_relaxation_it_owes_its_verdict_to() -> None:
    others = (
        relaxation(countries=["IN"], approver="a"),
        relaxation(data_classes=[DataClass.PUBLIC], approver="b"),
        relaxation(approver="c"),
    )
    made = boundary("eu-gdpr", classes=("personal", "public"), relaxations=others)
    reason = made.decide(Flow("m", "process", ("US",), "personal"), TODAY).reason
    assert [approver for approver in "abc" if f"approved by {approver}," in reason] == ["c"]


def test_an_allowed_flow_owes_nothing_to_a_relaxation_that_has_ended() -> None:
    ended = relaxation(approver="a", expires=TODAY - timedelta(days=1))
    made = boundary("eu-gdpr", relaxations=(ended, relaxation(approver="b")))
    verdict = made.decide(Flow("m", "process", ("US",), "personal"), TODAY)
    assert verdict.allowed
    assert "approved by b" in verdict.reason
    assert "approved by a" not in verdict.reason


def test_a_refusal_speaks_of_no_relaxation_that_still_holds() -> None:
    made = boundary("eu-gdpr", relaxations=(relaxation(),))
    assert "ended" not in made.decide(Flow("m", "process", ("IN",), "personal"), TODAY).reason


def test_an_adequacy_decision_is_not_read_backwards() -> None:
    edge = Adequacy(origin="GB", to="DE", basis="made up", source="loomstead")
    catalogue = SHIPPED.model_copy(update={"adequacy": (edge,)})
    asked = relaxation(countries=["GB"], basis=Basis.ADEQUACY, reference=None)
    with pytest.raises(ResidencyError, match="no adequacy decision of eu-gdpr for GB"):
        compile_boundary(residency("eu-gdpr", relaxations=(asked,)), catalogue, host="DE")


@pytest.mark.parametrize(
    ("regime", "host", "to", "known"),
    [
        ("eu-gdpr", "DE", "BR", True),
        ("eu-gdpr", "NO", "BR", False),  # the Union has decided, the EEA not yet
        ("eu-gdpr", "NO", "JP", True),
        ("uk-gdpr", "GB", "NO", True),
        ("ch-fadp", "CH", "FR", True),
        ("ch-fadp", "DE", "FR", True),  # a Swiss company's stack abroad: Swiss law decides
        ("ch-fadp", "CH", "BR", False),
        ("in-dpdp", "IN", "GB", False),
    ],
)
def test_an_adequacy_decision_holds_where_the_stack_stands(regime: str, host: str, to: str, known: bool) -> None:
    assert (adequacy(SHIPPED, regime, to, host) is not None) == known


@pytest.mark.parametrize(
    ("regime", "asked", "problem"),
    [
        ("host-country", relaxation(regime="host-country"), "host-country is never relaxed"),
        ("host-country", relaxation(), "the stack is not under eu-gdpr: there is nothing to relax"),
        ("eu-strict", relaxation(regime="eu-strict"), "eu-strict is never relaxed"),
        (
            "eu-gdpr",
            relaxation(countries=["IN"], basis=Basis.ADEQUACY, reference=None),
            "the catalogue has no adequacy decision of eu-gdpr for IN",
        ),
        (
            "eu-gdpr",
            relaxation(basis=Basis.ADEQUACY, reference=None),
            "the decision for US covers recipients certified under the Data Privacy Framework: "
            "name what shows that it applies",
        ),
        (
            "in-dpdp",
            relaxation(regime="in-dpdp", purposes=[Purpose.PROCESS, Purpose.REST]),
            "in-dpdp is never relaxed for rest",
        ),
        (
            "ae-pdpl",
            relaxation(regime="ae-pdpl", data_classes=[DataClass.HEALTH]),
            "ae-pdpl is never relaxed for health data",
        ),
    ],
)
def test_a_relaxation_that_a_regime_does_not_permit_is_refused_not_malformed(
    regime: str, asked: Relaxation, problem: str
) -> None:
    with pytest.raises(ResidencyError) as caught:
        boundary(regime, relaxations=(asked,))
    assert [(found.text, found.refused) for found in caught.value.problems] == [(problem, True)]


def test_a_documented_relaxation_names_its_document() -> None:
    with pytest.raises(ValueError, match="expected reference"):
        relaxation(reference=None)


def test_a_regime_that_is_relaxed_by_adequacy_only_takes_no_document() -> None:
    catalogue = with_regimes({"r": {key: ["DE"] for key in PURPOSES} | {"transfer_mode": "adequacy"}})
    with pytest.raises(ResidencyError, match="r is relaxed to countries with an adequacy decision only"):
        compile_boundary(residency("r", relaxations=(relaxation(regime="r"),)), catalogue, host="DE")


def test_allow_and_deny_only_take_away() -> None:
    made = boundary("eu-gdpr", allow=("DE", "FR", "US"), deny=("FR",))
    rules = {
        country: made.decide(Flow("m", "rest", (country,), "personal"), TODAY).rule
        for country in ("DE", "FR", "US", "IT")
    }
    assert rules == {"DE": "residency/inside", "FR": "residency/deny", "US": "eu-gdpr/rest", "IT": "residency/allow"}


def test_a_denied_country_stays_denied_under_a_relaxation() -> None:
    made = boundary("eu-gdpr", deny=("US",), relaxations=(relaxation(),))
    assert made.decide(Flow("m", "process", ("US",), "personal"), TODAY).rule == "residency/deny"


def test_a_data_class_has_rules_of_its_own() -> None:
    classes = {DataClass.PUBLIC: DataClassRules(), DataClass.HEALTH: DataClassRules(process=("host",))}
    made = compile_boundary(Residency(regimes=("eu-gdpr",), data_classes=classes), SHIPPED, host="DE")
    assert made.decide(Flow("m", "process", ("FR",), "public"), TODAY).allowed
    assert made.decide(Flow("m", "process", ("FR",), "health"), TODAY).rule == "health/process"
    assert made.decide(Flow("m", "rest", ("FR",), "health"), TODAY).allowed


def test_every_unknown_name_is_told_with_its_place() -> None:
    classes = {DataClass.PERSONAL: DataClassRules(rest=("nowhere",))}
    wrong = Residency(
        regimes=("eu-gdpr",),
        data_classes=classes,
        allow=("ea",),
        deny=("ZZ",),
        relaxations=(relaxation(countries=["QQ"]), relaxation(regime="eu-gdrp")),
    )
    with pytest.raises(ResidencyError) as caught:
        compile_boundary(wrong, SHIPPED, host="DE")
    assert {found.place for found in caught.value.problems if not found.refused} == {
        ("allow", 0),
        ("deny", 0),
        ("data_classes", "personal", "rest", 0),
        ("relaxations", 0, "countries", 0),
        ("relaxations", 1, "regime"),
    }


def test_a_reason_lists_the_first_of_many_countries() -> None:
    flow = Flow("m", "process", tuple(sorted(SHIPPED.countries.names)), "personal")
    verdict = boundary("host-country").decide(flow, TODAY)
    assert len(verdict.countries) == len(flow.countries) - 1
    assert "process in AD, AE, AF, AG, AI, AL, AM, AO and 240 more is outside host-country" in verdict.reason


def test_as_many_countries_as_are_told_are_told_without_a_rest() -> None:
    flow = Flow("m", "process", tuple(sorted(SHIPPED.countries.names))[:8], "personal")
    assert "process in AD, AE, AF, AG, AI, AL, AM, AO is outside" in boundary("host-country").decide(flow, TODAY).reason


COUNTRIES = st.sampled_from(["DE", "FR", "CH", "US", "IN"])
TERMS = st.lists(COUNTRIES | st.sampled_from(["host", "eea"]), min_size=1, max_size=4)
REGIMES = st.dictionaries(
    st.sampled_from(["r1", "r2", "r3", "r4"]), st.fixed_dictionaries(dict.fromkeys(PURPOSES, TERMS)), min_size=1
)
DAYS = st.integers(-3, 3).map(lambda days: TODAY + timedelta(days=days))
FLOWS = st.builds(
    Flow,
    subject=st.just("m"),
    purpose=st.sampled_from([*PURPOSES, "train", ""]),
    countries=st.lists(COUNTRIES | st.sampled_from(["ZZ", "de", ""]), max_size=3).map(tuple),
    data_class=st.sampled_from([*DataClass, "secret", ""]),
)
OWN_RULES = st.builds(DataClassRules, **{purpose: st.none() | TERMS.map(tuple) for purpose in PURPOSES})


@st.composite
def residencies(draw: st.DrawFn, regimes: dict[str, dict[str, list[str]]]) -> Residency:
    relaxations = st.builds(
        relaxation,
        regime=st.sampled_from(sorted(regimes)),
        purposes=st.lists(st.sampled_from(Purpose), min_size=1),
        data_classes=st.lists(st.sampled_from(DataClass), min_size=1),
        countries=TERMS,
        expires=DAYS,
    )
    return Residency(
        regimes=tuple(regimes),
        data_classes=draw(st.dictionaries(st.sampled_from(DataClass), OWN_RULES, min_size=1)),
        allow=draw(st.none() | TERMS.map(tuple)),
        deny=tuple(draw(st.lists(COUNTRIES, max_size=2))),
        relaxations=tuple(draw(st.lists(relaxations, max_size=4))),
    )


def only(asked: Residency, regimes: list[str]) -> Residency:
    """The same residency under fewer regimes."""
    kept = tuple(found for found in asked.relaxations if found.regime in regimes)
    return asked.model_copy(update={"regimes": tuple(regimes), "relaxations": kept})


def means(country: str, terms: Any, host: str) -> bool:
    eea = country in SHIPPED.groups["eea"].countries
    return country in terms or ("host" in terms and country == host) or ("eea" in terms and eea)


@given(REGIMES, COUNTRIES, FLOWS, DAYS, st.data())
def test_what_is_allowed_is_known_declared_and_inside_every_rule_of_that_day(
    regimes: dict[str, dict[str, list[str]]], host: str, flow: Flow, on: date, data: st.DataObject
) -> None:
    asked = data.draw(residencies(regimes))
    made = compile_boundary(asked, with_regimes(regimes), host=host)

    def exempt(name: str, country: str) -> bool:
        return any(
            found.regime == name
            and flow.purpose in found.purposes
            and flow.data_class in found.data_classes
            and means(country, found.countries, host)
            and on <= found.expires
            for found in asked.relaxations
        )

    def inside(country: str) -> bool:
        own = getattr(asked.data_classes[DataClass(flow.data_class)], flow.purpose)
        return (
            not means(country, asked.deny, host)
            and (asked.allow is None or means(country, asked.allow, host))
            and (own is None or means(country, own, host))
            and all(
                means(country, rules[flow.purpose], host) or exempt(name, country) for name, rules in regimes.items()
            )
        )

    expected = (
        flow.purpose in PURPOSES
        and flow.data_class in asked.data_classes
        and bool(flow.countries)
        and all(inside(country) for country in flow.countries)
    )
    assert made.decide(flow, on).allowed == expected


@given(REGIMES, COUNTRIES, FLOWS, DAYS, st.data())
def test_another_regime_never_allows_more(
    regimes: dict[str, dict[str, list[str]]], host: str, flow: Flow, on: date, data: st.DataObject
) -> None:
    catalogue = with_regimes(regimes)
    asked = data.draw(residencies(regimes))
    fewer = data.draw(st.lists(st.sampled_from(sorted(regimes)), min_size=1))
    some = compile_boundary(only(asked, fewer), catalogue, host=host)
    every = compile_boundary(asked, catalogue, host=host)
    assert some.decide(flow, on).allowed or not every.decide(flow, on).allowed


@given(REGIMES, COUNTRIES, FLOWS, st.data())
def test_a_later_day_never_allows_more(
    regimes: dict[str, dict[str, list[str]]], host: str, flow: Flow, data: st.DataObject
) -> None:
    made = compile_boundary(data.draw(residencies(regimes)), with_regimes(regimes), host=host)
    earlier, later = sorted((data.draw(DAYS), data.draw(DAYS)))
    assert made.decide(flow, earlier).allowed or not made.decide(flow, later).allowed


@given(REGIMES, COUNTRIES, FLOWS, DAYS, st.randoms(use_true_random=False), st.data())
def test_order_and_repetition_change_neither_digest_nor_verdict(
    regimes: dict[str, dict[str, list[str]]], host: str, flow: Flow, on: date, random: Random, data: st.DataObject
) -> None:
    def mixed(items: Any) -> tuple:
        return items and tuple(random.sample([*items, items[0]], len(items) + 1))

    asked = data.draw(residencies(regimes))
    shuffled = {name: {purpose: list(mixed(terms)) for purpose, terms in regimes[name].items()} for name in regimes}
    turned = Residency(
        regimes=mixed(asked.regimes),
        data_classes=dict(mixed(list(asked.data_classes.items()))),
        allow=mixed(asked.allow),
        deny=mixed(asked.deny),
        relaxations=mixed(
            tuple(found.model_copy(update={"countries": mixed(found.countries)}) for found in asked.relaxations)
        ),
    )
    one = compile_boundary(asked, with_regimes(regimes), host=host)
    two = compile_boundary(turned, with_regimes(shuffled), host=host)
    first = one.decide(flow, on)
    second = two.decide(Flow(flow.subject, flow.purpose, flow.countries[::-1], flow.data_class), on)
    assert one.digest == two.digest
    assert (first.allowed, first.rule, sorted(first.countries)) == (
        second.allowed,
        second.rule,
        sorted(second.countries),
    )
