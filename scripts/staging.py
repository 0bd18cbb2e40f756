"""A model server's weights, put from this machine into a bucket of S3, from which its pods fetch them.

What is there with the same hash is not sent again, so an upload that broke off goes on. The digest is over every file's
name and SHA-256, as ``runtime.models.staged`` computes it before a model server starts.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from regions.canonical import digest
from scripts.command import StepFailed
from scripts.progress import Report

PART_BYTES = 64 * 1024 * 1024
"""S3 takes 10,000 parts of an upload: 640 GB."""
_SIGN_IN = "Name a profile that may write there (export AWS_PROFILE=…), and sign in (aws sso login)."
MARK = "loomstead-sha256"
"""In an object's metadata, where it is whole: S3's own checksum of an upload in parts is none of the file."""


@dataclass(frozen=True)
class File:
    """``path``: below the weights' own folder in the bucket."""

    path: str
    source: Path
    sha256: str
    size: int


def read_files(source: Path, report: Report) -> tuple[File, ...]:
    """The files below a folder, or the one file; raises ``StepFailed``."""
    found = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    named = {str(path.relative_to(source) if source.is_dir() else path.name): path for path in found}
    if not found or any(part.startswith(".") for name in named for part in Path(name).parts):
        raise StepFailed(f"{source}: expected a folder of weights, or a file, without hidden files in it")
    files = []
    for name, path in named.items():
        report("Weights", f"reading {name}", len(files) / len(named))
        try:
            with path.open("rb") as stream:
                hashed = hashlib.file_digest(stream, "sha256").hexdigest()
            files.append(File(name, path, hashed, path.stat().st_size))
        except OSError as error:
            raise StepFailed(f"{path}: {error.strerror}") from error
    return tuple(files)


def digest_of(files: tuple[File, ...]) -> str:
    """What the stack file's ``staged.digest`` has to be."""
    return digest({file.path: file.sha256 for file in files})


class S3:
    """``client``: botocore's. Methods raise ``StepFailed``."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def region(self) -> str:
        """Where the bucket is."""
        told = self._call("get_bucket_location")["LocationConstraint"]
        return {None: "us-east-1", "EU": "eu-west-1"}.get(told, told)

    def stage(self, name: str, files: tuple[File, ...], report: Report) -> int:
        """Make the folder ``name`` hold these files; how many were sent."""
        there = set(self._paths(name))
        if foreign := sorted(there - {file.path for file in files}):
            raise StepFailed(
                f"s3://{self._bucket}/{name}/ has {foreign[0]}, which is not among these files ({len(foreign)} such): "
                "remove them, or stage under another name"
            )
        missing = [file for file in files if file.path not in there or not self._same(name, file)]
        for number, file in enumerate(missing):
            report("Weights", f"sending {file.path}", number / len(missing))
            self._send(f"{name}/{file.path}", file)
        return len(missing)

    def _paths(self, name: str) -> Iterator[str]:
        more: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=f"{name}/", **more)
            for found in page.get("Contents", ()):
                yield found["Key"].removeprefix(f"{name}/")
            if not page["IsTruncated"]:
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _same(self, name: str, file: File) -> bool:
        found = self._call("head_object", Key=f"{name}/{file.path}")
        return found["ContentLength"] == file.size and found["Metadata"].get(MARK) == file.sha256

    def _send(self, key: str, file: File) -> None:
        marked = {"Key": key, "Metadata": {MARK: file.sha256}, "ChecksumAlgorithm": "SHA256"}
        with file.source.open("rb") as stream:
            if file.size <= PART_BYTES:
                content = stream.read()
                self._call("put_object", **marked, Body=content, ChecksumSHA256=_checksum(content))
                return
            upload = {"Key": key, "UploadId": self._call("create_multipart_upload", **marked)["UploadId"]}
            try:
                parts = [self._part(upload, number, content) for number, content in enumerate(_parts(stream), 1)]
                self._call("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
            except BaseException:
                self._call("abort_multipart_upload", **upload)  # what is left of it would cost for ever
                raise

    def _part(self, upload: Mapping[str, str], number: int, content: bytes) -> dict[str, Any]:
        checksum = _checksum(content)
        sent = self._call(
            "upload_part",
            **upload,
            PartNumber=number,
            Body=content,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=checksum,
        )
        return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": checksum}

    def _call(self, operation: str, **parameters: Any) -> Any:
        try:
            return getattr(self._client, operation)(Bucket=self._bucket, **parameters)
        except NoCredentialsError as error:
            raise StepFailed(f"s3://{self._bucket}: {error}. {_SIGN_IN}") from error
        except (ClientError, BotoCoreError) as error:
            raise StepFailed(f"s3://{self._bucket}/{parameters.get('Key', '')}: {error}") from error


def _parts(stream: IO[bytes]) -> Iterator[bytes]:
    while content := stream.read(PART_BYTES):
        yield content


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
