"""No request and no data class gets an endpoint that the Boundary does not hold whole."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.boundary import Boundary, compile_boundary
from regions.catalogue import load_catalogue
from regions.manifest import Manifest, ModelEndpoint
from regions.residency import DataClass, DataClassRules, Purpose, Residency
from runtime.errors import Refused
from runtime.models.routing import Routing
from tests.fixtures.issuer import endpoint, manifest

COUNTRIES = ["DE", "FR", "US", "CN", "GB"]
CLASSES = ["chat-small", "chat-large"]
REGIMES = sorted(load_catalogue().regimes)

_countries = st.lists(st.sampled_from(COUNTRIES), min_size=1, max_size=3, unique=True).map(tuple)
_endpoints = st.lists(st.tuples(st.sampled_from(CLASSES), _countries), max_size=4).map(
    lambda rows: tuple(_endpoint(number, *row) for number, row in enumerate(rows))
)
_boundaries = st.builds(
    lambda regimes, data_classes, host: compile_boundary(
        Residency(regimes=tuple(regimes), data_classes=dict.fromkeys(data_classes, DataClassRules())),
        load_catalogue(),
        host=host,
    ),
    st.lists(st.sampled_from(REGIMES), min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(DataClass), min_size=1, unique=True),
    st.sampled_from(COUNTRIES),
)


def _endpoint(number: int, model_class: str, countries: tuple[str, ...]) -> ModelEndpoint:
    return endpoint(f"{model_class}/{number}", "http://127.0.0.1:1/v1", countries=countries)


def _manifest(boundary: Boundary, models: tuple[ModelEndpoint, ...]) -> Manifest:
    changes: dict[str, Any] = {"boundary": boundary, "boundary_digest": boundary.digest, "models": models}
    return manifest("http://127.0.0.1:1").model_copy(update=changes)


def _allowed(boundary: Boundary) -> set[str]:
    """The countries in which every regime allows processing."""
    return set.intersection(*(set(rule.countries) for rule in boundary.rules if rule.purpose is Purpose.PROCESS))


@given(_boundaries, _endpoints, st.sampled_from(CLASSES), st.sampled_from(DataClass))
def test_what_is_chosen_is_the_first_whose_countries_all_lie_inside(
    boundary: Boundary, models: tuple[ModelEndpoint, ...], model_class: str, data_class: DataClass
) -> None:
    inside = [
        endpoint
        for endpoint in models
        if endpoint.model_class == model_class
        and set(endpoint.countries) <= _allowed(boundary)
        and data_class in boundary.data_classes
    ]
    routing = Routing(_manifest(boundary, models))
    if inside:
        chosen = routing.choose(model_class, data_class)
        assert chosen.endpoint == inside[0]
        assert chosen.verdict.allowed
    else:
        with pytest.raises(Refused) as refused:
            routing.choose(model_class, data_class)
        assert refused.value.status == 451


@given(_boundaries, _endpoints, st.text(), st.text())
def test_what_nobody_declared_is_refused(
    boundary: Boundary, models: tuple[ModelEndpoint, ...], model_class: str, data_class: str
) -> None:
    routing = Routing(_manifest(boundary, models))
    for asked in ((model_class, "personal"), ("chat-small", data_class)):
        if asked[0] in CLASSES and asked[1] in set(DataClass):
            continue
        with pytest.raises(Refused) as refused:
            routing.choose(*asked)
        assert refused.value.code == "model_class_unavailable"


def test_a_refusal_names_each_endpoint_its_rule_and_all_countries() -> None:
    models = (_endpoint(0, "chat-small", ("DE", "US")), _endpoint(1, "chat-small", ("CN",)))
    boundary = manifest("http://127.0.0.1:1").boundary
    with pytest.raises(Refused) as refused:
        Routing(_manifest(boundary, models)).choose("chat-small", "personal")
    told = refused.value.problem()
    assert (told["code"], told["rule"], told["countries"]) == (
        "outside_boundary",
        "eu-gdpr/process",
        ["CN", "DE", "US"],
    )
    assert "chat-small/0" in told["detail"]
    assert "chat-small/1" in told["detail"]
