"""Resource ``ManifestFile``: the Manifest, signed with the deployer's key, as a file of the stack."""

import hashlib
import json
from importlib import import_module
from pathlib import Path
from typing import Any, TypedDict

import pulumi
from pulumi import Input
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from components.local.provider import LocalProvider


class ManifestFileArgs(TypedDict):
    """``manifest``: its JSON. ``secrets``: folder with ``manifest.jwk``. ``kid``: thumbprint of that key."""

    home: Input[str]
    manifest: Input[str]
    secrets: Input[str]
    kid: Input[str]


class ManifestFile(Resource, module="local", name="ManifestFile"):
    """``path``: of the signed file. ``digest``: of the Manifest in it. ``content``: hash of the file as written."""

    path: pulumi.Output[str]
    digest: pulumi.Output[str]

    def __init__(self, name: str, args: ManifestFileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(ManifestFileProvider(), name, {**args, **dict.fromkeys(("path", "digest", "content"))}, opts)


class ManifestFileProvider(LocalProvider):
    """A file that anybody else changed or removed is written again."""

    def healthy(self, wanted: dict[str, Any], seen: dict[str, Any]) -> bool:
        return _content(_path(wanted)) == seen["content"]

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(f"{Path(props['home']).name}/manifest", _written(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, {**props, "content": _content(_path(props))})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_written(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        _path(_props).unlink(missing_ok=True)


def _written(props: dict[str, Any]) -> dict[str, Any]:
    # Only here: they take longer to import than all the rest of a run that changes nothing.
    sign, model = import_module("regions.signature").sign_manifest, import_module("regions.manifest").Manifest
    manifest = model.model_validate_json(props["manifest"])
    key = json.loads(Path(props["secrets"], "manifest.jwk").read_bytes())
    path = _path(props)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(sign(manifest, key), indent=2, sort_keys=True) + "\n")
    part.replace(path)
    return {**props, "path": str(path), "digest": manifest.digest, "content": _content(path)}


def _path(props: dict[str, Any]) -> Path:
    return Path(props["home"], "manifest.json")


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
