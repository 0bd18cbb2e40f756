"""The policy pack on the real engine, over recording providers; and that `review --graph` finds the same there."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from typer.testing import CliRunner

from components.naming import REPOSITORY
from components.review import review
from regions.catalogue import load_catalogue
from regions.rules import RULES, review_plan
from regions.rules.rule import Resource
from scripts.cli import app
from scripts.engine import ensure_engine, environment
from scripts.graph import plan_of
from scripts.policy_pack.pack import Unseen, findings_alone
from scripts.policy_pack.pack import serving as serving_pack
from scripts.progress import progress
from scripts.rehearsal.cloud import Cloud
from scripts.rehearsal.provider import serving
from tests.fixtures.resources import ON
from tests.fixtures.stacks import RIGHT

PACK = REPOSITORY / "scripts" / "policy_pack"
STACK = "guarded"
Found = set[tuple[str, str, str]]
"""Rule, resource and property of each finding."""

PROJECT = """
name: guarded
main: a program
stackConfigDir: a program
runtime: python
"""
STACK_FILE = """
config:
  aws:region: {default}
  loomstead:fabric:
    platform: aws
    region: eu-central-1
    residency:
      regimes: [{regime}]
      data_classes: {{personal: {{}}}}
    waivers:
      - rule: X04
        resource: guarded-guarded
        reason: the state of a rehearsal is thrown away
        approver: the tests
        expires: {expires}
    models:
      chat:
        candidates:
          main:
            managed:
              provider: bedrock
              model: eu.anthropic.claude-sonnet-4-5-20250929-v1:0
              region: eu-central-1
"""
BEGIN = """
import pulumi, pulumi_aws as aws

def at(region):
    provider = aws.Provider(region, region=region, skip_credentials_validation=True)
    return pulumi.ResourceOptions(provider=provider)

home, near = at("eu-central-1"), at("eu-west-1")
source = aws.s3.Bucket("source", opts=home)
role = aws.iam.Role("role", assume_role_policy="{}", opts=home)
aws.sqs.Queue("queue")  # by the default provider
database = aws.rds.Instance("database", instance_class="db.t4g.small", opts=home)

def copies(target):
    rules = [{"status": "Enabled", "destination": {"bucket": target.arn}}]
    aws.s3.BucketReplicationConfig("copies", bucket=source.id, role=role.arn, rules=rules, opts=home)
"""
CLEAN = """
copies(aws.s3.Bucket("target", opts=near))
aws.kms.Key("key", opts=home)
aws.secretsmanager.Secret("secret", replicas=[{"region": "eu-west-1"}], opts=home)
aws.rds.Instance("reader", instance_class="db.t4g.small", replicate_source_db=database.arn, opts=near)
"""
PLANTED = """
abroad = at("us-east-1")
copies(aws.s3.Bucket("target", opts=abroad))
aws.kms.Key("key", multi_region=True, opts=home)
aws.secretsmanager.Secret("secret", replicas=[{"region": "us-east-1"}], opts=home)
origin = aws.rds.Instance("origin", instance_class="db.t4g.small", opts=abroad)
aws.rds.Instance("reader", instance_class="db.t4g.small", replicate_source_db=origin.arn, opts=home)
"""
PLANTED_FINDINGS: Found = {
    ("A01", "origin", "region"),
    ("A01", "target", "region"),
    ("A02", "us-east-1", "region"),
    ("A03", "reader", "replicateSourceDb"),
    ("A08", "copies", "rules[0].destination.bucket"),
    ("A11", "key", "multiRegion"),
    ("A12", "secret", "replicas[0].region"),
}
WAIVED: Found = {("X04", "guarded-guarded", "backend.url")}
SECRET = """
place = pulumi.Output.secret("ap-southeast-7")
aws.secretsmanager.Secret("secret", replicas=[{"region": place}], opts=home)
"""
UNKNOWN = """
aws.secretsmanager.Secret("secret", replicas=[{"region": source.region}], opts=home)
"""


class Stack:
    """A small project with one stack; ``pulumi`` runs the real engine in it."""

    def __init__(self, folder: Path, cloud: Cloud, port: int, program: str, **settings: str) -> None:
        self.cloud, self._folder = cloud, folder
        self.file = folder / "a program" / f"Pulumi.{STACK}.yaml"
        self.file.parent.mkdir(parents=True)
        expires = datetime.now(UTC).date() + timedelta(days=30)
        told = {"regime": "eu-gdpr", "default": "eu-central-1", "expires": expires, **settings}
        self.file.write_text(STACK_FILE.format(**told) + _salt())
        (folder / "Pulumi.yaml").write_text(PROJECT)
        self.file.with_name("__main__.py").write_text(BEGIN + program)
        with progress() as report:
            engine = ensure_engine(report)
        self._environment = {
            **os.environ,
            **environment(engine, folder / "a home"),
            "LOOMSTEAD_STACK_FILE": str(self.file),
            "PULUMI_DEBUG_PROVIDERS": f"aws:{port}",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        self.pulumi("stack", "init", STACK)

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        return subprocess.run(command, cwd=self._folder, env=self._environment, capture_output=True, text=True)

    def guarded(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.pulumi(*arguments, "--policy-pack", str(PACK))

    def reviewed(self, *arguments: str) -> tuple[int, Found, str]:
        """What `loomstead review --graph` says of what `pulumi` writes: exit code, open findings, output."""
        written = self.pulumi(*arguments)
        assert written.returncode == 0, written.stderr
        graph = self._folder / "graph.json"
        graph.write_text(written.stdout)
        done = CliRunner().invoke(
            app, ["review", "--graph", str(graph), "--stack", str(self.file), "--format", "json"], env=self._state()
        )
        (stack,) = json.loads(done.stdout)["stacks"]
        found = {(one["rule"], one["resource"], one["property"]) for one in stack["findings"] if one["waiver"] is None}
        return done.exit_code, found, done.output

    def _state(self) -> dict[str, str]:
        return {"PULUMI_BACKEND_URL": self._environment["PULUMI_BACKEND_URL"]}


def told(run: subprocess.CompletedProcess[str], level: str = "mandatory") -> Found:
    """What the engine shows of the pack's findings."""
    told = re.findall(rf"- \[{level}\]  (\S+) .*\n\s+\1 at ([^:]+): (\S*?): ", run.stdout)
    assert len(told) == run.stdout.count(f"- [{level}]  "), run.stdout
    return set(told)


def _salt() -> str:
    text = (REPOSITORY / "stacks" / "Pulumi.local.yaml").read_text()
    return next(line for line in text.splitlines(keepends=True) if line.startswith("encryptionsalt:"))


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    folder = tmp_path / "a cloud"
    folder.mkdir()
    cloud = Cloud(folder)
    with serving(cloud) as port:
        yield lambda program, **more: Stack(tmp_path / "a project", cloud, port, program, **more)


def test_planted_violations_fail_the_preview_and_review_finds_the_same_in_its_graph(stack) -> None:
    planted = stack(PLANTED)
    previewed = planted.guarded("preview")
    assert previewed.returncode != 0
    assert told(previewed) == PLANTED_FINDINGS
    assert told(previewed, "advisory") == WAIVED
    assert "Waived by the tests until" in previewed.stdout
    code, found, _ = planted.reviewed("preview", "--json", "--show-sames")
    assert (code, found) == (2, PLANTED_FINDINGS)


def test_an_update_without_preview_makes_nothing_that_its_own_properties_condemn(stack) -> None:
    planted = stack(PLANTED)
    update = planted.guarded("up", "--yes", "--skip-preview")
    assert update.returncode != 0
    assert told(update) <= PLANTED_FINDINGS
    made = {resource.urn.rpartition("::")[2] for resource in planted.cloud.resources()}
    assert not made & {"target", "origin", "key", "secret", "reader", "copies"}


def test_what_stands_is_found_the_same_in_its_export_and_by_the_pack(stack) -> None:
    planted = stack(PLANTED)
    assert planted.pulumi("up", "--yes", "--skip-preview").returncode == 0
    assert planted.reviewed("stack", "export")[:2] == (2, PLANTED_FINDINGS)
    assert told(planted.guarded("preview")) == PLANTED_FINDINGS
    assert planted.reviewed("preview", "--json", "--show-sames")[:2] == (2, PLANTED_FINDINGS)


def test_a_clean_program_passes_by_what_its_unknown_references_lead_to(stack) -> None:
    clean = stack(CLEAN)
    previewed = clean.guarded("preview")
    assert (previewed.returncode, told(previewed)) == (0, set()), previewed.stdout
    assert clean.reviewed("preview", "--json", "--show-sames")[:2] == (0, set())
    update = clean.guarded("up", "--yes", "--skip-preview")
    assert (update.returncode, told(update)) == (0, set()), update.stdout
    assert clean.reviewed("stack", "export")[:2] == (0, set())


def test_a_default_provider_abroad_is_found_by_both_though_a_preview_does_not_show_it(stack) -> None:
    abroad = stack("", default="us-west-2")
    previewed = abroad.guarded("preview")
    assert {(rule, property_) for rule, _, property_ in told(previewed)} == {("A01", "region"), ("A02", "region")}
    assert abroad.reviewed("preview", "--json", "--show-sames")[:2] == (2, told(previewed))


@pytest.mark.parametrize("program", [SECRET, UNKNOWN])
def test_what_is_secret_or_unknown_is_a_finding_whose_value_is_not_told(stack, program: str) -> None:
    found = {("A12", "secret", "replicas[0].region")}
    hiding = stack(program)
    previewed = hiding.guarded("preview")
    assert (previewed.returncode != 0, told(previewed)) == (True, found)
    code, reviewed, said = hiding.reviewed("preview", "--json", "--show-sames")
    assert (code, reviewed) == (2, found)
    assert "ap-southeast-7" not in previewed.stdout + previewed.stderr + said


def test_the_pack_judges_no_resource_of_a_stack_file_that_is_itself_outside(stack) -> None:
    refused = stack(CLEAN, regime="uk-gdpr").guarded("preview")
    assert refused.returncode != 0
    assert "uk-gdpr/rest" in refused.stdout + refused.stderr
    assert "Remedy" in refused.stdout + refused.stderr


def test_without_the_other_resources_only_what_needs_none_is_judged() -> None:
    ground = review(RIGHT[0].with_name("eu-gdpr.aws.yaml"), load_catalogue(), ON)
    rules = [{"destination": {"bucket": "arn:aws:s3:::elsewhere"}}]
    copies = Resource("aws:s3/bucketReplicationConfig:BucketReplicationConfig", "copies", {"rules": rules}, "us-east-1")
    alone = plan_of(ground, load_catalogue(), ON, Unseen())
    assert [finding.rule for finding in findings_alone(copies, alone)] == ["A01"]
    whole = plan_of(ground, load_catalogue(), ON, (copies,))
    assert {"A01", "A08"} == {finding.rule for finding in review_plan(whole)}


def test_an_engine_that_names_no_stack_is_refused() -> None:
    with serving_pack() as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        engine = analyzer_pb2_grpc.AnalyzerStub(channel)
        assert {policy.name for policy in engine.GetAnalyzerInfo(Empty()).policies} == set(RULES)
        with pytest.raises(grpc.RpcError, match="no stack was named"):
            engine.Analyze(analyzer_pb2.AnalyzeRequest(urn="urn:pulumi:a::b::c::d", type="c"))
