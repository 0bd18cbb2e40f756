"""Resource ``SignedManifest``: the Manifest signed with the deployer's key, as a document for whoever publishes it."""

import hashlib
import json
import logging
from importlib import import_module
from pathlib import Path
from typing import Any, TypedDict

import pulumi
from pulumi import Input
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

_HALF = 32


class SignedManifestArgs(TypedDict):
    """``manifest``: its JSON. ``key``: ARN of a key in AWS's KMS, or path of a JWK file. ``public``: its public JWK."""

    manifest: Input[str]
    key: Input[str]
    public: Input[dict[str, Any]]


class SignedManifest(Resource, module="signing", name="SignedManifest"):
    """``document``: the signed Manifest, as ``regions.signature`` verifies it. ``digest``: of the Manifest in it."""

    document: pulumi.Output[str]
    digest: pulumi.Output[str]
    public: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, args: SignedManifestArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SigningProvider(), name, {**args, "document": None, "digest": None}, opts)

    @property
    def told(self) -> dict[str, pulumi.Output[str]]:
        """What a stack in a cloud exports, for the command line of who raises it (scripts/cli/manifest.py)."""
        key = self.public.apply(lambda public: json.dumps(public, sort_keys=True))
        return {"manifest": self.document, "manifest_key": key}


class SigningProvider(ResourceProvider):
    """Signs anew when the Manifest or the key is another; what it signed it verifies before anybody reads it."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        # An error reaches the engine as the call's status; grpc would print its traceback as well.
        logging.getLogger("grpc._server").setLevel(logging.CRITICAL)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(
            changes=any(_olds.get(name) != _news.get(name) for name in SignedManifestArgs.__annotations__)
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("manifest", _signed(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_signed(_news))


def _signed(props: dict[str, Any]) -> dict[str, Any]:
    # Only here: they take longer to import than all the rest of a run that changes nothing.
    signature, model = import_module("regions.signature"), import_module("regions.manifest").Manifest
    manifest = model.model_validate_json(props["manifest"])
    if props["key"].startswith("arn:"):
        content = signature.signing_input(manifest, props["public"])
        document = signature.document(manifest, props["public"], _signed_by_kms(props["key"], content))
    else:
        document = signature.sign_manifest(manifest, json.loads(Path(props["key"]).read_bytes()))
    signature.verify_manifest(document, props["public"])
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    return {**props, "document": text, "digest": manifest.digest}


def _signed_by_kms(key: str, content: bytes) -> bytes:
    """The signature's two halves, by whatever credentials the deployer has for AWS; the region is the key's."""
    client = import_module("botocore.session").get_session().create_client("kms", region_name=key.split(":")[3])
    digest = hashlib.sha256(content).digest()
    signed = client.sign(KeyId=key, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")
    r, s = import_module("cryptography.hazmat.primitives.asymmetric.utils").decode_dss_signature(signed["Signature"])
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")
