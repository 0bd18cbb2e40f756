"""`loomstead stack new` as people mistype it: refused at once, with what to write; and what it leaves to them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from components import fabrics
from scripts.cli.failure import CommandError
from scripts.cli.stack import stack


def new(*arguments: str) -> str:
    """What it says; raises what it refuses with."""
    done = CliRunner().invoke(stack, ["new", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "Pulumi.new.yaml"
    monkeypatch.setenv("LOOMSTEAD_STACK_FILE", str(path))
    return path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["aws", "us-east-2", "-r", "us-hipaa", "--evidence", "foo=bar"], "no document 'foo'. For us-hipaa: baa_ref."),
        (["aws", "us-east-2", "-r", "us-hipaa", "--evidence", "baa_reff=1"], r"did you mean baa_ref"),
        (["aws", "us-east-2", "-r", "us-hipaa", "--evidence", "baa_ref= "], "expected <key>=<reference>"),
        (["kubernetes", "onprem", "-r", "eu-gdpr"], "say where the machines stand, such as --country AT"),
        (["kubernetes", "onprem", "-r", "eu-gdpr", "--country", "XX"], "expected a country of ISO 3166-1"),
        (["kubernetes", "onprem", "-r", "eu-gdpr", "--country", "at"], "Did you mean AT?"),
        (["aws", "eu-central-1", "-r", "eu-gdpr", "--country", "AT"], "eu-central-1 stands in DE: leave it out"),
        (["kubernetes", "on-prem", "-r", "eu-gdpr"], "regions/own.yaml.\nDid you mean onprem?"),
        (["aws", "eu-central-1", "-r", "eu-gdrp"], "\nDid you mean eu-gdpr"),
    ],
)
def test_what_is_mistyped_is_refused_with_what_to_write(file: Path, arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError) as refused:
        new(*arguments)

    assert told in str(refused.value)
    assert not file.exists()


@pytest.mark.parametrize("name", ["my stack", "../evil", "Upper", "-r", "a--b", "a-", "1st", "", "a" * 25])
def test_a_name_that_pulumi_or_the_fabric_would_not_take_is_refused(file: Path, name: str) -> None:
    with pytest.raises(CommandError, match="24 characters at most"):
        new("aws", "eu-central-1", "-r", "eu-gdpr", f"--name={name}")

    assert not file.exists()


@pytest.mark.parametrize(
    ("cloud", "region", "longest", "extent"),
    [
        ("aws", "eu-central-1", 24, "fabric"),
        ("azure", "swedencentral", 40, "foundation"),
        ("gcp", "europe-west3", 40, "foundation"),
    ],
)
def test_the_longest_name_can_be_made(file: Path, cloud: str, region: str, longest: int, extent: str) -> None:
    assert f"its {extent} can be made" in new(cloud, region, "-r", "eu-gdpr", "--name", "a" * longest)


def test_a_name_that_says_another_region_is_refused(file: Path) -> None:
    with pytest.raises(CommandError, match="expected eu-west-1, as the stack is called aws-eu-west-1"):
        new("aws", "eu-central-1", "-r", "eu-gdpr", "--name", "aws-eu-west-1")

    assert not file.exists()


def test_an_unknown_region_is_told_from_the_nearest_and_not_from_all() -> None:
    with pytest.raises(CommandError) as refused:
        new("azure", "swedncentral", "-r", "eu-gdpr")

    told = str(refused.value).splitlines()
    assert "67 are in regions/catalogue/regions/azure.yaml" in told[0]
    assert told[-1].startswith("Did you mean swedencentral or ")
    assert len(told) == 2


def test_what_waits_for_a_person_is_said_last(file: Path) -> None:
    aws = new("aws", "eusc-de-east-1", "-r", "eu-strict")

    assert "postgres.authority waits for its file. One finding of `loomstead plan`, A26, waits" in aws
    assert aws.endswith("see `waivers` in the file.")
    assert "platform: aws" in file.read_text()


def test_without_the_sdk_the_fabric_is_not_asked_and_that_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fabrics.SDKS, "aws", ("pulumi_no_such",))

    told = new("aws", "cn-north-1", "-r", "host-country")

    assert "fabric can be made was not asked: pulumi_no_such is not installed" in told
    assert "its fabric can be made." not in told
    assert file.exists()


def test_a_file_that_is_there_is_kept(file: Path) -> None:
    file.write_text("mine")

    with pytest.raises(CommandError, match="is there already, and is kept"):
        new("gcp", "europe-west3", "-r", "eu-gdpr")
    assert file.read_text() == "mine"
