"""What is read from the engine's own files, and how it comes to the rules."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from components.review import StackReview, review
from regions.catalogue import load_catalogue
from regions.rules.rule import UNKNOWN
from scripts.cli import app
from scripts.graph import SECRET, SIGNATURE, UNKNOWNS, Graph, GraphError, State, findings_in, read, root_of
from tests.fixtures.resources import ON
from tests.fixtures.stacks import RIGHT, STACK_FILE

LOCAL = Path(__file__).parents[1] / "fixtures" / "graphs" / "local.json"
AWS = next(file for file in RIGHT if file.name == "eu-gdpr.aws.yaml")
STACK = "eu-gdpr.aws"
NOT_KNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
KEY, SECRETS = "aws:kms/key:Key", "aws:secretsmanager/secret:Secret"
CONFIG = "kubernetes:core/v1:ConfigMap"


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:{STACK}::loomstead::{type_}::{name}"


HOME = {"urn": urn("pulumi:providers:aws", "home"), "type": "pulumi:providers:aws", "inputs": {"region": "eu-west-1"}}


def resource(type_: str, name: str, inputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"urn": urn(type_, name), "type": type_, "inputs": inputs, "provider": f"{HOME['urn']}::id-1", **more}


def exported(*resources: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": 3, "deployment": {"manifest": {}, "resources": [HOME, *resources]}}


def previewed(*steps: tuple[str, Mapping[str, Any]], same: int = 0) -> dict[str, Any]:
    told = [{"op": op, "urn": found["urn"], "newState": found} for op, found in [("same", HOME), *steps]]
    return {"steps": told, "changeSummary": {"same": 1 + same}}


@pytest.fixture
def graph_of(tmp_path: Path):
    """The graph of a document that the engine could have written."""

    def made(document: Any) -> Graph:
        file = tmp_path / "graph.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return Graph(tuple(read(file, STACK)), {})

    return made


def reviewed() -> StackReview:
    return review(AWS, load_catalogue(), ON)


def found_in(graph: Graph) -> list[tuple[str, str, str]]:
    findings = findings_in(graph, reviewed(), load_catalogue(), ON)
    return [(one.rule, one.resource, one.property) for one in findings]


def test_the_local_stack_as_it_stands_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    done = CliRunner().invoke(app, ["review", "--graph", str(LOCAL), "--stack", "local"])
    assert (done.exit_code, done.output.count("clean")) == (0, 1), done.output
    assert len(read(LOCAL, "local")) == 25


def test_a_preview_that_failed_is_no_graph_and_says_why(graph_of: Any) -> None:
    failed = previewed(("create", resource(KEY, "key", {})))
    failed["diagnostics"] = [
        {"severity": "info", "message": "all is well"},
        {"severity": "error", "message": "the kubeconfig cannot be read\n  Traceback"},
    ]
    with pytest.raises(GraphError, match=r"a preview that failed: the kubeconfig cannot be read\. Put that right"):
        graph_of(failed)


@pytest.mark.parametrize("document", [exported(), previewed(), {"deployment": {"manifest": {}, "resources": None}}])
def test_where_there_is_no_resource_there_is_nothing_to_call_clean(graph_of: Any, document: dict[str, Any]) -> None:
    with pytest.raises(GraphError, match="holds no resource: there is nothing to review"):
        graph_of(document)


@pytest.mark.parametrize("form", ["text", "json", "sarif", "html"])
def test_a_finding_in_the_graph_is_told_in_every_format(form: str, tmp_path: Path) -> None:
    document = json.loads(LOCAL.read_text())
    process = next(
        one for one in document["deployment"]["resources"] if one["urn"].endswith("::fabric-runtime-gateway")
    )
    process["inputs"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] = "https://otlp.example.org"
    file = tmp_path / "graph.json"
    file.write_text(json.dumps(document))
    done = CliRunner().invoke(app, ["review", "--graph", str(file), "--stack", "local", "--format", form])
    assert done.exit_code == 2
    assert "X02" in done.output
    assert "fabric-runtime-gateway" in done.output


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("no JSON", "cannot be read as JSON"),
        ([], "neither a stack's export nor a preview"),
        ({"resources": []}, "neither a stack's export nor a preview"),
        ({"deployment": {"manifest": {}, "resources": [{}]}}, "not as this engine writes it"),
        (previewed(same=2), "leaves out 2 resources that stay as they are"),
        ({"deployment": {"manifest": {}, "resources": [resource(KEY, "key", {})]}}, "the provider of key"),
    ],
)
def test_what_is_no_whole_graph_is_refused_with_the_way_to_write_one(graph_of, document: Any, problem: str) -> None:
    with pytest.raises(GraphError, match=problem) as refused:
        graph_of(document)
    assert "pulumi stack export --file FILE" in str(refused.value)


def test_the_graph_of_another_stack_is_refused() -> None:
    with pytest.raises(GraphError, match="the graph of stack 'local', not of 'prod'"):
        read(LOCAL, "prod")


@pytest.mark.parametrize("arguments", [["--graph", str(LOCAL)], ["--stack", "local"], ["--graph", str(LOCAL), "local"]])
def test_a_graph_and_its_stack_are_named_together(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["review", *arguments])
    assert "review --graph FILE --stack STACK" in str(done.exception)


def test_a_waiver_answers_for_one_rule_at_one_resource_and_not_for_none(tmp_path: Path) -> None:
    waiver = "{{rule: A11, resource: {}, reason: agreed, approver: dpo, expires: 2027-01-31}}"
    stack, graph = tmp_path / f"Pulumi.{STACK}.yaml", tmp_path / "graph.json"
    waivers = ", ".join(waiver.format(name) for name in ("key", "nothing"))
    stack.write_text(f"{AWS.read_text()}    waivers: [{waivers}]\n")
    graph.write_text(json.dumps(exported(*(resource(KEY, name, {"multiRegion": True}) for name in ("key", "other")))))
    arguments = ["--graph", str(graph), "--stack", str(stack), "--on", str(ON), "--format", "json"]
    done = CliRunner().invoke(app, ["review", *arguments])
    told = json.loads(done.output)["stacks"][0]["findings"]
    found = {(one["rule"], one["resource"], one["waiver"] is not None) for one in told}
    assert found == {("A11", "key", True), ("A11", "other", False), ("waiver/unused", "waivers[1]", False)}


def test_resources_have_their_providers_region_and_names_from_their_outputs(graph_of) -> None:
    key = resource(KEY, "key", {"multiRegion": True}, outputs={"arn": "arn:aws:kms:1", "policy": "made up"}, id="key-1")
    _, found = graph_of(exported(key)).resources
    assert (found.type, found.name, found.region, found.adopted) == (KEY, "key", "eu-west-1", False)
    assert found.properties == {"id": "key-1", "arn": "arn:aws:kms:1", "multiRegion": True}


@pytest.mark.parametrize("region", [None, NOT_KNOWN])
def test_a_provider_that_says_no_region_leaves_its_resources_nowhere(graph_of, region: str | None) -> None:
    provider = {**HOME, "inputs": {"region": region}}
    document = {"deployment": {"manifest": {}, "resources": [provider, resource(KEY, "key", {})]}}
    graph = graph_of(document)
    assert graph.resources[1].region is None
    assert ("A01", "key", "region") in found_in(graph)


@pytest.mark.parametrize(
    "document",
    [
        exported(resource(KEY, "key", {}, external=True, outputs={"multiRegion": False})),
        exported(resource(KEY, "key", {"multiRegion": False}, importID="key-1")),
        previewed(("import", resource(KEY, "key", {"multiRegion": False}))),
    ],
)
def test_what_is_read_or_imported_is_adopted_and_what_it_leaves_unset_is_not_trusted(graph_of, document: Any) -> None:
    graph = graph_of(document)
    found = graph.resources[1]
    assert (found.adopted, found.properties["multiRegion"]) == (True, False)
    unset = Graph((graph.states[0], State(found.name, KEY, {}, adopted=True)), {})
    assert ("A11", "key", "multiRegion") in found_in(unset)


def test_of_a_preview_what_goes_away_is_left_out_and_what_is_replaced_counts_once(graph_of) -> None:
    key = resource(KEY, "key", {"multiRegion": True})
    gone = {"op": "delete", "urn": urn(KEY, "old"), "oldState": resource(KEY, "old", {})}
    document = previewed(("create-replacement", key), ("replace", key))
    document["steps"].append(gone)
    assert [found.name for found in graph_of(document).resources] == ["home", "key"]


@pytest.mark.parametrize("value", sorted(UNKNOWNS))
def test_unknown_values_and_those_that_a_preview_hides_are_findings(graph_of, value: str) -> None:
    graph = graph_of(previewed(("create", resource(SECRETS, "secret", {"replicas": [{"region": value}]}))))
    assert graph.resources[1].properties["replicas"] == [{"region": UNKNOWN}]
    assert found_in(graph) == [("A12", "secret", "replicas[0].region")]


@pytest.mark.parametrize(
    ("secret", "findings"),
    [
        ({"value": "eu-central-1"}, []),
        ({"plaintext": '"eu-central-1"'}, []),
        ({"plaintext": '"us-west-2"'}, ["replicas[0].region"]),
        ({"ciphertext": "v1:abc"}, ["replicas[0].region"]),
    ],
)
def test_secrets_are_judged_by_their_value_and_never_told(graph_of, secret: dict[str, str], findings: list) -> None:
    marked = {SIGNATURE: SECRET, **secret}
    graph = graph_of(exported(resource(SECRETS, "secret", {"replicas": [{"region": marked}]})))
    found = findings_in(graph, reviewed(), load_catalogue(), ON)
    assert [one.property for one in found] == findings
    assert not any("us-west-2" in f"{one.value} {one.message} {one.remedy}" for one in found)


@given(secret=st.text(min_size=1, max_size=400))
def test_a_secret_telemetry_host_is_never_told(secret: str) -> None:
    marked = {SIGNATURE: SECRET, "value": f"https://{secret}"}
    setting = {"environment": {"OTEL_EXPORTER_OTLP_ENDPOINT": marked}}
    state = State(urn(CONFIG, "told"), CONFIG, setting)
    found = findings_in(Graph((state,), {}), reviewed(), load_catalogue(), ON)
    assert {(one.rule, one.value, one.message.partition(": ")[2]) for one in found} <= {
        ("X02", "[secret]", "by what is secret")
    }


@pytest.mark.parametrize(("region", "findings"), [("eu-west-1", []), ("us-east-1", ["A01", "A02", "A08"])])
def test_an_unknown_bucket_is_followed_to_where_it_stands(graph_of, region: str, findings: list[str]) -> None:
    there = {**HOME, "urn": urn("pulumi:providers:aws", "there"), "inputs": {"region": region}}
    bucket = resource("aws:s3/bucket:Bucket", "target", {})
    bucket["provider"] = f"{there['urn']}::id-2"
    rules = [{"status": "Enabled", "destination": {"bucket": NOT_KNOWN}}]
    copies = resource(
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        "copies",
        {"rules": rules},
        propertyDependencies={"rules": [bucket["urn"]]},
    )
    found = found_in(graph_of(previewed(("create", there), ("create", bucket), ("create", copies))))
    assert sorted({rule for rule, *_ in found}) == findings
    leading_nowhere = {**copies, "propertyDependencies": {"rules": [HOME["urn"]]}}
    found = found_in(graph_of(previewed(("create", there), ("create", bucket), ("create", leading_nowhere))))
    assert ("A08", "copies", "rules[0].destination.bucket") in found


def test_the_state_of_pulumi_is_judged_by_project_stack_file_and_environment(monkeypatch, tmp_path: Path) -> None:
    file = tmp_path / AWS.name
    file.write_text(AWS.read_text() + "secretsprovider: awskms:///arn:aws:kms:us-east-1:1:key/2\n")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states?region=us-east-1")
    root = State(urn("pulumi:pulumi:Stack", "root"), "pulumi:pulumi:Stack", {})
    ground = review(file, load_catalogue(), ON)
    found = findings_in(Graph((root,), root_of(ground)), ground, load_catalogue(), ON)
    assert [(one.rule, one.property) for one in found] == [("X04", "backend.url"), ("X04", "secretsprovider")]
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    local = review(STACK_FILE, load_catalogue(), ON)
    assert root_of(local)["backend"]["url"].startswith("file:///")
