"""What a model server is started with: the files whose digest the stack file names, over a real S3 API (moto)."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from moto import mock_aws

from regions.canonical import digest
from runtime.models.staged import S3Bucket, Stored, fetch, main
from runtime.settings import START_REFUSED, StartError

REGION, BUCKET, NAME = "eu-central-1", "weights", "mistral"
FILES = {"config.json": b"{}", "tokenizer/model.bin": b"\x00" * 100_000}
DIGEST = digest({path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()})


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "test")
    with mock_aws():
        s3 = get_session().create_client("s3", region_name=REGION)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for path, content in FILES.items():
            s3.put_object(Bucket=BUCKET, Key=f"{NAME}/{path}", Body=content)
        s3.put_object(Bucket=BUCKET, Key=f"{NAME}-other/config.json", Body=b"another model's")
        yield s3


def told(folder: Path) -> dict[str, str]:
    return {
        "LOOMSTEAD_REGION": REGION,
        "LOOMSTEAD_WEIGHTS_BUCKET": BUCKET,
        "LOOMSTEAD_WEIGHTS_NAME": NAME,
        "LOOMSTEAD_WEIGHTS_DIGEST": DIGEST,
        "LOOMSTEAD_WEIGHTS_FOLDER": str(folder),
    }


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files_of_the_name_are_there_and_no_others(client: Any, tmp_path: Path) -> None:
    assert main(told(tmp_path)) == 0
    assert files(tmp_path) == FILES


@pytest.mark.parametrize(
    "change",
    [
        {"Key": f"{NAME}/config.json", "Body": b"{ }"},
        {"Key": f"{NAME}/added.bin", "Body": b""},
        {"Key": f"{NAME}/pickled.py", "Body": b"import os"},
    ],
)
def test_one_byte_or_one_file_more_and_nothing_is_left_to_be_served(
    client: Any, tmp_path: Path, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    client.put_object(Bucket=BUCKET, **change)
    assert main(told(tmp_path)) == START_REFUSED
    assert files(tmp_path) == {}
    assert f"the stack file names {DIGEST}" in capsys.readouterr().err


def test_a_file_less_is_refused(client: Any, tmp_path: Path) -> None:
    client.delete_object(Bucket=BUCKET, Key=f"{NAME}/config.json")
    assert main(told(tmp_path)) == START_REFUSED
    assert files(tmp_path) == {}


def test_weights_that_nobody_staged_are_refused_with_the_way_to_them(client: Any, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no weights llama: `loomstead models stage`"):
        fetch(S3Bucket(BUCKET, REGION, None), "llama", DIGEST, tmp_path)


class Wrong:
    """A bucket with a file of a name that S3 would keep as well."""

    def __init__(self, path: str) -> None:
        self._path = path

    def files(self, name: str) -> Iterator[Stored]:
        yield Stored(self._path, [b"x"])


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../out", "", "a//b", "./a"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(StartError, match="leads out of the weights' folder"):
        fetch(Wrong(path), NAME, DIGEST, tmp_path / "in")
    assert files(tmp_path) == {}


def test_what_an_attempt_before_left_is_not_served(client: Any, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "chat_template.jinja").write_text("{{ other }}")
    (tmp_path / "link").symlink_to("/etc")

    assert main(told(tmp_path)) == 0

    assert files(tmp_path) == FILES
    assert not (tmp_path / "link").is_symlink()


def test_an_attempt_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    class Cut:
        def files(self, name: str) -> Iterator[Stored]:
            yield Stored("chat_template.jinja", [b"x"])
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fetch(Cut(), NAME, DIGEST, tmp_path)
    assert files(tmp_path) == {}


def test_what_it_was_not_told_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main({}) == START_REFUSED
    assert "LOOMSTEAD_WEIGHTS_DIGEST is not set" in capsys.readouterr().err
