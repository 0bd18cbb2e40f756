"""Review: what it finds, where it says it is, and what answers for it. ``tests/stacks`` has a file for each rule."""

import random
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.checks import CHECKS, check_of
from components.review import StackReview, refusal, review, review_read
from components.spec import CONFIG_KEY, SpecError
from regions.catalogue import load_catalogue
from regions.findings import Location, Severity
from tests.fixtures.stacks import RIGHT, STACK_FILE, WRONG, rule_of

CATALOGUE = load_catalogue()
ON = date(2026, 12, 1)
FIRST = (RIGHT[0].parent / "eu-gdpr.aws.yaml").read_text()
QUEBEC = (RIGHT[0].parent / "ca-qc-law25.azure.yaml").read_text()


def reviewed(folder: Path, text: str, on: date = ON) -> StackReview:
    (folder / "Pulumi.x.yaml").write_text(text)
    return review(folder / "Pulumi.x.yaml", CATALOGUE, on)


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("aws-eu-west-1", "region"),
        ("gcp-europe-west3", "platform"),
        ("aws-eu-central-1", None),
        ("aws-prod", None),
        ("prod-eu-west-1", None),
        ("aws-eu-west-1-prod", None),
        ("kubernetes-eu-west-1", None),
    ],
)
def test_a_stack_that_is_called_after_a_region_is_made_there(name: str, key: str | None, tmp_path: Path) -> None:
    (tmp_path / f"Pulumi.{name}.yaml").write_text(FIRST)
    found = review(tmp_path / f"Pulumi.{name}.yaml", CATALOGUE, ON)

    read = yaml.safe_load(FIRST)["config"][CONFIG_KEY]
    for each in (found, review_read(tmp_path / "elsewhere.yaml", read, name, CATALOGUE, ON)):
        assert [(finding.rule, finding.resource) for finding in each.open] == ([("spec/value", key)] if key else [])
    if key:
        assert f"the stack is called {name}" in found.open[0].message
        assert "or call the file Pulumi.aws-eu-central-1.yaml" in found.open[0].message
        assert found.open[0].location == Location(found.file, line_of(FIRST, f"{key}:"))


def test_a_file_that_is_no_stacks_may_be_called_anything(tmp_path: Path) -> None:
    file = tmp_path / "aws-eu-west-1.yaml"
    file.write_text(FIRST)
    assert review(file, CATALOGUE, ON).open == ()
    assert [found.resource for found in review(file, CATALOGUE, ON, "aws-eu-west-1").open] == ["region"]


def line_of(text: str, what: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if what in line)


def test_the_shipped_stack_is_clean() -> None:
    found = review(STACK_FILE, CATALOGUE, ON)
    assert (found.stack, found.findings, found.waivers) == ("local", (), ())
    assert found.boundary is not None
    assert found.digest == found.boundary.digest


def test_a_finding_says_all_that_is_known(tmp_path: Path) -> None:
    text = changed(FIRST, "eu.anthropic", "global.anthropic")
    (finding,) = reviewed(tmp_path, text).open
    assert (finding.rule, finding.severity) == ("eu-gdpr/process", Severity.DENY)
    assert (finding.resource, finding.property) == ("models.chat.candidates.main.managed", "process")
    assert finding.value == "eu-central-1 by global"
    assert set(finding.countries) >= {"US", "GB"}
    assert not {"DE", "FR"} & set(finding.countries)
    assert finding.location is not None
    assert finding.location.line == line_of(text, "managed:")
    assert "personal data" in finding.message
    assert "loomstead models where --regime eu-gdpr --data-class personal" in finding.remedy


def test_one_wrong_region_is_one_finding(tmp_path: Path) -> None:
    text = changed(FIRST, "    region: eu-central-1\n", "    region: eu-west-2\n")
    text = text.replace("eu.guardrail", "uk.guardrail")
    (region,) = (finding for finding in reviewed(tmp_path, text).open if finding.resource == "region")
    assert (region.rule, region.property, region.countries) == ("eu-gdpr/rest", "rest, process, keys, logs", ("GB",))
    assert "such as eu-west-1" in region.remedy


def test_a_region_of_another_platform_is_told_as_that(tmp_path: Path) -> None:
    found = reviewed(tmp_path, changed(FIRST, "platform: aws", "platform: azure")).open
    assert [finding.message for finding in found if finding.resource == "region"] == [
        "expected a region of azure, got eu-central-1, a region of aws"
    ]


def test_backups_on_a_cluster_are_remedied_by_another_store_and_not_by_a_region(tmp_path: Path) -> None:
    (file,) = (file for file in WRONG if file.stem == "ch-fadp+backup.store-in-the-states")
    (finding,) = reviewed(tmp_path, file.read_text()).open
    assert finding.resource == "backup.store"
    assert finding.remedy.startswith("Take a store that keeps what it is given in ")


@pytest.mark.parametrize(("region", "rule"), [("us-gov-west-1", "spec/value"), ("us-east-1", "us-itar/partition")])
def test_an_arn_does_not_lead_out_of_the_partition(region: str, rule: str, tmp_path: Path) -> None:
    (file,) = (file for file in WRONG if "host-of-openai" in file.name)
    arn = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"
    calls = 'provider: openai, model: "gpt-5.2-2025-12-11", region: us.api.openai.com'
    text = changed(file.read_text(), calls, f'provider: bedrock, model: "{arn}", region: {region}')
    assert {finding.rule for finding in reviewed(tmp_path, text).open} == {rule}


def test_each_data_class_has_its_own_ways_out(tmp_path: Path) -> None:
    text = changed(FIRST, "data_classes: {personal: {}}", "data_classes: {personal: {}, health: {process: [DE]}}")
    assert {finding.rule for finding in reviewed(tmp_path, text).open} == {"health/process"}
    kept = changed(text, "eu-central-1}}", "eu-central-1}, data_classes: [personal]}")
    assert {finding.resource for finding in reviewed(tmp_path, kept).open} == {"guardrail.profile"}


def test_a_relaxation_is_offered_only_where_the_regime_has_one() -> None:
    offered = {file.name: refusal(review(file, CATALOGUE, ON)) for file in WRONG}
    assert "record a relaxation of uk-gdpr" in offered["uk-gdpr+process.bedrock-eu-from-london.yaml"]
    assert "record a relaxation" not in offered["eu-strict+process.openai-european-host.yaml"]
    assert "record a relaxation" not in offered["in-dpdp+keys.key-ring-in-singapore.yaml"]


def test_a_rule_of_the_stacks_own_is_named_as_the_cause() -> None:
    told = {file.name: refusal(review(file, CATALOGUE, ON)) for file in WRONG}
    assert "or change residency.allow, which refuses it" in told["residency+allow.germany-alone.yaml"]
    assert "or change residency.deny, which refuses it" in told["residency+deny.denied-france.yaml"]
    own = "change residency.data_classes.personal, which refuses it"
    assert own in told["personal+process.spillover-to-paris.yaml"]
    assert "which refuses it" not in told["uk-gdpr+process.bedrock-eu-from-london.yaml"]


def test_where_no_country_is_left_the_stacks_own_rule_is_what_to_change(tmp_path: Path) -> None:
    text = changed(FIRST, "data_classes: {personal: {}}", "data_classes: {personal: {}}\n      deny: [eea]")
    text = changed(text, "eu.anthropic", "global.anthropic")
    remedies = {finding.remedy for finding in reviewed(tmp_path, text).open if finding.rule == "residency/deny"}
    assert remedies
    assert all(one.endswith("change residency.deny, which refuses it.") for one in remedies)


def test_an_endpoint_has_no_countries_to_leave_out(tmp_path: Path) -> None:
    file = WRONG[0].parent / "us-itar+partition.endpoint-of-openai.yaml"
    text = changed(file.read_text(), "countries: [US]", "countries: [DE]")
    found = [finding for finding in reviewed(tmp_path, text).open if finding.rule == "catalogue/contradiction"]
    assert [finding.remedy for finding in found] == ["Name all the countries of the host, or write it as managed."]


@pytest.mark.parametrize("blank", ["reason: under way", "approver: cpo@example.ca"])
def test_a_blank_answers_for_no_waiver(blank: str, tmp_path: Path) -> None:
    key = blank.partition(":")[0]
    found = reviewed(tmp_path, changed(with_waiver(*MISSING), blank, f"{key}: ' '"))
    assert {(finding.rule, finding.property) for finding in found.open} == {("spec/value", key)}


@pytest.mark.parametrize("key", ["reason", "approver", "reference"])
def test_a_blank_answers_for_no_relaxation(key: str, tmp_path: Path) -> None:
    text = (RIGHT[0].parent / "uk-gdpr.aws-relaxed.yaml").read_text()
    text = changed(text, "basis: adequacy", "basis: adequacy, reference: SI 2026/1")
    blank = re.sub(rf"{key}: [^,]+", f"{key}: ' '", text)
    assert reviewed(tmp_path, text).open == ()
    assert {(finding.rule, finding.property) for finding in reviewed(tmp_path, blank).open} == {("spec/value", key)}


def test_what_no_country_satisfies_is_told_as_that() -> None:
    (file,) = (file for file in WRONG if "together-with" in file.name)
    assert "No country is left for this under uk-gdpr and eu-gdpr" in refusal(review(file, CATALOGUE, ON))


def test_a_relaxation_that_ended_opens_nothing(tmp_path: Path) -> None:
    text = (RIGHT[0].parent / "uk-gdpr.aws-relaxed.yaml").read_text()
    last = date(2027, 9, 30)
    assert reviewed(tmp_path, text, last).open == ()
    after = {finding.rule for finding in reviewed(tmp_path, text, last + timedelta(days=1)).open}
    assert after == {"residency/expired", "uk-gdpr/process"}
    before = {finding.rule for finding in reviewed(tmp_path, text, last - timedelta(days=367)).open}
    assert before == {"residency/expired"}


def with_waiver(rule: str, resource: str, expires: str = "2027-06-01") -> str:
    text = changed(QUEBEC, "      evidence: {pia_ref: PIA-2026-014}\n", "")
    waiver = f"{{rule: {rule}, resource: {resource}, reason: under way, approver: cpo@example.ca, expires: {expires}}}"
    return changed(text, "    models:\n", f"    waivers:\n      - {waiver}\n    models:\n")


MISSING = ("ca-qc-law25/evidence", "residency.evidence.pia_ref")


def test_a_waiver_in_force_answers_for_its_finding(tmp_path: Path) -> None:
    found = reviewed(tmp_path, with_waiver(*MISSING))
    (finding,) = found.findings
    assert finding.waiver == found.waivers[0]
    assert found.open == ()


@pytest.mark.parametrize(
    ("rule", "resource", "expires", "also"),
    [
        (*MISSING, "2026-11-30", "waiver/expired"),
        (*MISSING, "2027-12-03", "waiver/expired"),
        ("ca-qc-law25/evidence", "residency.evidence.tia_ref", "2027-06-01", "waiver/unused"),
        ("ca-pipeda/evidence", "residency.evidence.pia_ref", "2027-06-01", "waiver/unused"),
        ("spec/value", "region", "2027-06-01", "waiver/not-waivable"),
        ("personal/rest", "region", "2027-06-01", "waiver/not-waivable"),
        ("residency/deny", "region", "2027-06-01", "waiver/not-waivable"),
        ("catalogue/unknown", "region", "2027-06-01", "waiver/not-waivable"),
    ],
)
def test_a_waiver_that_does_not_hold_leaves_the_finding(
    rule: str, resource: str, expires: str, also: str, tmp_path: Path
) -> None:
    found = reviewed(tmp_path, with_waiver(rule, resource, expires))
    assert {finding.rule for finding in found.open} == {"ca-qc-law25/evidence", also}


OURS = "https://desk.openai.azure.com/openai/v1"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://evil.example/v1",
        "https://desk.openai.azure.com.evil.example/v1",
        "https://deskopenai.azure.com/v1",
        "https://openai.azure.com/v1",
        "https://desk.openai.azure.us/openai/v1",
        "https://desk.openai.azure.cn/openai/v1",
        "http://desk.openai.azure.com/openai/v1",
        "https://desk.openai.azure%2ecom/openai/v1",
        "https://desk.openai.azure.com:99999/openai/v1",
        "https://desk.openai.azure.com/openai/v1?to=elsewhere",
        "https://desk.openai.azure.com/openai/v1#x",
    ],
)
def test_a_resource_of_azure_is_called_at_a_host_of_its_own_cloud(url: str, tmp_path: Path) -> None:
    text = changed(QUEBEC, OURS, url)
    (finding,) = reviewed(tmp_path, text).open
    assert (finding.rule, finding.property) == ("spec/value", "url")
    assert finding.location is not None
    assert finding.location.line == line_of(text, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://desk.services.ai.azure.com/openai/v1",
        "https://desk.cognitiveservices.azure.com/",
        "https://Desk.OpenAI.azure.com./v1",
    ],
)
def test_each_host_of_a_resource_is_its_own(url: str, tmp_path: Path) -> None:
    assert reviewed(tmp_path, changed(QUEBEC, OURS, url)).open == ()


@pytest.mark.parametrize("host", ["datadoghq.com.", "DatadogHQ.com"])
def test_a_spelling_does_not_make_a_known_host_another(host: str, tmp_path: Path) -> None:
    text = changed(FIRST, "https://api.datadoghq.eu", f"https://{host}")
    assert "catalogue/contradiction" in {finding.rule for finding in reviewed(tmp_path, text).open}


def test_a_boundary_cannot_be_waived(tmp_path: Path) -> None:
    text = changed(
        with_waiver("ca-pipeda/process", "models.chat.candidates.main.managed"), "sku: Standard", "sku: GlobalStandard"
    )
    rules = {finding.rule for finding in reviewed(tmp_path, text).open}
    assert rules >= {"ca-pipeda/process", "waiver/not-waivable"}


def test_a_rule_on_resources_is_waived_for_the_plan(tmp_path: Path) -> None:
    text = changed(
        FIRST,
        "    models:\n",
        "    waivers:\n      - {rule: A26, resource: z, reason: r, approver: a, expires: 2027-06-01}\n    models:\n",
    )
    assert reviewed(tmp_path, text).open == ()


def test_every_regime_asks_for_its_own_evidence(tmp_path: Path) -> None:
    text = changed(QUEBEC, "[ca-qc-law25, ca-pipeda]", "[ca-pipeda]")
    assert reviewed(tmp_path, changed(text, "      evidence: {pia_ref: PIA-2026-014}\n", "")).open == ()


def test_a_file_that_is_not_there_is_no_finding(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="expected a readable file"):
        review(tmp_path / "Pulumi.none.yaml", CATALOGUE, ON)
    with pytest.raises(SpecError, match="expected a readable file"):
        review(tmp_path, CATALOGUE, ON)


def test_bytes_that_are_no_text_are_found_at_their_line(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.x.yaml").write_bytes(b"config:\n  a: \xff\n")
    (finding,) = review(tmp_path / "Pulumi.x.yaml", CATALOGUE, ON).findings
    assert finding.rule == "spec/yaml"
    assert finding.location is not None
    assert finding.location.line == 2


def test_what_pulumi_read_is_reviewed_as_the_file_is(tmp_path: Path) -> None:
    for file in WRONG:
        if rule_of(file) == "spec/yaml" or file.stem.endswith("no-fabric"):
            continue
        read = yaml.safe_load(file.read_text())["config"][CONFIG_KEY]
        found = review_read(tmp_path / "none.yaml", plain(read), "x", CATALOGUE, ON)
        assert {finding.rule for finding in found.open} == {rule_of(file)}, file.name
        assert {finding.location for finding in found.open} == {None}


def plain(value: Any) -> Any:
    """As Pulumi hands it on: a plain date is a time."""
    match value:
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case date():
            return f"{value} 00:00:00 +0000 UTC"
    return value


def test_every_check_is_found_in_a_wrong_file_and_explained() -> None:
    found = {check_of(rule_of(file), CATALOGUE) for file in WRONG}
    assert found == set(CHECKS)
    assert all(check.title and check.why.endswith(".") and check.remedy.endswith(".") for check in CHECKS)


@pytest.mark.parametrize(
    "rule", ["", "<regime>/<purpose>", "eu-gdpr", "eu-gdpr/nothing", "eu-gdrp/process", "A01", "/"]
)
def test_what_is_no_rule_of_review_has_no_row(rule: str) -> None:
    assert check_of(rule, CATALOGUE) is None


def texts(value: Any) -> Any:
    """Dates as they are written."""
    match value:
        case dict():
            return {key: texts(inner) for key, inner in value.items()}
        case list():
            return [texts(inner) for inner in value]
        case date():
            return str(value)
    return value


DOCUMENTS = [texts(yaml.safe_load(file.read_text())) for file in RIGHT]
GARBAGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**19),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(
        ["eu-gdpr", "aws", "DE", "host", "eea", "eu-central-1", "2027-01-01", "https://x", "bedrock", "GB"]
    ),
    st.just([]),
    st.just({}),
    st.lists(st.sampled_from(["DE", "personal", "ZZ"]), max_size=2),
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, one in inner for place in places(one, (*at, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A right stack file with some keys dropped, some values swapped for others of it, and some garbage."""
    document = yaml.safe_load(yaml.safe_dump(draw(st.sampled_from(DOCUMENTS))))
    for _ in range(draw(st.integers(1, 4))):
        *above, key = draw(st.sampled_from(places(document)[1:]))
        holder = at(document, tuple(above))
        match draw(st.sampled_from(["drop", "garbage", "swap", "key"])):
            case "drop":
                del holder[key]
            case "garbage":
                holder[key] = draw(GARBAGE)
            case "swap":
                holder[key] = yaml.safe_load(yaml.safe_dump(at(document, draw(st.sampled_from(places(document))))))
            case "key" if isinstance(holder, dict):
                holder[draw(st.text(st.characters(codec="utf-8"), max_size=8))] = holder.pop(key)
        if not document:
            break
    return yaml.safe_dump(document, allow_unicode=True)


def at(document: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        document = document[step]
    return document


def is_located(found: StackReview, file: Path) -> bool:
    last = len(
        re.split("\r\n|[\r\n\x85\u2028\u2029]", file.read_bytes().decode())
    )  # what YAML 1.1 takes for a line's end
    return all(
        finding.location and finding.location.file == str(file) and 1 <= finding.location.line <= last
        for finding in found.findings
    )


FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@FUZZ
@given(text=mutated())
def test_a_mutated_stack_file_is_reviewed_and_every_finding_is_located(text: str, tmp_path: Path) -> None:
    found = reviewed(tmp_path, text)
    assert is_located(found, tmp_path / "Pulumi.x.yaml")
    assert found.spec is not None or found.open


@FUZZ
@given(text=st.text(st.characters(codec="utf-8")), cut=st.integers(0, len(FIRST)), keep=st.integers(0, len(FIRST)))
def test_garbage_in_a_stack_file_is_reviewed_and_located(text: str, cut: int, keep: int, tmp_path: Path) -> None:
    found = reviewed(tmp_path, FIRST[:cut] + text + FIRST[keep:])
    assert is_located(found, tmp_path / "Pulumi.x.yaml")


@FUZZ
@given(file=st.sampled_from(RIGHT), seed=st.integers())
def test_a_shuffled_stack_file_has_the_same_digest(file: Path, seed: int, tmp_path: Path) -> None:
    order = random.Random(seed)  # noqa: S311

    def shuffled(value: Any) -> Any:
        match value:
            case dict():
                return {key: shuffled(value[key]) for key in order.sample(list(value), len(value))}
            case list():
                return [shuffled(one) for one in order.sample(value, len(value))]
        return value

    document = texts(yaml.safe_load(file.read_text()))
    found = reviewed(tmp_path, yaml.safe_dump(shuffled(document), sort_keys=False))
    assert found.open == ()
    assert found.digest == review(file, CATALOGUE, ON).digest
