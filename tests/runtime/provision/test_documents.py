"""The issuer's public documents in a bucket (moto's): public halves only, and nothing written twice."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import get_session
from joserfc.jwk import ECKey
from moto import mock_aws

from runtime.identity.documents import DISCOVERY, JWKS
from runtime.provision import ProvisionError
from runtime.provision.aws import Bucket
from runtime.provision.documents import CACHED_SECONDS, publish
from tests.fixtures.issuer import KEYS, manifest

ISSUER = "https://issuer.example"
GATEWAY = "https://gateway.example"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = get_session().create_client("s3", region_name="eu-central-1")
        client.create_bucket(Bucket="issuer", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield client


def secrets(*names: str) -> dict[str, str]:
    keys = dict(zip(("issuer.jwk", "issuer.previous.jwk"), names, strict=False))
    return {file: json.dumps(KEYS[name].as_dict(private=True)) for file, name in keys.items()}


def described() -> Any:
    made = manifest(GATEWAY)
    return made.model_copy(update={"identities": made.identities.model_copy(update={"issuer": ISSUER})})


def read(s3: Any, path: str) -> dict[str, Any]:
    return json.loads(s3.get_object(Bucket="issuer", Key=f"fabric/{path}")["Body"].read())


async def test_what_a_cloud_fetches_is_there_once_and_public_alone(s3: Any) -> None:
    bucket = Bucket(s3, "s3://issuer/fabric/")
    assert await publish(described(), secrets("issuer"), bucket) == [JWKS, DISCOVERY]
    assert await publish(described(), secrets("issuer"), bucket) == []
    (key,) = read(s3, JWKS)["keys"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert key["kid"] == KEYS["issuer"].thumbprint()
    told = read(s3, DISCOVERY)
    assert (told["issuer"], told["jwks_uri"]) == (ISSUER, f"{ISSUER}/jwks.json")
    assert told["token_endpoint"] == f"{GATEWAY}/oauth/token"
    kept = s3.get_object(Bucket="issuer", Key=f"fabric/{JWKS}")
    assert kept["ContentType"] == "application/json"
    assert kept["CacheControl"] == f"public, max-age={CACHED_SECONDS}"


async def test_while_a_key_is_rotated_both_are_published(s3: Any) -> None:
    bucket = Bucket(s3, "s3://issuer/fabric")
    await publish(described(), secrets("issuer"), bucket)
    assert await publish(described(), secrets("worker", "issuer"), bucket) == [JWKS]
    kids = [key["kid"] for key in read(s3, JWKS)["keys"]]
    assert kids == [KEYS["worker"].thumbprint(), KEYS["issuer"].thumbprint()]


async def test_what_is_no_key_publishes_nothing_and_is_not_told(s3: Any) -> None:
    with pytest.raises(ProvisionError, match=r"issuer\.jwk of the Secret is no key") as refused:
        await publish(described(), {"issuer.jwk": '{"d": "canary'}, Bucket(s3, "s3://issuer"))
    assert "canary" not in str(refused.value)
    assert "Contents" not in s3.list_objects_v2(Bucket="issuer")
    p384 = json.dumps(ECKey.generate_key("P-384").as_dict(private=True))
    with pytest.raises(ProvisionError, match="is no key"):
        await publish(described(), {"issuer.jwk": p384}, Bucket(s3, "s3://issuer"))


async def test_a_bucket_that_is_not_there_is_named(s3: Any) -> None:
    with pytest.raises(ProvisionError, match=r"s3://elsewhere/jwks\.json: .*NoSuchBucket"):
        await publish(described(), secrets("issuer"), Bucket(s3, "s3://elsewhere"))
