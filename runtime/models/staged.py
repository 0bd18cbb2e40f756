"""``python -m runtime.models.staged``: before a model server starts, the weights that the stack file names, no others.

They come from the stack's bucket, over the S3 protocol. Their digest is that of every file's name and SHA-256; where it
is another one, nothing is left to be served (exit code 78).
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Protocol

from regions.canonical import digest
from runtime.settings import START_REFUSED, StartError, required

_CHUNK = 8 * 1024 * 1024
_VARIABLES = {
    "region": "LOOMSTEAD_REGION",
    "bucket": "LOOMSTEAD_WEIGHTS_BUCKET",
    "name": "LOOMSTEAD_WEIGHTS_NAME",
    "digest": "LOOMSTEAD_WEIGHTS_DIGEST",
    "folder": "LOOMSTEAD_WEIGHTS_FOLDER",
}
ENDPOINT = "LOOMSTEAD_WEIGHTS_ENDPOINT"
"""Of a store that speaks S3 and is not AWS's."""


class Stored(NamedTuple):
    """``path``: below the weights' own folder in the bucket."""

    path: str
    content: Iterable[bytes]


class Bucket(Protocol):
    def files(self, name: str) -> Iterator[Stored]:
        """Everything below the folder ``name``, each file read before the next."""
        ...


class S3Bucket:
    def __init__(self, name: str, region: str, endpoint: str | None) -> None:
        from botocore.config import Config  # noqa: PLC0415  there where weights are fetched
        from botocore.session import get_session  # noqa: PLC0415  as above

        self._name = name
        # Else Virginia's host is the one without a region, which the VPC's resolver does not answer.
        config = Config(s3={"us_east_1_regional_endpoint": "regional"})
        self._client: Any = get_session().create_client("s3", region_name=region, endpoint_url=endpoint, config=config)

    def files(self, name: str) -> Iterator[Stored]:
        prefix = f"{name}/"
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix):
            for found in page.get("Contents", ()):
                with closing(self._client.get_object(Bucket=self._name, Key=found["Key"])["Body"]) as body:
                    yield Stored(found["Key"].removeprefix(prefix), body.iter_chunks(_CHUNK))


def fetch(bucket: Bucket, name: str, wanted: str, folder: Path) -> int:
    """The number of files that are in ``folder`` now, and nothing else is; raises ``StartError`` where their digest is
    not ``wanted``. What an attempt before this one left there goes first: a container that starts again finds it."""
    _empty(folder)
    try:
        hashes = {stored.path: _write(stored, folder) for stored in bucket.files(name)}
        if not hashes:
            raise StartError(f"the bucket has no weights {name}: `loomstead models stage` puts them there")
        if (found := digest(hashes)) != wanted:
            raise StartError(
                f"weights {name}: the digest of what the bucket has is {found}, the stack file names {wanted}; "
                "stage them anew, or name what was staged"
            )
    except BaseException:
        _empty(folder)
        raise
    return len(hashes)


def _empty(folder: Path) -> None:
    for found in folder.iterdir() if folder.is_dir() else ():
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()


def _write(stored: Stored, folder: Path) -> str:
    """The file's SHA-256 in hex; raises ``StartError`` for a path that leads elsewhere."""
    path = PurePosixPath(stored.path)
    if path.is_absolute() or not path.parts or ".." in path.parts or str(path) != stored.path:
        raise StartError(f"the bucket has a file {stored.path!r}, whose name leads out of the weights' folder")
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    hashed = hashlib.sha256()
    with place.open("wb") as file:
        for chunk in stored.content:
            hashed.update(chunk)
            file.write(chunk)
    return hashed.hexdigest()


def main(environment: Mapping[str, str] = os.environ) -> int:
    try:
        told = required(environment, _VARIABLES)
        bucket = S3Bucket(told["bucket"], told["region"], environment.get(ENDPOINT) or None)
        number = fetch(bucket, told["name"], told["digest"], Path(told["folder"]))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return START_REFUSED
    print(f"{number} files of {told['name']} are as the stack file names them", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
