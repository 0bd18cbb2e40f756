"""Secrets Manager as the place where secrets are kept for good, and S3 for what is published. Loaded on AWS alone."""

import asyncio
import uuid
from functools import partial
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from runtime.provision import ProvisionError

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 5},
    s3={"us_east_1_regional_endpoint": "regional"},
)
"""Of Virginia, S3's host without a region is botocore's default, which the VPC's resolver does not answer."""
_FIRST = uuid.UUID("5f2f7f7e-6f0b-4f5e-9d4a-3c2b8d1f9a60")
"""The name space of first versions."""


def client(service: str, region: str) -> Any:
    """A client in ``region``, by the process's own identity."""
    return get_session().create_client(service, region_name=region, config=_CONFIG)


class SecretsManager:
    """``prefix``: of names. ``key``: of KMS, by which a secret that is not there yet is made."""

    def __init__(self, client: Any, prefix: str, key: str) -> None:
        self._client, self._prefix, self._key = client, prefix, key

    async def keep(self, name: str, drawn: str) -> str:
        """What is kept under ``name``; ``drawn`` is, where nothing was. Raises ``ProvisionError``.

        The first version has the same token whoever writes it, and AWS takes no other content for a token that is
        there: so the first to write decides.
        """
        named = f"{self._prefix}{name.removesuffix('.key')}"
        if (kept := await self._read(named)) is not None:
            return kept
        await self._call("create_secret", "ResourceExistsException", Name=named, KmsKeyId=self._key)
        token = str(uuid.uuid5(_FIRST, named))
        await self._call(
            "put_secret_value",
            "ResourceExistsException",
            SecretId=named,
            SecretString=drawn,
            ClientRequestToken=token,
        )
        kept = await self._read(named)
        if kept is None:
            raise ProvisionError(f"Secrets Manager {named}: it has no value after one was written")
        return kept

    async def _read(self, named: str) -> str | None:
        answer = await self._call("get_secret_value", "ResourceNotFoundException", SecretId=named)
        return None if answer is None else answer["SecretString"]

    async def _call(self, operation: str, expected: str, **parameters: Any) -> Any:
        """The answer; none where AWS said what was ``expected``."""
        try:
            return await asyncio.to_thread(partial(getattr(self._client, operation), **parameters))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == expected:
                return None
            raise ProvisionError(f"Secrets Manager {parameters.get('SecretId', '')}: {operation}: {code}") from None
        except BotoCoreError as error:
            raise ProvisionError(f"Secrets Manager: {operation}: {type(error).__name__}") from None


class Bucket:
    """``url``: ``s3://<bucket>/<prefix>``."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    async def publish(self, path: str, content: bytes, seconds: int) -> bool:
        """Put ``content`` there as JSON that may be cached for ``seconds``; no where it is there already.

        Raises ``ProvisionError``.
        """
        place = {"Bucket": self._bucket, "Key": f"{self._prefix}{path}"}
        try:
            if await asyncio.to_thread(self._read, place) == content:
                return False
            await asyncio.to_thread(
                partial(
                    self._client.put_object,
                    **place,
                    Body=content,
                    ContentType="application/json",
                    CacheControl=f"public, max-age={seconds}",
                    ChecksumAlgorithm="SHA256",
                )
            )
        except (ClientError, BotoCoreError) as error:
            raise ProvisionError(f"s3://{place['Bucket']}/{place['Key']}: {error}") from None
        return True

    def _read(self, place: dict[str, str]) -> bytes | None:
        try:
            return self._client.get_object(**place)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
