"""A Manifest is taken only as it was signed, by the key that came another way."""

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from regions.boundary import compile_boundary
from regions.canonical import canonical
from regions.catalogue import Kind, Protocol, load_catalogue
from regions.manifest import Endpoints, Identities, Limits, Manifest, ModelEndpoint, Temporal
from regions.residency import DataClass, DataClassRules, Residency
from regions.signature import Cause, SignatureError, sign_manifest, verify_manifest

KEY = ECKey.generate_key("P-256")
PRIVATE, PUBLIC = KEY.as_dict(private=True), KEY.as_dict(private=False)
Document = dict[str, Any]


def manifest() -> Manifest:
    residency = Residency(regimes=("eu-gdpr",), data_classes={DataClass.PERSONAL: DataClassRules()})
    boundary = compile_boundary(residency, load_catalogue(), host="DE")
    return Manifest(
        stack="local",
        platform="local",
        region="local",
        country="DE",
        boundary=boundary,
        boundary_digest=boundary.digest,
        catalogue_digest=load_catalogue().digest,
        spec_digest="sha256:" + "0" * 64,
        endpoints=Endpoints(
            gateway="http://127.0.0.1:8080",
            orchestrator=Temporal(address="127.0.0.1:7233", ui="http://127.0.0.1:8233"),
            primary_host="127.0.0.1",
            primary_port=5432,
            replica_host="127.0.0.1",
            replica_port=5433,
            database="loomstead",
        ),
        models=(
            ModelEndpoint(
                name="chat-small/local",
                model_class="chat-small",
                kind=Kind.CHAT,
                protocol=Protocol.OPENAI,
                url="http://127.0.0.1:9999/v1",
                provider=None,
                region="local",
                upstream_model="m",
                countries=("DE",),
                data_classes=(DataClass.PERSONAL,),
                context_tokens=8192,
                weight=1,
                priority=0,
            ),
        ),
        core_systems=(),
        scope_classes=(),
        identities=Identities(issuer="http://127.0.0.1:8080", clients=()),
        limits=Limits(iterations=10, token_seconds=300, task_seconds=86400, approval_seconds=86400),
    )


def document() -> Document:
    return json.loads(json.dumps(sign_manifest(manifest(), PRIVATE)))


def cause(of: Any, key: dict[str, Any] = PUBLIC) -> Cause:
    with pytest.raises(SignatureError) as caught:
        verify_manifest(of, key)
    return caught.value.cause


def resigned(content: dict[str, Any], key: ECKey = KEY) -> Document:
    """A document that the right key signed over other content."""
    compact = jws.serialize_compact(
        {"alg": "ES256", "kid": key.thumbprint()}, canonical(content), key, algorithms=["ES256"]
    )
    signature = {"alg": "ES256", "kid": key.thumbprint(), "value": compact.rpartition(".")[2]}
    return {"manifest": content, "signature": signature}


def test_what_was_signed_comes_back() -> None:
    assert verify_manifest(document(), PUBLIC) == manifest()


def test_the_layout_of_the_file_is_not_signed() -> None:
    shuffled = json.loads(json.dumps(document(), sort_keys=True, indent=4))
    assert verify_manifest(shuffled, PUBLIC).digest == manifest().digest


def test_the_private_key_is_not_in_the_document() -> None:
    assert str(PRIVATE["d"]) not in json.dumps(document())


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key in value for leaf in leaves(value[key], (*path, key))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, index))]
    return [path]


@settings(max_examples=60)
@given(st.data())
def test_any_changed_value_of_the_manifest_breaks_the_signature(data: st.DataObject) -> None:
    changed = document()
    *way, last = data.draw(st.sampled_from(leaves(changed["manifest"])))
    target = changed["manifest"]
    for key in way:
        target = target[key]
    target[last] = target[last] + 1 if isinstance(target[last], int) else f"{target[last] or ''}x"
    assert cause(changed) == Cause.SIGNATURE


@settings(max_examples=60)
@given(st.integers(0, 85), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
def test_any_changed_character_of_the_signature_breaks_it(index: int, character: str) -> None:
    changed = document()
    value = changed["signature"]["value"]
    changed["signature"]["value"] = value[:index] + character + value[index + 1 :]
    if changed["signature"]["value"] == value:
        assert verify_manifest(changed, PUBLIC) == manifest()
    else:
        assert cause(changed) in (Cause.SIGNATURE, Cause.MALFORMED)


def test_a_second_spelling_of_the_same_signature_is_refused() -> None:
    changed = document()
    value = changed["signature"]["value"]
    changed["signature"]["value"] = value[:-1] + chr(ord(value[-1]) + 1)
    assert cause(changed) == Cause.MALFORMED


def test_another_key_is_refused_even_under_the_name_of_the_right_one() -> None:
    other = ECKey.generate_key("P-256")
    forged = resigned(document()["manifest"], other)
    assert cause(forged) == Cause.KEY
    forged["signature"]["kid"] = KEY.thumbprint()
    assert cause(forged) == Cause.SIGNATURE


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "RS256", "es256"])
def test_no_other_algorithm_is_taken(algorithm: str) -> None:
    changed = document()
    changed["signature"]["alg"] = algorithm
    assert cause(changed) == Cause.MALFORMED


def test_the_public_key_is_no_shared_secret() -> None:
    content = document()["manifest"]
    secret = OctKey.import_key(json.dumps(PUBLIC).encode())
    header = {"alg": "HS256", "kid": KEY.thumbprint()}
    value = jws.serialize_compact(header, canonical(content), secret, algorithms=["HS256"]).rpartition(".")[2]
    assert cause({"manifest": content, "signature": header | {"value": value}}) == Cause.MALFORMED


def test_the_signature_holds_for_the_rfc_8785_bytes_as_a_detached_jws() -> None:
    made = document()
    header = base64.urlsafe_b64encode(
        json.dumps({"alg": "ES256", "kid": made["signature"]["kid"]}, separators=(",", ":")).encode()
    )
    payload = base64.urlsafe_b64encode(canonical(made["manifest"]))
    parts = [header.rstrip(b"=").decode(), payload.rstrip(b"=").decode(), made["signature"]["value"]]
    assert jws.deserialize_compact(".".join(parts), KEY, algorithms=["ES256"]).payload == canonical(made["manifest"])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (ECKey.generate_key("P-384").as_dict(private=False), "P-384"),
        (OctKey.generate_key(256).as_dict(private=True), "no JWK|not a JWK"),
        ({"kty": "EC"}, "not a JWK"),
        ([1], "not a JWK"),
    ],
)
def test_a_key_of_another_kind_is_told_apart(key: Any, message: str) -> None:
    with pytest.raises(SignatureError, match=message) as caught:
        verify_manifest(document(), key)
    assert caught.value.cause == Cause.KEY


def without(document: Document, field: str) -> Any:
    del document[field]
    return document


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: without(made, "signature"),
        lambda made: without(made, "manifest"),
        lambda made: made | {"note": "extra"},
        lambda made: made | {"signature": made["signature"] | {"crit": []}},
        lambda made: made | {"manifest": [made["manifest"]]},
        lambda made: made | {"manifest": made["manifest"] | {"version": float("nan")}},
        lambda made: made | {"manifest": made["manifest"] | {"version": 2**60}},
        lambda made: [made],
        lambda made: None,
    ],
)
def test_a_document_of_another_shape_is_malformed(spoil: Callable[[Document], Any]) -> None:
    assert cause(spoil(document())) == Cause.MALFORMED


@pytest.mark.parametrize(
    "change",
    [{"colour": "red"}, {"version": 2}, {"country": "Germany"}, {"boundary": None}],
)
def test_a_signed_manifest_of_another_version_is_refused(change: dict[str, Any]) -> None:
    assert cause(resigned(document()["manifest"] | change)) == Cause.MANIFEST


def test_a_signed_boundary_must_have_the_digest_that_is_stated() -> None:
    content = copy.deepcopy(document()["manifest"])
    content["boundary"]["rules"][0]["countries"].append("US")
    assert cause(resigned(content)) == Cause.BOUNDARY
