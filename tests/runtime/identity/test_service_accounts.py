"""A workload is who its cluster says, by tokens of a real API server and the keys that it publishes."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import jwt.utils
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import ValidationError

from regions.manifest import Client, ServiceAccount
from runtime.errors import Refused
from runtime.identity.client import IdentityClient
from runtime.identity.issuer import Identity
from runtime.identity.service_accounts import ServiceAccounts, read_keys, read_published
from tests.fixtures.issuer import KEYS, SUBJECTS, Served, Stack
from tests.fixtures.pods import Pods

CLUSTER = "https://kubernetes.default.svc"
ISSUER = "https://issuer.example"


def described(pods: Pods, account: str = "worker", jwks: str = "") -> Client:
    named = ServiceAccount(
        issuer=CLUSTER, jwks=jwks or pods.jwks, subject=f"system:serviceaccount:{pods.runtime}:{account}"
    )
    return Client(id=account, subject=SUBJECTS["worker"], kind="workload", service_account=named)


class Cluster:
    """What the gateway of a pod takes for a workload; counts how often the cluster's keys are read."""

    def __init__(self, pods: Pods) -> None:
        self.reads, self.now, self.fails = 0, time.time(), False
        self._read = read_published(pods.mounted("gateway"))
        self.accounts = ServiceAccounts([described(pods)], ISSUER, self.read, lambda: self.now)

    async def read(self, url: str) -> bytes:
        self.reads += 1
        if self.fails:
            raise httpx.ConnectError("no way")
        return await self._read(url)

    async def code(self, token: str) -> str:
        with pytest.raises(Refused) as refused:
            await self.accounts.check(token)
        return refused.value.code


@pytest.fixture
def cluster(pods: Pods) -> Cluster:
    return Cluster(pods)


async def test_the_right_account_is_the_client_and_the_keys_are_read_once(cluster: Cluster, pods: Pods) -> None:
    token = pods.token(pods.runtime, "worker", ISSUER)
    assert cluster.accounts.made(token)
    for _ in range(3):
        assert (await cluster.accounts.check(token)).id == "worker"
    assert cluster.reads == 1


async def test_another_account_or_namespace_is_no_client(cluster: Cluster, pods: Pods) -> None:
    assert await cluster.code(pods.token(pods.tools, "worker", ISSUER)) == "client_unknown"
    assert await cluster.code(pods.token(pods.runtime, "gateway", ISSUER)) == "client_unknown"


async def test_a_token_for_somebody_else_or_for_more_is_refused(cluster: Cluster, pods: Pods) -> None:
    for audiences in ((), ("https://other.example",), (ISSUER, "https://other.example")):
        assert await cluster.code(pods.token(pods.runtime, "worker", *audiences)) == "assertion_invalid"


async def test_an_expired_a_future_and_a_long_token_are_refused(cluster: Cluster, pods: Pods) -> None:
    token = pods.token(pods.runtime, "worker", ISSUER)
    long = pods.token(pods.runtime, "worker", ISSUER, seconds=7200)
    assert await cluster.code(long) == "assertion_invalid"
    cluster.now += 606
    assert await cluster.code(token) == "assertion_invalid"
    cluster.now -= 700
    assert await cluster.code(token) == "assertion_invalid"


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def own_rsa(token: str) -> str:
    return jwt.encode(claims(token), _pem(RSAKey.generate_key(2048)), "RS256", headers=_kid(token))


def own_ec(token: str) -> str:
    return jwt.encode(claims(token), _pem(ECKey.generate_key("P-256")), "ES256", headers=_kid(token))


def unsigned(token: str) -> str:
    return jwt.encode(claims(token), "", "none", headers=_kid(token))


def symmetric(token: str) -> str:
    return jwt.encode(claims(token), OctKey.generate_key(256).raw_value, "HS256", headers=_kid(token))


def own_kid(token: str) -> str:
    return jwt.encode(claims(token), _pem(RSAKey.generate_key(2048)), "RS256", headers={"kid": "own"})


def own_jwk(token: str) -> str:
    key = RSAKey.generate_key(2048)
    return jwt.encode(claims(token), _pem(key), "RS256", headers={**_kid(token), "jwk": key.as_dict(private=False)})


def other_hash(token: str) -> str:
    return _with_header(token, alg="RS512")


def kid_of_another_type(token: str) -> str:
    return _with_header(token, kid=["own"])


def alg_of_another_type(token: str) -> str:
    return _with_header(token, alg=["RS256"])


def no_kid(token: str) -> str:
    return jwt.encode(claims(token), _pem(RSAKey.generate_key(2048)), "RS256")


def other_claims(token: str) -> str:
    header, _, signature = token.split(".")
    payload = json.dumps({**claims(token), "exp": int(time.time()) + 3000}).encode()
    return ".".join((header, _b64(payload), signature))


def _kid(token: str) -> dict[str, str]:
    return {"kid": jwt.get_unverified_header(token)["kid"]}


def _pem(key: RSAKey | ECKey) -> str:
    return key.as_pem(private=True).decode()


def _b64(content: bytes) -> str:
    return jwt.utils.base64url_encode(content).decode()


def _with_header(token: str, **changes: Any) -> str:
    header = {**jwt.get_unverified_header(token), **changes}
    return ".".join((_b64(json.dumps(header).encode()), *token.split(".")[1:]))


@pytest.mark.parametrize(
    "forge",
    [
        own_rsa,
        own_ec,
        unsigned,
        symmetric,
        own_kid,
        own_jwk,
        other_hash,
        alg_of_another_type,
        kid_of_another_type,
        no_kid,
        other_claims,
    ],
)
async def test_what_the_cluster_did_not_sign_is_refused(
    cluster: Cluster, pods: Pods, forge: Callable[[str], str]
) -> None:
    token = pods.token(pods.runtime, "worker", ISSUER)
    assert await cluster.code(forge(token)) == "assertion_invalid"
    assert await cluster.accounts.check(token)


async def test_an_unknown_key_is_looked_for_once_in_a_while(cluster: Cluster, pods: Pods) -> None:
    token = pods.token(pods.runtime, "worker", ISSUER)
    for _ in range(3):
        await cluster.code(own_kid(token))
    assert cluster.reads == 1
    cluster.now += 31
    await cluster.code(own_kid(token))
    await cluster.code(own_kid(token))
    assert cluster.reads == 2


async def test_keys_serve_while_the_cluster_does_not_answer_but_not_for_ever(cluster: Cluster, pods: Pods) -> None:
    token = pods.token(pods.runtime, "worker", ISSUER, seconds=3600)
    cluster.fails = True
    assert await cluster.code(token) == "upstream_unavailable"
    cluster.fails = False
    assert await cluster.code(token) == "upstream_unavailable", "it is not asked again at once"
    cluster.now += 6
    await cluster.accounts.check(token)
    cluster.fails = True
    cluster.now += 700
    await cluster.accounts.check(token)
    cluster.now += 2900
    assert await cluster.code(token) == "upstream_unavailable"


async def test_a_pod_without_a_token_reads_no_keys(cluster: Cluster, pods: Pods) -> None:
    (pods.folder / "gateway" / "token").write_text("none")
    token = pods.token(pods.runtime, "worker", ISSUER)
    assert await cluster.code(token) == "upstream_unavailable"
    for name in ("token", "ca.crt"):
        (pods.folder / "gateway" / name).unlink()
        assert await cluster.code(token) == "upstream_unavailable"


async def test_the_pods_own_token_goes_to_its_cluster_alone(pods: Pods) -> None:
    api = pods.mounted("gateway")
    assert api.path_of(f"{CLUSTER}/openid/v1/jwks") == "/openid/v1/jwks"
    assert api.path_of(pods.jwks) == "/openid/v1/jwks"
    for elsewhere in ("https://oidc.eks.eu-central-1.amazonaws.com/id/1/keys", pods.jwks.replace("https", "http")):
        assert api.path_of(elsewhere) is None


@pytest.mark.parametrize("document", ["", "[]", "{}", '{"keys": {}}', '{"keys": 1}', '{"keys": ["x"]}'])
def test_what_is_no_key_set_is_not_read(document: str) -> None:
    if document == '{"keys": {}}':
        assert read_keys(document.encode()) == {}
        return
    with pytest.raises(ValueError, match="no JSON Web Key Set"):
        read_keys(document.encode())


def test_a_key_is_pinned_to_one_algorithm_or_left_out() -> None:
    rsa, ec = RSAKey.generate_key(2048).as_dict(private=False), ECKey.generate_key("P-256").as_dict(private=False)
    p384 = ECKey.generate_key("P-384").as_dict(private=False)
    entries = [
        {**rsa, "kid": "rsa"},
        {**ec, "kid": "ec"},
        {**rsa, "kid": "pss", "alg": "PS256"},
        {**rsa, "kid": "enc", "use": "enc"},
        {**ec, "kid": "wrong", "alg": "RS256"},
        {**p384, "kid": "p384"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
        rsa | {"kid": 1},
    ]
    keys = read_keys(json.dumps({"keys": entries}).encode())
    assert {kid: key.algorithm for kid, key in keys.items()} == {"rsa": "RS256", "ec": "ES256"}


def test_a_client_is_proved_in_exactly_one_way(pods: Pods) -> None:
    both = described(pods).model_dump() | {"jwk": KEYS["worker"].as_dict(private=False)}
    for wrong in (both, both | {"jwk": None, "service_account": None}):
        with pytest.raises(ValidationError, match="client worker: give exactly one of jwk, service_account"):
            Client.model_validate(wrong)
    with pytest.raises(ValidationError, match="is no person"):
        Client.model_validate(described(pods).model_dump() | {"kind": "person"})


async def test_a_pod_gets_identity_tokens_bound_to_the_key_it_drew(
    served: Served, pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = pods.mounted("gateway")
    url = httpx.URL(pods.server.url)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", url.host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(url.port))
    monkeypatch.setenv("LOOMSTEAD_SERVICE_ACCOUNT", str(api.account))
    identity = as_a_workload(served.stack, pods)
    served.stack.identity.__dict__.update(identity.__dict__)
    issuer = identity.issuer
    asked: list[str] = []

    def token() -> str:
        asked.append("")
        return pods.token(pods.runtime, "worker", issuer)

    workload = IdentityClient(served.http, identity.url, "worker", ECKey.generate_key("P-256"), assertion=token)
    assert (await served.http.get(f"{identity.url}/worker", auth=workload.auth())).json() == SUBJECTS["worker"]
    assert len(asked) == 1

    bare = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": token(),
    }
    answer = await served.http.post(identity.token_endpoint, data=bare)
    assert (answer.status_code, answer.json()["code"]) == (401, "proof_missing")

    keyed = served.client("worker")
    with pytest.raises(Refused, match="proved by its cluster's token"):
        await keyed.identity_token()


def as_a_workload(stack: Stack, pods: Pods) -> Identity:
    """The stack's issuer, its worker proved by the cluster."""
    clients = (described(pods), *(one for one in stack.manifest.identities.clients if one.id != "worker"))
    identities = stack.manifest.identities.model_copy(update={"clients": clients})
    manifest = stack.manifest.model_copy(update={"identities": identities})
    return Identity(manifest, stack.identity.keys, stack.pool, stack.grants, stack.ledger)
