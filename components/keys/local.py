"""Keys on this machine: files in one private folder. No secret leaves it for Pulumi's state, an output or a log."""

import base64
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pulumi
from joserfc.jwk import ECKey
from pulumi import Input
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from components.keys.contract import Keys
from components.local.provider import LocalProvider

SIGNERS = ("manifest", "issuer", "worker", "operator")
SYMMETRIC = ("ledger", "subjects", "webhook")
ROLES = ("postgres", "gateway_owner", "gateway", "auditor", "core_writer", "agent_reader", "replicator")
MANIFEST = "manifest"
MANIFEST_KEY = "manifest.public.jwk"
"""Of a signer that is no file here, `loomstead manifest` keeps it (scripts/cli/manifest.py)."""


def _jwk() -> str:
    key = ECKey.generate_key("P-256")
    return json.dumps({**key.as_dict(private=True), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"})


def _symmetric() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _pgpass(role: str) -> str:
    return f"*:*:*:{role}:{secrets.token_urlsafe(32)}\n"


MAKERS: dict[str, Callable[[], str]] = {
    **{f"{name}.jwk": _jwk for name in SIGNERS},
    **{f"{name}.key": _symmetric for name in SYMMETRIC},
    **{f"{role}.pgpass": partial(_pgpass, role) for role in ROLES},
}


class LocalKeysArgs(TypedDict):
    """``home``: the folder of the stack's state."""

    home: Input[str]


class SecretFilesArgs(LocalKeysArgs):
    """``signers``: only these keys; otherwise all that a fabric on this machine has."""

    signers: NotRequired[Sequence[str]]


class SecretFiles(Resource, module="local", name="SecretFiles"):
    """``files``: which are there with the right mode, as seen last."""

    secrets: pulumi.Output[str]
    public: pulumi.Output[dict[str, dict[str, Any]]]
    manifest_key: pulumi.Output[str]
    generation: pulumi.Output[int]

    def __init__(self, name: str, args: SecretFilesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(("secrets", "public", "manifest_key", "generation", "files"))
        super().__init__(SecretFilesProvider(), name, {**args, **outputs}, opts)


class SecretFilesProvider(LocalProvider):
    """Files that are there are kept; missing ones are made."""

    def healthy(self, wanted: dict[str, Any], seen: dict[str, Any]) -> bool:
        return set(_names(wanted)) <= set(present(_folder(wanted)))

    def create(self, props: dict[str, Any]) -> CreateResult:
        make(_folder(props), _makers(props))
        return CreateResult(f"{Path(props['home']).name}/secrets", _outputs(props, generation=1))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, {**props, "files": _seen(props)})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        fresh = make(_folder(_news), _makers(_news))
        return UpdateResult(_outputs(_news, _olds["generation"] + fresh))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        shutil.rmtree(_folder(_props), ignore_errors=True)


class LocalKeys(Keys):
    def __init__(self, name: str, args: LocalKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        files = SecretFiles(f"{name}-files", {"home": args["home"]}, pulumi.ResourceOptions(parent=self))
        self.secrets, self.public = files.secrets, files.public
        self.manifest_key, self.generation = files.manifest_key, files.generation
        self.register_outputs({"secrets": self.secrets, "manifest_key": self.manifest_key})


def present(folder: Path) -> list[str]:
    """Names of the files that only their owner can read; none when others can enter the folder."""
    if not folder.is_dir() or folder.stat().st_mode & 0o077:
        return []
    return sorted(path.name for path in folder.iterdir() if not path.stat().st_mode & 0o077)


def make(folder: Path, makers: Mapping[str, Callable[[], str]] = MAKERS) -> bool:
    """Make what is missing of ``makers`` in ``folder`` and close it to others; says whether any secret is new."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    missing = [name for name in makers if not (folder / name).exists()]
    for name in missing:
        _write(folder / name, makers[name]())
    for name in makers:
        (folder / name).chmod(0o600)
    if f"{MANIFEST}.jwk" in makers:
        _write(folder / MANIFEST_KEY, json.dumps(_public(folder, MANIFEST)))
    return bool(missing)


def _outputs(props: dict[str, Any], generation: int) -> dict[str, Any]:
    folder = _folder(props)
    return {
        **{key: props[key] for key in ("home", "signers") if key in props},
        "secrets": str(folder),
        "public": {name: _public(folder, name) for name in _signers(props)},
        "manifest_key": str(folder / MANIFEST_KEY),
        "generation": generation,
        "files": _seen(props),
    }


def _makers(props: dict[str, Any]) -> Mapping[str, Callable[[], str]]:
    return {f"{name}.jwk": _jwk for name in _signers(props)} if props.get("signers") else MAKERS


def _names(props: dict[str, Any]) -> list[str]:
    """Of the files that have to be there; what else lies beside them is others' affair."""
    makers = _makers(props)
    return [*makers, *([MANIFEST_KEY] if f"{MANIFEST}.jwk" in makers else [])]


def _seen(props: dict[str, Any]) -> list[str]:
    return [name for name in present(_folder(props)) if name in _names(props)]


def _signers(props: dict[str, Any]) -> Iterable[str]:
    return props.get("signers") or SIGNERS


def _public(folder: Path, name: str) -> dict[str, Any]:
    private = json.loads((folder / f"{name}.jwk").read_bytes())
    return {key: private[key] for key in ("kty", "crv", "x", "y", "kid", "alg", "use")}


def _write(path: Path, content: str) -> None:
    # Whole or not at all: an `up` that is killed here must not leave half a key to be adopted.
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
    part.replace(path)


def _folder(props: dict[str, Any]) -> Path:
    return Path(props["home"], "secrets")
