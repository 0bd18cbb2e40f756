"""No request, no data class and no day gets an endpoint that the Boundary does not hold whole."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.boundary import Boundary, compile_boundary
from regions.catalogue import TransferMode, load_catalogue
from regions.endpoints import serving, servings
from regions.manifest import Manifest, ModelEndpoint
from regions.residency import Basis, DataClass, DataClassRules, Purpose, Relaxation, Residency
from runtime.errors import Refused
from runtime.models.routing import Candidate, Routing, today
from tests.fixtures.issuer import endpoint, manifest

CATALOGUE = load_catalogue()
COUNTRIES = ["DE", "FR", "US", "CN", "GB"]
CLASSES = ["chat-small", "chat-large"]
DAY = date(2026, 11, 23)
RELAXED = sorted(
    name
    for name, regime in CATALOGUE.regimes.items()
    if regime.transfer_mode not in (TransferMode.NONE, TransferMode.ADEQUACY) and not regime.fixed
)
URL = "http://127.0.0.1:1/v1"

_days = st.integers(-3, 3).map(lambda days: DAY + timedelta(days=days))
_endpoints = st.lists(
    st.fixed_dictionaries(
        {
            "model_class": st.sampled_from(CLASSES),
            "countries": st.lists(st.sampled_from(COUNTRIES), min_size=1, max_size=3, unique=True).map(tuple),
            "data_classes": st.lists(st.sampled_from(DataClass), min_size=1, unique=True).map(tuple),
            "weight": st.integers(0, 3),
            "priority": st.integers(0, 2),
            "shadow_percent": st.none() | st.just(100),
        }
    ),
    max_size=6,
).map(lambda rows: tuple(_endpoint(number, **row) for number, row in enumerate(rows)))
_relaxations = st.lists(
    st.builds(
        lambda name, data_classes, countries, day: Relaxation(
            regime=name,
            purposes=(Purpose.PROCESS,),
            data_classes=tuple(data_classes),
            countries=tuple(countries),
            basis=Basis.DOCUMENTED,
            reference="SCC 12",
            reason="test",
            approver="dpo",
            expires=day,
        ),
        st.sampled_from(RELAXED),
        st.lists(st.sampled_from(DataClass), min_size=1, unique=True),
        st.lists(st.sampled_from(COUNTRIES), min_size=1, max_size=2, unique=True),
        _days,
    ),
    max_size=2,
)
_boundaries = st.builds(
    lambda regimes, data_classes, host, relaxations: compile_boundary(
        Residency(
            regimes=tuple({*regimes, *(relaxation.regime for relaxation in relaxations)}),
            data_classes=dict.fromkeys(data_classes, DataClassRules()),
            relaxations=tuple(relaxations),
        ),
        CATALOGUE,
        host=host,
    ),
    st.lists(st.sampled_from(sorted(CATALOGUE.regimes)), min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(DataClass), min_size=1, unique=True),
    st.sampled_from(COUNTRIES),
    _relaxations,
)


def _endpoint(number: int, model_class: str, **changes: Any) -> ModelEndpoint:
    return endpoint(f"{model_class}/{number}", URL, **changes)


def _manifest(boundary: Boundary, models: tuple[ModelEndpoint, ...]) -> Manifest:
    changes: dict[str, Any] = {"boundary": boundary, "boundary_digest": boundary.digest, "models": models}
    return manifest("http://127.0.0.1:1").model_copy(update=changes)


def _allowed(boundary: Boundary, data_class: str, on: date) -> set[str]:
    """The countries in which every rule allows processing, told without ``decide``."""
    if data_class not in boundary.data_classes:
        return set()
    rules = [
        rule for rule in boundary.rules if rule.purpose is Purpose.PROCESS and rule.data_class in (None, data_class)
    ]
    return set.intersection(
        *(
            set(rule.countries).union(
                *(
                    exemption.countries
                    for exemption in rule.exemptions
                    if data_class in exemption.data_classes and exemption.until >= on
                )
            )
            for rule in rules
        )
    ) - set(boundary.denied)


def _names(route: tuple[Candidate, ...]) -> list[str]:
    return [candidate.endpoint.name for candidate in route]


@given(_boundaries, _endpoints, st.sampled_from(CLASSES), st.sampled_from(DataClass), _days, st.text(), st.data())
def test_whoever_is_asked_lies_inside_fallbacks_and_copies_too(
    boundary: Boundary,
    models: tuple[ModelEndpoint, ...],
    model_class: str,
    data_class: DataClass,
    day: date,
    txn: str,
    data: st.DataObject,
) -> None:
    quarantined = {model.name: "why" for model in models if data.draw(st.booleans())}
    inside = [
        model
        for model in models
        if model.model_class == model_class
        and set(model.countries) <= _allowed(boundary, data_class, day)
        and data_class in model.data_classes
        and model.name not in quarantined
    ]
    chosen = [model for model in inside if model.weight and not model.shadow_percent]
    routing = Routing(_manifest(boundary, models), day.toordinal)
    if not chosen:
        with pytest.raises(Refused) as refused:
            routing.choose(model_class, data_class, txn, quarantined)
        assert refused.value.code in ("outside_boundary", "model_class_unavailable", "endpoints_quarantined")
        return
    route = routing.choose(model_class, data_class, txn, quarantined)
    copies = routing.shadows(model_class, data_class, txn, 1, quarantined)
    assert sorted(_names(route)) == sorted(model.name for model in chosen)
    assert [candidate.endpoint.priority for candidate in route] == sorted(model.priority for model in chosen)
    assert all(candidate.verdict.allowed for candidate in (*route, *copies))
    assert _names(copies) == [model.name for model in inside if model.shadow_percent]


@given(_boundaries, _endpoints, st.text(), st.text())
def test_what_nobody_declared_is_refused(
    boundary: Boundary, models: tuple[ModelEndpoint, ...], model_class: str, data_class: str
) -> None:
    routing = Routing(_manifest(boundary, models))
    for asked in ((model_class, "personal"), ("chat-small", data_class)):
        if asked[0] in CLASSES and asked[1] in set(DataClass):
            continue
        with pytest.raises(Refused) as refused:
            routing.choose(*asked, "t", {})
        assert refused.value.code == "model_class_unavailable"


def _german(*models: ModelEndpoint, **residency: Any) -> Manifest:
    described: dict[str, Any] = {
        "regimes": ("eu-gdpr",),
        "data_classes": dict.fromkeys(DataClass, DataClassRules()),
        **residency,
    }
    return _manifest(compile_boundary(Residency(**described), CATALOGUE, host="DE"), models)


def _refusal(routing: Routing, quarantined: dict[str, str] | None = None) -> dict[str, Any]:
    with pytest.raises(Refused) as refused:
        routing.choose("chat-small", "personal", "t", quarantined or {})
    return refused.value.problem()


def test_a_refusal_names_each_endpoint_its_rule_and_all_countries() -> None:
    told = _refusal(
        Routing(
            _german(
                _endpoint(0, "chat-small", countries=("DE", "US")),
                _endpoint(1, "chat-small", countries=("CN",)),
                _endpoint(2, "chat-small", data_classes=(DataClass.PUBLIC,)),
                _endpoint(3, "chat-small", weight=0),
                _endpoint(4, "chat-small", shadow_percent=5),
            )
        )
    )
    assert (told["code"], told["rule"]) == ("outside_boundary", "eu-gdpr/process")
    assert told["countries"] == ["CN", "DE", "US"]
    reasons = told["detail"].split("; ")
    for name, reason in (
        ("0", "US"),
        ("1", "CN"),
        ("2", "personal data may not be sent there, only public"),
        ("3", "weight is 0"),
        ("4", "copies"),
    ):
        assert any(f"chat-small/{name}" in told and reason in told for told in reasons)


def test_where_all_that_are_left_are_quarantined_nobody_else_is_asked() -> None:
    models = (_endpoint(0, "chat-small"), _endpoint(1, "chat-small", countries=("US",)), _endpoint(2, "chat-small"))
    told = _refusal(Routing(_german(*models)), {"chat-small/0": "it said US", "chat-small/2": "it moved"})
    assert (told["status"], told["code"]) == (503, "endpoints_quarantined")
    assert told["endpoints"] == ["chat-small/0", "chat-small/2"]
    assert "chat-small/0: it said US; chat-small/2: it moved" in told["detail"]
    assert "chat-small/1" in told["detail"]


def test_a_relaxation_ends_with_its_day_and_without_a_restart() -> None:
    day = [DAY.toordinal()]
    relaxation = Relaxation(
        regime="eu-gdpr",
        purposes=(Purpose.PROCESS,),
        data_classes=(DataClass.PUBLIC,),
        countries=("US",),
        basis=Basis.DOCUMENTED,
        reference="SCC 12",
        reason="test",
        approver="dpo",
        expires=DAY,
    )
    models = (_endpoint(0, "chat-small", countries=("US",)), _endpoint(1, "chat-small", countries=("US",)))
    routing = Routing(_german(*models, relaxations=(relaxation,)), lambda: day[0])
    assert len(routing.choose("chat-small", "public", "t", {})) == 2
    day[0] += 1
    with pytest.raises(Refused, match=f"ended on {DAY}") as refused:
        routing.choose("chat-small", "public", "t", {})
    assert refused.value.code == "outside_boundary"
    assert not any(candidate.verdict.allowed for candidate in routing.every("chat-small", "public"))


def test_a_task_keeps_its_endpoint_also_when_another_is_quarantined() -> None:
    models = tuple(_endpoint(number, "chat-small", weight=number + 1) for number in range(4))
    one, two = Routing(_german(*models)), Routing(_german(*reversed(models)))
    for txn in map(str, range(200)):
        order = _names(one.choose("chat-small", "personal", txn, {}))
        assert _names(two.choose("chat-small", "personal", txn, {})) == order
        assert _names(one.choose("chat-small", "personal", txn, {order[2]: "why"})) == [*order[:2], order[3]]


def test_weights_are_respected_in_the_large_and_priority_comes_first() -> None:
    models = (
        _endpoint(0, "chat-small", weight=1),
        _endpoint(1, "chat-small", weight=3),
        _endpoint(2, "chat-small", weight=1000, priority=1),
    )
    routing = Routing(_german(*models))
    first = Counter(_names(routing.choose("chat-small", "personal", str(txn), {}))[0] for txn in range(8000))
    assert first["chat-small/1"] / 8000 == pytest.approx(0.75, abs=0.03)
    assert first["chat-small/2"] == 0


def test_copies_go_to_their_share_of_the_calls() -> None:
    models = (_endpoint(0, "chat-small"), _endpoint(1, "chat-small", shadow_percent=20))
    routing = Routing(_german(*models))
    copied = sum(bool(routing.shadows("chat-small", "personal", "t", step, {})) for step in range(8000))
    assert copied / 8000 == pytest.approx(0.2, abs=0.03)


def test_days_are_those_of_utc() -> None:
    assert date.fromordinal(today()) == datetime.now(UTC).date()


_CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"


@pytest.mark.parametrize(
    ("name", "model", "called", "served"),
    [
        # LiteLLM 1.106.2 compares labels: it served the first two as `eu`, and refused the third for want of one.
        ("eu", f"us.{_CLAUDE}", "us-east-1", False),
        ("eu", f"global.{_CLAUDE}", "eu-central-1", False),
        ("unlabelled", f"eu.{_CLAUDE}", "eu-central-1", True),
        ("eu", f"eu.{_CLAUDE}", "eu-west-2", False),
    ],
)
def test_what_an_endpoint_is_called_decides_nothing_and_its_profile_all(
    name: str, model: str, called: str, served: bool
) -> None:
    countries = serving(CATALOGUE, "bedrock", model, called).countries
    labelled = endpoint(f"chat-small/{name}", None, provider="bedrock", region=called, countries=countries)
    routing = Routing(_german(labelled))
    if served:
        assert _names(routing.choose("chat-small", "personal", "t", {})) == [labelled.name]
    else:
        assert _refusal(routing)["code"] == "outside_boundary"


def test_vertex_is_served_by_its_location_and_not_by_its_label() -> None:
    """LiteLLM 1.106.2 served ``vertex_location: global`` as ``eu`` where it was labelled so."""
    for location, inside in (("europe-west3", True), ("global", False)):
        found = list(servings(CATALOGUE, provider="vertex", called=location))
        assert found
        for way in found:
            there = endpoint("chat-small/eu", None, provider="vertex", region=location, countries=way.countries)
            allowed = any(c.verdict.allowed for c in Routing(_german(there)).every("chat-small", "personal"))
            assert allowed is inside
