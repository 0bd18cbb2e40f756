"""Keys on Google Cloud: in one region, never without customer's key, and nothing secret in the graph."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from joserfc.jwk import ECKey

from components.infrastructure import Refused
from components.keys.gcp import GcpKeys, GcpKeysArgs
from components.providers import gcp_provider
from regions.catalogue import load_catalogue
from tests.fixtures.recording import Graph, conforms, record, reviewed

PROJECT = "loomstead-test"
WHOLE_PLAN = {"G27": "organisation policies are the guardrails' part"}
SIGNER = ECKey.generate_key("P-256")
KEY = "gcp:kms/cryptoKey:CryptoKey"
SECRET = "gcp:secretmanager/regionalSecret:RegionalSecret"
GRANT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
IDENTITY = "gcp:projects/serviceIdentity:ServiceIdentity"
CALLS = {
    "gcp:kms/getKMSCryptoKeyVersion:getKMSCryptoKeyVersion": {
        "publicKeys": [{"algorithm": "EC_SIGN_P256_SHA256", "pem": SIGNER.as_pem(private=False).decode()}]
    }
}
MAKES_IT = [
    ("ring", "gcp:kms/keyRing:KeyRing", "location", "europe-west3"),
    ("encryption", KEY, "purpose", "ENCRYPT_DECRYPT"),
    ("encryption", KEY, "rotationPeriod", "7776000s"),
    ("encryption", KEY, "destroyScheduledDuration", "2592000s"),
    ("encryption", KEY, "deletionPolicy", "PREVENT"),
    (
        "encryption",
        KEY,
        "versionTemplate",
        {"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protectionLevel": "HSM"},
    ),
    *(
        (role, KEY, "versionTemplate", {"algorithm": "EC_SIGN_P256_SHA256", "protectionLevel": "HSM"})
        for role in ("manifest", "issuer", "worker", "operator")
    ),
    ("manifest", KEY, "purpose", "ASYMMETRIC_SIGN"),
    ("manifest", KEY, "deletionPolicy", "PREVENT"),
    *(
        (secret, SECRET, path, value)
        for secret in ("ledger", "subjects", "webhook")
        for path, value in (
            ("location", "europe-west3"),
            ("secretId", f"loomstead-test-{secret}"),
            ("customerManagedEncryption", {"kmsKeyName": "keys-encryption-id"}),
            ("versionDestroyTtl", "2592000s"),
            ("deletionProtection", True),
        )
    ),
    *(
        (f"{service}-grant", GRANT, path, value)
        for service in ("sqladmin", "secretmanager")
        for path, value in (
            ("cryptoKeyId", "keys-encryption-id"),
            ("role", "roles/cloudkms.cryptoKeyEncrypterDecrypter"),
            ("member", f"keys-{service}-member"),
        )
    ),
    ("sqladmin", IDENTITY, "service", "sqladmin.googleapis.com"),
]
CELL_KEYS = [(type_, f"-{role}", {path: value}) for role, type_, path, value in MAKES_IT]


def made(region: str = "europe-west3", preview: bool = False, **changed: Any) -> Graph:
    universe = load_catalogue().regions[region].partition
    args: GcpKeysArgs = {"stack": "test", "project": PROJECT, "region": region, "universe": universe, **changed}

    def program() -> None:
        provider = gcp_provider("gcp", region, universe, PROJECT, [PROJECT], {})
        GcpKeys("keys", args, pulumi.ResourceOptions(providers=[provider]))

    return record(program, calls=CALLS, preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return made()


def outputs(graph: Graph) -> Mapping[str, Any]:
    return graph.outputs[graph.component("loomstead:keys:Keys").urn]


def test_every_part_is_a_child_of_the_keys_and_on_the_explicit_provider(graph: Graph) -> None:
    conforms(graph, "loomstead:keys:Keys")


@pytest.mark.parametrize(("role", "type_", "key", "value"), MAKES_IT, ids=lambda case: str(case)[:40])
def test_what_keeps_keys_and_secrets_is_in_the_graph(graph: Graph, role: str, type_: str, key: str, value: Any) -> None:
    found = graph.named(f"keys-{role}")
    assert found.type == type_
    assert found.properties[key] == value


@pytest.mark.parametrize(
    ("regime", "region"),
    [
        ("eu-gdpr", "europe-west3"),
        ("eu-strict", "europe-west9"),
        ("eu-strict", "u-france-east1"),
        ("in-dpdp", "asia-south1"),
    ],
)
def test_the_rules_have_nothing_against_them(regime: str, region: str) -> None:
    findings = reviewed(made(region), regime, region)
    assert [finding for finding in findings if finding.rule not in WHOLE_PLAN] == []


def test_a_preview_knows_no_key_and_fails_on_none() -> None:
    assert {key.name for key in made(preview=True).of(KEY)} >= {"keys-encryption", "keys-manifest"}


def test_every_key_is_of_the_regional_ring_and_can_be_won_back_for_a_month(graph: Graph) -> None:
    asked = ("keyRing", "destroyScheduledDuration", "deletionPolicy")
    assert {tuple(key.properties[each] for each in asked) for key in graph.of(KEY)} == {
        ("keys-ring-id", "2592000s", "PREVENT")
    }
    assert {key.properties["purpose"] for key in graph.of(KEY) if key.name != "keys-encryption"} == {"ASYMMETRIC_SIGN"}


def test_keys_and_secrets_outlive_the_stack(graph: Graph) -> None:
    held = [each for each in graph.resources if each.type in ("gcp:kms/keyRing:KeyRing", KEY, SECRET)]
    assert len(held) == 9
    assert [each.name for each in held if not (each.protect and each.retain_on_delete)] == []


def test_what_lets_a_service_use_the_key_stays_with_what_it_encrypted(graph: Graph) -> None:
    use = [*graph.of(IDENTITY), *graph.of(GRANT)]
    assert len(use) == 4
    assert [each.name for each in use if not (each.protect and each.retain_on_delete)] == []


def test_an_own_keys_grants_stay_too() -> None:
    own = made(encryption="projects/p/locations/europe-west3/keyRings/own/cryptoKeys/data")
    assert {(each.protect, each.retain_on_delete) for each in own.of(GRANT)} == {(True, True)}


def test_no_secret_is_replicated_by_google_and_none_has_its_value_from_pulumi(graph: Graph) -> None:
    types = {each.type for each in graph.resources}
    assert "gcp:secretmanager/secret:Secret" not in types, "it is global, replicated automatically or by a list"
    assert [type_ for type_ in types if "ecretVersion" in type_] == []


def test_a_key_pair_asks_for_no_rotation_which_kms_would_refuse(graph: Graph) -> None:
    pairs = [key for key in graph.of(KEY) if key.properties["purpose"] == "ASYMMETRIC_SIGN"]
    assert [key.name for key in pairs if "rotationPeriod" in key.properties] == []


def test_a_secret_is_made_once_its_service_may_use_the_key(graph: Graph) -> None:
    grants = {graph.named(f"keys-{service}-grant").urn for service in ("sqladmin", "secretmanager")}
    assert [secret.name for secret in graph.of(SECRET) if not grants <= secret.dependencies] == []


def test_the_public_half_of_each_signer_is_published_and_nothing_else(graph: Graph) -> None:
    public = outputs(graph)["public"]
    expected = {**SIGNER.as_dict(private=False), "kid": SIGNER.thumbprint(), "alg": "ES256", "use": "sig"}
    assert public == dict.fromkeys(("manifest", "issuer", "worker", "operator"), expected)
    assert "d" not in public["manifest"]


def test_where_the_secrets_lie_names_the_region(graph: Graph) -> None:
    assert outputs(graph)["secrets"] == "projects/loomstead-test/locations/europe-west3/secrets/loomstead-test-"
    assert outputs(graph)["manifest_key"] == "keys-manifest-id"


def test_an_own_key_encrypts_and_lets_the_services_in() -> None:
    own = "projects/s3ns:keys/locations/u-france-east1/keyRings/own/cryptoKeys/data"
    graph = made("u-france-east1", encryption=own)
    assert "keys-encryption" not in {each.name for each in graph.resources}
    assert {grant.properties["cryptoKeyId"] for grant in graph.of(GRANT)} == {own}
    assert outputs(graph)["encryption"] == own


@pytest.mark.parametrize(
    "own",
    [
        "projects/p/locations/global/keyRings/own/cryptoKeys/data",
        "projects/p/locations/europe/keyRings/own/cryptoKeys/data",
        "projects/p/locations/europe-west2/keyRings/own/cryptoKeys/data",
        "projects/p/locations/europe-west3/keyRings/own",
    ],
)
def test_an_own_key_of_another_place_is_refused(own: str) -> None:
    with pytest.raises(Refused, match="is no KMS key in europe-west3; name one as"):
        made(encryption=own)


def levels(graph: Graph) -> set[str]:
    return {key.properties["versionTemplate"]["protectionLevel"] for key in graph.of(KEY)}


def test_keys_in_software_are_to_be_asked_for_where_there_is_hardware() -> None:
    assert levels(made()) == {"HSM"}
    assert levels(made(protection="SOFTWARE")) == {"SOFTWARE"}


def test_a_universe_without_hardware_for_keys_gets_none_and_refuses_it() -> None:
    assert levels(made("u-france-east1")) == {"SOFTWARE"}
    with pytest.raises(Refused, match=r"'HSM' is not to be had in s3nsapis\.fr: take SOFTWARE, or name an own"):
        made("u-france-east1", protection="HSM")


def test_a_level_that_keys_made_here_cannot_have_is_refused() -> None:
    with pytest.raises(Refused, match=r"'EXTERNAL' is not to be had in googleapis\.com: take HSM or SOFTWARE"):
        made(protection="EXTERNAL")
