"""Weights go into the stack's bucket once, whole, and only those that the stack file names (S3 is moto's)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from moto import mock_aws
from typer.testing import CliRunner

from components.naming import stack_file
from runtime.models.staged import S3Bucket, fetch
from scripts import staging
from scripts.cli import app
from scripts.cli.failure import CommandError
from scripts.command import StepFailed

STACK, REGION, BUCKET, NAME = "aws-eu-central-1", "eu-central-1", "weights", "mistral"
FILES = {"config.json": b"{}", "tokenizer/model.bin": b"\x00" * 3000}


def silent(step: str, detail: str = "", fraction: float | None = None) -> None:
    pass


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "test")
    with mock_aws():
        for bucket, region in (("elsewhere", "eu-west-3"), (BUCKET, REGION)):
            client = get_session().create_client("s3", region_name=region)
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, content in FILES.items():
        place = tmp_path / "weights" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return tmp_path / "weights"


def keys(s3: Any) -> list[str]:
    return sorted(found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()))


def stage(*arguments: str) -> str:
    told = ["models", "stage", NAME, "-s", STACK, *arguments]
    done = CliRunner().invoke(app, told, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_staged_is_what_a_model_server_takes(s3: Any, folder: Path, tmp_path: Path) -> None:
    files = staging.read_files(folder, silent)
    assert staging.S3(s3, BUCKET).stage(NAME, files, silent) == 2
    assert fetch(S3Bucket(BUCKET, REGION, None), NAME, staging.digest_of(files), tmp_path / "served") == 2
    assert (tmp_path / "served" / "tokenizer" / "model.bin").read_bytes() == FILES["tokenizer/model.bin"]


def test_what_is_there_is_not_sent_again_and_what_differs_is(s3: Any, folder: Path) -> None:
    bucket = staging.S3(s3, BUCKET)
    bucket.stage(NAME, staging.read_files(folder, silent), silent)
    assert bucket.stage(NAME, staging.read_files(folder, silent), silent) == 0
    (folder / "config.json").write_bytes(b"[]")
    assert bucket.stage(NAME, staging.read_files(folder, silent), silent) == 1
    assert s3.get_object(Bucket=BUCKET, Key=f"{NAME}/config.json")["Body"].read() == b"[]"
    s3.put_object(Bucket=BUCKET, Key=f"{NAME}/config.json", Body=b"[]")  # by somebody else, without the mark
    assert bucket.stage(NAME, staging.read_files(folder, silent), silent) == 1


def test_a_large_file_goes_in_parts_and_leaves_nothing_where_it_breaks_off(
    s3: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "PART_BYTES", 5 * 1024 * 1024)
    (folder / "large.safetensors").write_bytes(bytes(range(256)) * 50_000)
    files = staging.read_files(folder, silent)
    parts: list[int] = []

    def broken(params: dict[str, Any], **_: Any) -> None:
        parts.append(params["PartNumber"])
        if parts == [1, 2]:
            raise KeyboardInterrupt

    s3.meta.events.register("provide-client-params.s3.UploadPart", broken)
    with pytest.raises(KeyboardInterrupt):
        staging.S3(s3, BUCKET).stage(NAME, files, silent)
    assert keys(s3) == [f"{NAME}/config.json"]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
    assert staging.S3(s3, BUCKET).stage(NAME, files, silent) == 2
    kept = s3.get_object(Bucket=BUCKET, Key=f"{NAME}/large.safetensors")["Body"].read()
    assert kept == (folder / "large.safetensors").read_bytes()


def test_files_of_somebody_else_in_the_folder_are_named(s3: Any, folder: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{NAME}/pickled.py", Body=b"import os")
    with pytest.raises(StepFailed, match=r"has pickled\.py, which is not among these files"):
        staging.S3(s3, BUCKET).stage(NAME, staging.read_files(folder, silent), silent)
    assert keys(s3) == [f"{NAME}/pickled.py"]


def test_the_command_prints_what_the_stack_file_needs(s3: Any, folder: Path) -> None:
    said = stage("--from", str(folder), "--to", f"s3://{BUCKET}", "--licence", "Apache-2.0")
    digest = staging.digest_of(staging.read_files(folder, silent))
    assert "2 files are at s3://weights/mistral, 2 of them new" in said
    assert f"staged: {{name: mistral, digest: '{digest}', licence: Apache-2.0}}" in said
    assert "0 of them new" in stage("--from", str(folder), "--to", f"s3://{BUCKET}", "--licence", "Apache-2.0")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--to", "s3://elsewhere", "--licence", "MIT"],
            "is in eu-west-3, stack 'aws-eu-central-1' stands in eu-central-1",
        ),
        (["--to", "gs://bucket", "--licence", "MIT"], "only S3 is built"),
        (["--to", "file:///tmp", "--licence", "MIT"], "only S3 is built"),
        (["--to", f"s3://{BUCKET}/prefix", "--licence", "MIT"], "give the bucket alone"),
        (["--to", f"s3://{BUCKET}"], "nobody names its licence"),
        (["--to", "s3://nothing-here", "--licence", "MIT"], "NoSuchBucket"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_sent(s3: Any, folder: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        stage("--from", str(folder), *arguments)
    assert keys(s3) == []


def test_a_stack_without_s3_or_weights_that_nobody_has_are_refused(s3: Any, folder: Path) -> None:
    told = ["models", "stage", NAME, "--from", str(folder), "--to", f"s3://{BUCKET}", "--licence", "MIT", "-s", "local"]
    with pytest.raises(CommandError, match="is on local: staging is built for aws alone"):
        CliRunner().invoke(app, told, catch_exceptions=False)
    with pytest.raises(CommandError, match="No weights 'mistral' in regions/catalogue"):
        stage("--to", f"s3://{BUCKET}", "--licence", "MIT")


def test_other_files_or_another_licence_than_the_stack_file_names_are_refused(
    s3: Any, folder: Path, tmp_path: Path
) -> None:
    text = stack_file(STACK).read_text()
    assert "name: mistral-7b-instruct-v0.3" in text
    other = tmp_path / stack_file(STACK).name
    other.write_text(text.replace("name: mistral-7b-instruct-v0.3", f"name: {NAME}"))
    given = ["--from", str(folder), "--to", f"s3://{BUCKET}", "--config-file", str(other)]
    with pytest.raises(CommandError, match=r"these files have digest sha256:.*nothing was sent"):
        stage(*given)
    with pytest.raises(CommandError, match=r"name different ones: Apache-2\.0, MIT"):
        stage(*given, "--licence", "MIT")
    assert keys(s3) == []


def test_who_is_not_signed_in_is_told_how_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = get_session().create_client("s3", region_name="eu-central-1")
    with pytest.raises(StepFailed, match=r"AWS_PROFILE.*aws sso login"):
        staging.S3(client, "weights").region()
