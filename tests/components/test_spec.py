"""A stack file is a FabricSpec or is refused: malformed with every mistake at its line, or outside its own Boundary."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components import spec as module
from components.spec import FabricSpec, Port, ResidencyRefused, SpecError, load_spec, parse_spec, schema_text
from regions.boundary import ResidencyError
from regions.catalogue import load_catalogue

STACK_FILE = Path(module.__file__).parents[1] / "stacks" / "Pulumi.local.yaml"
SHIPPED = STACK_FILE.read_text()
KEY = "loomstead:fabric"


class Case(NamedTuple):
    name: str
    old: str
    new: str
    mistake: str


ENDPOINT = "endpoint: {{url: {url}, model: m, countries: [{country}]}}"
WEIGHTS = "weights: qwen2.5-coder-1.5b-instruct-q4_k_m"
CASES = [
    Case(
        "a type",
        "connection_limit: 20",
        "connection_limit: many",
        'postgres.replica.connection_limit: expected an integer ≥ 1 and ≤ 90, got "many"',
    ),
    Case(
        "a typo",
        "connection_limit: 20",
        "conection_limit: 20",
        "postgres.replica.conection_limit: unknown key, expected one of connection_limit, statement_timeout_ms"
        " (did you mean connection_limit?)",
    ),
    Case("a platform to come", "platform: local", "platform: aws", "platform: aws is not built yet; expected local"),
    Case(
        "a platform that is none",
        "platform: local",
        "platform: ibm",
        'platform: expected one of aws, azure, gcp, kubernetes, local, got "ibm"',
    ),
    Case(
        "a region of nobody",
        "region: local",
        "region: locla",
        "region: expected one of local, got locla (did you mean local?)",
    ),
    Case(
        "a regime of nobody",
        "[eu-gdpr]",
        "[eu-gdrp]",
        "residency.regimes[0]: expected one of eu-gdpr, host-country, got eu-gdrp (did you mean eu-gdpr?)",
    ),
    Case("no regime", "[eu-gdpr]", "[]", "residency.regimes: expected 1 or more entries, got 0"),
    Case(
        "a data class of nobody",
        "[public, internal, personal]",
        "[secret]",
        'residency.data_classes[0]: expected one of public, internal, personal, got "secret"',
    ),
    Case(
        "no country",
        "    country: DE # where this machine stands: change it to yours\n",
        "",
        "country: expected a text like DE (ISO 3166-1 alpha-2), got nothing",
    ),
    Case(
        "a country that is none",
        "country: DE",
        "country: ZZ",
        "country: expected a country of ISO 3166-1 alpha-2, got ZZ",
    ),
    Case(
        "two models",
        WEIGHTS,
        f"{WEIGHTS}\n      gguf: /own.gguf",
        "model: expected exactly one of weights, gguf, endpoint, got weights and gguf",
    ),
    Case("no model", f"      {WEIGHTS}\n", "", "model: expected exactly one of weights, gguf, endpoint, got none"),
    Case(
        "weights of nobody",
        WEIGHTS,
        "weights: gpt",
        "model.weights: expected one of qwen2.5-coder-1.5b-instruct-q4_k_m, got gpt",
    ),
    Case(
        "an endpoint that is no URL",
        WEIGHTS,
        ENDPOINT.format(url='"ftp://x/v1"', country="DE"),
        "model.endpoint.url: expected a URL that begins with http:// or https://",
    ),
    Case(
        "an endpoint in no country",
        WEIGHTS,
        ENDPOINT.format(url='"http://x/v1"', country="ZZ"),
        "model.endpoint.countries[0]: expected a country of ISO 3166-1 alpha-2, got ZZ",
    ),
    Case(
        "a port of nobody",
        "ports: {}",
        "ports: {gatway: 8080}",
        "ports.gatway: unknown key, expected one of primary, replica, temporal, temporal-ui, model, orders, gateway"
        " (did you mean gateway?)",
    ),
    Case(
        "a port out of reach",
        "ports: {}",
        "ports: {gateway: 80}",
        "ports.gateway: expected an integer ≥ 1024 and ≤ 65535, got 80",
    ),
    Case(
        "a port for two",
        "ports: {}",
        "ports: {gateway: 8080, primary: 8080}",
        "ports.primary: expected a port of its own, got 8080, which gateway has",
    ),
    Case(
        "tokens that live too long",
        "token_seconds: 300",
        "token_seconds: 3600",
        "limits.token_seconds: expected an integer ≥ 10 and ≤ 300, got 3600",
    ),
    Case(
        "half a core system",
        "{demo: true}",
        "{country: DE}",
        "core_systems.orders: expected demo: true, or all of url, openapi and country",
    ),
    Case(
        "a demo elsewhere",
        "{demo: true}",
        "{demo: true, country: DE}",
        "core_systems.orders: expected demo: true, or all of url, openapi and country",
    ),
    Case(
        "rights in a system of nobody",
        "core_system: orders",
        "core_system: order",
        "scope_classes.orders-rw.core_system: expected one of orders, got order (did you mean orders?)",
    ),
    Case(
        "a tool twice",
        "[orders.get, ",
        "[orders.get, orders.get, ",
        "scope_classes.orders-rw.tools: expected each tool once",
    ),
]


def spec_of(folder: Path, text: str) -> FabricSpec:
    (folder / "Pulumi.x.yaml").write_text(text)
    return load_spec(folder / "Pulumi.x.yaml")


def changed(old: str, new: str) -> str:
    assert SHIPPED.count(old) == 1
    return SHIPPED.replace(old, new)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_stack_file_is_refused_at_its_line(case: Case, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(tmp_path, changed(case.old, case.new))
    prefixes, mistakes = zip(*(line.split(f" {KEY}.", 1) for line in caught.value.mistakes), strict=True)
    assert mistakes == (case.mistake,)
    assert all(prefix.startswith(f"{tmp_path}/Pulumi.x.yaml:") for prefix in prefixes)


def test_the_line_is_that_of_the_key(tmp_path: Path) -> None:
    line = next(n for n, text in enumerate(SHIPPED.splitlines(), 1) if "connection_limit" in text)
    with pytest.raises(SpecError, match=rf"^{tmp_path}/Pulumi\.x\.yaml:{line}: loomstead:fabric\.postgres"):
        spec_of(tmp_path, changed("connection_limit: 20", "connection_limit: 0"))


def test_a_file_without_the_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="expected the key loomstead:fabric, got nothing"):
        spec_of(tmp_path, "config:\n  aws:region: eu-central-1\n")


def test_ports_are_only_for_what_the_fabric_hosts(tmp_path: Path) -> None:
    text = changed("ports: {}", "ports: {model: 9000, orders: 9001}")
    assert spec_of(tmp_path, text).ports == {Port.MODEL: 9000, Port.ORDERS: 9001}
    elsewhere = text.replace(WEIGHTS, ENDPOINT.format(url='"http://x/v1"', country="DE")).replace(
        "{demo: true}", '{url: "https://erp", openapi: "https://erp/openapi.json", country: DE}'
    )
    with pytest.raises(SpecError) as caught:
        spec_of(tmp_path, elsewhere)
    assert [line.partition(f"{KEY}.")[2] for line in caught.value.mistakes] == [
        "ports.model: expected no port: model.endpoint is hosted elsewhere",
        "ports.orders: expected no port: no core system is demo: true",
    ]


@pytest.mark.parametrize("credentials", ["me:canary", "canary", ":canary"])
def test_a_password_in_an_url_is_refused_and_not_repeated(credentials: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="secrets do not belong") as caught:
        spec_of(tmp_path, changed(WEIGHTS, ENDPOINT.format(url=f'"https://{credentials}@x/v1"', country="DE")))
    assert "canary" not in str(caught.value)


def test_the_shipped_stack_stays_inside_its_boundary() -> None:
    spec = load_spec(STACK_FILE)
    boundary = spec.boundary(load_catalogue())
    assert boundary.host == spec.country
    assert {rule.regime for rule in boundary.rules} == {"eu-gdpr"}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("country: DE", "country: US", f"{KEY}.country: refused by eu-gdpr/rest: this machine: rest in US is outside"),
        (
            WEIGHTS,
            ENDPOINT.format(url='"http://x/v1"', country="DE, US"),
            f"{KEY}.model.endpoint: refused by eu-gdpr/process: model m: process in US is outside eu-gdpr",
        ),
        (
            "{demo: true}",
            "{url: 'https://erp', openapi: 'https://erp/openapi.json', country: IN}",
            f"{KEY}.core_systems.orders: refused by eu-gdpr/rest: core system orders: rest in IN is outside eu-gdpr",
        ),
    ],
)
def test_what_the_spec_places_outside_its_boundary_is_refused(old: str, new: str, line: str, tmp_path: Path) -> None:
    spec = spec_of(tmp_path, changed(old, new))
    with pytest.raises(ResidencyRefused) as caught:
        spec.boundary(load_catalogue())
    (told,) = str(caught.value).splitlines()
    assert told.startswith(line)
    assert "Remedy: " in told


def test_refusals_come_together_one_a_key(tmp_path: Path) -> None:
    text = changed("country: DE", "country: US").replace(WEIGHTS, ENDPOINT.format(url="'http://x'", country="IN"))
    with pytest.raises(ResidencyRefused) as caught:
        spec_of(tmp_path, text).boundary(load_catalogue())
    assert [line.split(":")[1].split(".", 1)[1] for line in str(caught.value).splitlines()] == [
        "country",
        "model.endpoint",
    ]


def test_a_catalogue_without_the_regime_is_no_licence() -> None:
    catalogue = load_catalogue()
    with pytest.raises(ResidencyError):
        load_spec(STACK_FILE).boundary(catalogue.model_copy(update={"regimes": {}}))


def fabric() -> dict[str, Any]:
    return yaml.safe_load(SHIPPED)["config"][KEY]


def test_what_pulumi_read_is_the_same_spec_with_the_same_lines() -> None:
    assert parse_spec(fabric(), STACK_FILE) == load_spec(STACK_FILE)
    wrong = fabric() | {"country": 5}
    line = next(n for n, text in enumerate(SHIPPED.splitlines(), 1) if "country:" in text)
    with pytest.raises(SpecError, match=rf"Pulumi\.local\.yaml:{line}: loomstead:fabric\.country: expected a text"):
        parse_spec(wrong, STACK_FILE)


def test_defaults_are_part_of_the_digest_and_spelling_is_not() -> None:
    bare = fabric()
    for key in ("postgres", "ports", "limits"):
        del bare[key]
    assert parse_spec(bare, STACK_FILE).digest == load_spec(STACK_FILE).digest
    assert parse_spec(fabric() | {"country": "FR"}, STACK_FILE).digest != load_spec(STACK_FILE).digest


def test_the_schema_file_is_what_the_models_say() -> None:
    message = "components/fabric.schema.json is not what components/spec.py says: run `loomstead schema`"
    assert module.SCHEMA_PATH.read_text() == schema_text(), message


@pytest.mark.parametrize(("old", "new"), [("region: local", "regoin: local"), ("  loomstead:fabric:", "  kit:fabric:")])
def test_the_schema_takes_the_shipped_stack_file_and_refuses_a_wrong_one(old: str, new: str) -> None:
    schema = jsonschema_rs.validator_for(json.loads(schema_text()))
    assert schema.is_valid(yaml.safe_load(SHIPPED))
    assert not schema.is_valid(yaml.safe_load(changed(old, new)))


def test_the_stack_file_names_its_schema_in_the_first_line() -> None:
    first = SHIPPED.splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (STACK_FILE.parent / named).resolve() == module.SCHEMA_PATH


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["url", "demo", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
SECTIONS = st.sampled_from([*fabric(), "unknown"])


@given(st.dictionaries(SECTIONS, JSON, min_size=1, max_size=4))
def test_any_fabric_is_a_spec_or_a_located_mistake(sections: dict[str, Any]) -> None:
    try:
        spec = parse_spec(fabric() | sections, STACK_FILE)
    except SpecError as wrong:
        mistakes = wrong.mistakes or ("an error without a mistake",)
    else:
        mistakes = () if isinstance(spec, FabricSpec) else ("no spec",)
    assert all(line.startswith(f"{STACK_FILE}:") and f" {KEY}" in line for line in mistakes)
