"""A stack file is a FabricSpec, or every mistake in it is told at its line."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.loading import document_of, load_spec, spec_in
from components.naming import REPOSITORY
from components.spec import CONFIG_KEY, FabricSpec, Port, SpecError
from regions.catalogue import load_catalogue
from tests.fixtures.stacks import RIGHT

STACK_FILE = REPOSITORY / "stacks" / "Pulumi.local.yaml"
SHIPPED = STACK_FILE.read_text()
KEY = CONFIG_KEY
CATALOGUE = load_catalogue()


class Case(NamedTuple):
    name: str
    old: str
    new: str
    mistake: str


HOSTED = "{hosted: {weights: qwen2.5-coder-1.5b-instruct-q4_k_m}}"
ENDPOINT = "{{endpoint: {{url: {url}, model: m, countries: [{country}]}}}}"
MANAGED = "{{managed: {{provider: {provider}, model: m, region: r{more}}}}}"
HERE = "models.chat-small.candidates.here"
CLASSES = "{public: {}, internal: {}, personal: {}}"
LIMITS = "    limits:"
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
        "region: expected a region of local, got locla (did you mean local?)",
    ),
    Case("no regime", "[eu-gdpr]", "[]", "residency.regimes: expected 1 or more entries, got 0"),
    Case(
        "a data class of nobody",
        CLASSES,
        "{secret: {}}",
        "residency.data_classes.secret: unknown key, expected one of public, internal, personal, health, payment",
    ),
    Case(
        "no country",
        "    country: DE # where this machine stands: change it to yours\n",
        "",
        "expected the key country: where the machines of local stand",
    ),
    Case(
        "a country that is none",
        "country: DE",
        "country: ZZ",
        "country: expected a country of ISO 3166-1 alpha-2, got ZZ",
    ),
    Case(
        "two ways to answer",
        HOSTED,
        HOSTED[:-1] + ", endpoint: {url: 'http://x', model: m, countries: [DE]}}",
        f"{HERE}: expected exactly one of hosted, endpoint, managed, got hosted and endpoint",
    ),
    Case("no way to answer", HOSTED, "{}", f"{HERE}: expected exactly one of hosted, endpoint, managed, got none"),
    Case(
        "a candidate that is never chosen",
        HOSTED,
        HOSTED[:-1] + ", weight: 0}",
        "models.chat-small: expected one candidate at least with a weight and without shadow_percent",
    ),
    Case(
        "two servers to host",
        HOSTED,
        HOSTED + "\n          there: {hosted: {gguf: /own.gguf}}",
        f"models.chat-small.candidates.there.hosted: expected one hosted candidate in a stack: {HERE} is one",
    ),
    Case(
        "weights of nobody",
        HOSTED,
        "{hosted: {weights: gpt}}",
        f"{HERE}.hosted.weights: expected one of qwen2.5-coder-1.5b-instruct-q4_k_m, got gpt",
    ),
    Case(
        "a data class that the stack does not have",
        HOSTED,
        HOSTED[:-1] + ", data_classes: [health]}",
        f"{HERE}.data_classes[0]: expected one of internal, personal, public, got health",
    ),
    Case(
        "an endpoint that is no URL",
        HOSTED,
        ENDPOINT.format(url='"ftp://x/v1"', country="DE"),
        f"{HERE}.endpoint.url: expected a URL that begins with http:// or https://",
    ),
    Case(
        "an endpoint in no country",
        HOSTED,
        ENDPOINT.format(url='"http://x/v1"', country="ZZ"),
        f"{HERE}.endpoint.countries[0]: expected a country of ISO 3166-1 alpha-2, got ZZ",
    ),
    Case(
        "a provider of nobody",
        HOSTED,
        MANAGED.format(provider="bedrok", more=""),
        f"{HERE}.managed.provider: expected one of anthropic, azure, azure-anthropic, bedrock, mistral, openai, vertex,"
        " got bedrok (did you mean bedrock?)",
    ),
    Case(
        "spillover of a cloud that has none",
        HOSTED,
        MANAGED.format(provider="bedrock", more=", spillover: there") + "\n          there: " + HOSTED,
        f"{HERE}.managed.spillover: expected no spillover: bedrock has none",
    ),
    Case(
        "spillover to nobody",
        HOSTED,
        MANAGED.format(provider="azure", more=", url: 'https://x.example', spillover: ther")
        + "\n          there: "
        + HOSTED,
        f"{HERE}.managed.spillover: expected one of there, got ther (did you mean there?)",
    ),
    Case(
        "a section of the clouds",
        LIMITS,
        "    keys: {}\n" + LIMITS,
        "keys: expected no such section: platform local does not have it",
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
    (line,) = caught.value.mistakes
    prefix, _, mistake = line.partition(f" {KEY}")
    assert mistake.lstrip(".: ") == case.mistake
    assert prefix.startswith(f"{tmp_path}/Pulumi.x.yaml:")


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
    elsewhere = text.replace(HOSTED, ENDPOINT.format(url='"http://x/v1"', country="DE")).replace(
        "{demo: true}", '{url: "https://erp", openapi: "https://erp/openapi.json", country: DE}'
    )
    with pytest.raises(SpecError) as caught:
        spec_of(tmp_path, elsewhere)
    assert [line.partition(f"{KEY}.")[2] for line in caught.value.mistakes] == [
        "ports.model: expected no port: no candidate of models is hosted here",
        "ports.orders: expected no port: no core system is demo: true",
    ]


@pytest.mark.parametrize("credentials", ["me:canary", "canary", ":canary"])
def test_a_password_in_an_url_is_refused_and_not_repeated(credentials: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="secrets do not belong") as caught:
        spec_of(tmp_path, changed(HOSTED, ENDPOINT.format(url=f'"https://{credentials}@x/v1"', country="DE")))
    assert "canary" not in str(caught.value)


def fabric() -> dict[str, Any]:
    return yaml.safe_load(SHIPPED)["config"][KEY]


def read_by_pulumi(value: Any, path: Path = STACK_FILE) -> FabricSpec:
    return spec_in(document_of(path, value), CATALOGUE)


def test_what_pulumi_read_is_the_same_spec_with_the_same_lines() -> None:
    assert read_by_pulumi(fabric()) == load_spec(STACK_FILE)
    wrong = fabric() | {"country": 5}
    line = next(n for n, text in enumerate(SHIPPED.splitlines(), 1) if "country:" in text)
    with pytest.raises(SpecError, match=rf"Pulumi\.local\.yaml:{line}: loomstead:fabric\.country: expected a text"):
        read_by_pulumi(wrong)


def test_a_plain_date_which_pulumi_makes_a_time_is_the_date_again() -> None:
    file = next(file for file in RIGHT if "relaxations" in file.read_text())
    read = yaml.safe_load(file.read_text())["config"][KEY]
    (relaxation,) = read["residency"]["relaxations"]
    relaxation["expires"] = f"{relaxation['expires']} 00:00:00 +0000 UTC"
    assert read_by_pulumi(read, file) == load_spec(file)


def test_what_pulumi_read_elsewhere_has_no_lines_of_this_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=rf"^--config-file: {KEY}\.country: expected a text"):
        read_by_pulumi(fabric() | {"country": 5}, tmp_path / "Pulumi.none.yaml")


@pytest.mark.parametrize("read", [None, "text", 5, []])
def test_a_configuration_without_a_fabric_is_no_other_fabric(read: Any) -> None:
    with pytest.raises(SpecError, match="expected"):
        read_by_pulumi(read)


def test_defaults_are_part_of_the_digest_and_spelling_is_not() -> None:
    bare = fabric()
    for key in ("postgres", "ports", "limits"):
        del bare[key]
    assert read_by_pulumi(bare).digest == load_spec(STACK_FILE).digest
    assert read_by_pulumi(fabric() | {"country": "FR"}).digest != load_spec(STACK_FILE).digest


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
        spec = read_by_pulumi(fabric() | sections)
    except SpecError as wrong:
        mistakes = wrong.mistakes or ("an error without a mistake",)
    else:
        mistakes = () if isinstance(spec, FabricSpec) else ("no spec",)
    assert all(line.startswith(f"{STACK_FILE}:") and f" {KEY}" in line for line in mistakes)
