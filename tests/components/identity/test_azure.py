"""Identities on Azure: each scope class trusts the gateway's issuer for its own subject, and none has a right here."""

from typing import Any

import pytest

from components.identity.azure import AUDIENCES, AzureIdentity, AzureIdentityArgs, AzureIdentityError
from regions.catalogue import load_catalogue
from regions.manifest import Client
from tests.fixtures.azure import built
from tests.fixtures.recording import Graph, conforms, reviewed
from tests.fixtures.workloads import unmet

IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
TRUST = "azure-native:managedidentity:FederatedIdentityCredential"
ISSUER = "https://issuer.agents.example"
CELL_IDENTITY: list[tuple[str, str, dict[str, Any]]] = [
    (IDENTITY, "-runtime", {"location": ...}),
    (IDENTITY, "-tools", {"location": ...}),
    (IDENTITY, "-scope-orders-rw", {"location": ...}),
    (
        TRUST,
        "-scope-orders-rw-trust",
        {"audiences": [AUDIENCES["public"]], "issuer": ..., "subject": ..., "resourceName": ...},
    ),
]


def identity(region: str = "swedencentral", *, preview: bool = False, **other: Any) -> Graph:
    args: AzureIdentityArgs = {
        "stack": "azure-swedencentral",
        "region": region,
        "environment": load_catalogue().regions[region].partition,
        "group": "stack",
        "public": {},
        "scope_classes": ["orders-rw", "orders-ro"],
        "issuer": ISSUER,
        **other,
    }
    return built(lambda opts: AzureIdentity("identity", args, opts), region, preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(identity(preview=preview), "loomstead:identity:Identity")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(identity(), CELL_IDENTITY) == []


def test_each_scope_class_has_an_identity_that_trusts_the_issuer_for_its_own_subject_alone() -> None:
    trusts = [each.properties for each in identity().of(TRUST)]

    assert {each["resourceName"]: each["subject"] for each in trusts} == {
        "identity-scope-orders-ro-name": "scope:azure-swedencentral:orders-ro",
        "identity-scope-orders-rw-name": "scope:azure-swedencentral:orders-rw",
    }
    assert {each["issuer"] for each in trusts} == {ISSUER}


@pytest.mark.parametrize(
    ("region", "audience"),
    [("swedencentral", "api://AzureADTokenExchange"), ("usgovvirginia", "api://AzureADTokenExchangeUSGov")],
)
def test_a_token_is_meant_for_the_clouds_own_exchange(region: str, audience: str) -> None:
    assert {tuple(each.properties["audiences"]) for each in identity(region).of(TRUST)} == {(audience,)}


def test_no_identity_gets_a_right_here() -> None:
    assert [each.type for each in identity().resources if "RoleAssignment" in each.type] == []


def test_outputs_name_identities_and_the_clients_whose_keys_are_known() -> None:
    jwk = {"kty": "EC", "crv": "P-256", "kid": "k", "x": "x", "y": "y"}
    graph = identity(public={"worker": jwk, "manifest": jwk})
    found = graph.outputs[graph.component("loomstead:identity:Identity").urn]

    assert found["issuer"] == ISSUER
    assert found["runtime"] == "identity-runtime-principalId"
    assert found["tools"] == "identity-tools-principalId"
    assert found["scopes"] == {
        "orders-ro": "identity-scope-orders-ro-clientId",
        "orders-rw": "identity-scope-orders-rw-clientId",
    }
    (worker,) = (Client(**client) for client in found["clients"])
    assert (worker.id, worker.kind) == ("worker", "workload")


def test_without_a_scope_class_no_issuer_is_needed() -> None:
    graph = identity(scope_classes=[], issuer=ISSUER)

    assert graph.of(TRUST) == []
    assert len(graph.of(IDENTITY)) == 2


@pytest.mark.parametrize(
    ("issuer", "reason"),
    [(None, "scope classes orders-ro, orders-rw .*give the public HTTPS address"), ("http://a.example", "HTTPS alone")],
)
def test_an_issuer_that_entra_could_not_trust_is_refused(issuer: str | None, reason: str) -> None:
    with pytest.raises(AzureIdentityError, match=reason):
        identity(issuer=issuer)


@pytest.mark.parametrize(("regime", "region"), [("eu-gdpr", "swedencentral"), ("ch-fadp", "switzerlandnorth")])
def test_the_rules_have_nothing_against_it(regime: str, region: str) -> None:
    assert reviewed(identity(region), regime, region) == []
