"""Identities on Google Cloud: one subject may become one account, no account has a key, and none a right here."""

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey

from components.identity.gcp import MOST_NAME, GcpIdentity, GcpIdentityArgs, GcpIdentityError, short_name
from regions.manifest import Client
from tests.fixtures.gcp import built, reviewed_alone
from tests.fixtures.recording import Graph, conforms
from tests.fixtures.workloads import unmet

ACCOUNT = "gcp:serviceaccount/account:Account"
TRUST = "gcp:serviceaccount/iAMMember:IAMMember"
POOL = "gcp:iam/workloadIdentityPool:WorkloadIdentityPool"
PROVIDER = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
STACK, REGION = "gcp-europe-west3", "europe-west3"
ISSUER = "https://issuer.agents.example"
KEY = {**ECKey.generate_key("P-256").as_dict(private=False), "kid": "k", "alg": "ES256", "use": "sig"}
CELL_IDENTITY: list[tuple[str, str, dict[str, Any]]] = [
    (ACCOUNT, "-runtime", {"accountId": ...}),
    (ACCOUNT, "-tools", {"accountId": ...}),
    (ACCOUNT, "-scope-orders-rw", {"accountId": ...}),
    (
        TRUST,
        "-scope-orders-rw-trust",
        {"role": "roles/iam.workloadIdentityUser", "member": ..., "serviceAccountId": ...},
    ),
    (POOL, "identity-pool", {"workloadIdentityPoolId": ...}),
    (
        PROVIDER,
        "identity-issuer",
        {
            "workloadIdentityPoolId": ...,
            "attributeMapping": {"google.subject": "assertion.sub"},
            "attributeCondition": ...,
            "oidc.issuerUri": ...,
            "oidc.jwksJson": ...,
        },
    ),
]


def identity(*, preview: bool = False, **other: Any) -> Graph:
    args: GcpIdentityArgs = {
        "stack": STACK,
        "public": {"issuer": KEY},
        "scope_classes": ["orders-rw", "orders-ro"],
        "issuer": ISSUER,
        **other,
    }
    return built(lambda opts: GcpIdentity("identity", args, opts), REGION, preview=preview)


def told(graph: Graph) -> Any:
    return graph.outputs[graph.component("loomstead:identity:Identity").urn]


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(identity(preview=preview), "loomstead:identity:Identity")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(identity(), CELL_IDENTITY) == []


def test_each_scope_class_has_an_account_that_its_own_subject_alone_may_become() -> None:
    trusts = [each.properties for each in identity().of(TRUST)]
    pool = "principal://iam.googleapis.com/identity-pool-name"

    assert {each["serviceAccountId"]: each["member"] for each in trusts} == {
        "identity-scope-orders-ro-name": f"{pool}/subject/scope:{STACK}:orders-ro",
        "identity-scope-orders-rw-name": f"{pool}/subject/scope:{STACK}:orders-rw",
    }
    assert {each["role"] for each in trusts} == {"roles/iam.workloadIdentityUser"}


def test_the_pool_trusts_one_issuer_by_the_key_that_it_was_given_and_those_subjects() -> None:
    (provider,) = identity().of(PROVIDER)
    oidc = provider.properties["oidc"]

    assert oidc["issuerUri"] == ISSUER
    assert json.loads(oidc["jwksJson"]) == {"keys": [KEY]}
    assert "allowedAudiences" not in oidc
    assert provider.properties["attributeCondition"] == (
        f'assertion.sub in ["scope:{STACK}:orders-ro", "scope:{STACK}:orders-rw"]'
    )


def test_no_account_has_a_key_or_gets_a_right_here() -> None:
    kinds = {each.type for each in identity().resources}

    assert kinds == {"pulumi:providers:gcp", "loomstead:identity:Identity", ACCOUNT, TRUST, POOL, PROVIDER}


def test_outputs_name_accounts_and_the_clients_whose_keys_are_known() -> None:
    found = told(identity(public={"issuer": KEY, "worker": KEY, "manifest": KEY}))

    assert found["issuer"] == ISSUER
    assert found["audience"] == "https://iam.googleapis.com/identity-issuer-name"
    assert (found["runtime"], found["tools"]) == ("identity-runtime-email", "identity-tools-email")
    assert found["scopes"] == {
        "orders-ro": "identity-scope-orders-ro-email",
        "orders-rw": "identity-scope-orders-rw-email",
    }
    (worker,) = (Client(**client) for client in found["clients"])
    assert (worker.id, worker.kind) == ("worker", "workload")


def test_without_a_scope_class_nobody_is_trusted() -> None:
    graph = identity(scope_classes=[], issuer=None)

    assert graph.of(POOL) == []
    assert graph.of(PROVIDER) == []
    assert len(graph.of(ACCOUNT)) == 2
    assert told(graph)["scopes"] == {}


def test_names_fit_and_no_two_are_the_same() -> None:
    long = "a" * 40
    names = {short_name(stack, role) for stack in (long, long + "b") for role in (f"scope-{long}", f"scope-{long}b")}

    assert len(names) == 4
    assert all(6 <= len(each) <= MOST_NAME for each in names)
    assert short_name("s", "scope-aaaaaaaaaaaaaa-b").count("--") == 0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"issuer": None}, "scope_classes: orders-ro, orders-rw .*give its https URL"),
        ({"issuer": "http://a.example"}, "https URLs alone, got http://a.example"),
        ({"stack": "s" * 120}, "longer than 127 bytes"),
    ],
)
def test_an_issuer_or_subject_that_google_could_not_trust_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(GcpIdentityError, match=reason):
        identity(**changed)


@pytest.mark.parametrize("regime", ["eu-strict", "eu-gdpr"])
def test_the_rules_have_nothing_against_it(regime: str) -> None:
    assert reviewed_alone(identity(), regime, REGION) == []
