"""A stack elsewhere is known here by the Manifest that it exports, verified by the deployer's key."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from regions.signature import sign_manifest
from scripts.cli.failure import CommandError
from scripts.cli.manifest import fetch
from scripts.cli.place import Place
from scripts.cli.pulumi import Pulumi
from scripts.engine import Engine
from tests.fixtures.issuer import KEYS, manifest

GATEWAY = "https://agents.corp.example"
STACK = "kubernetes-onprem"
SCRIPT = """#!/bin/sh
echo "a warning" >&2
case "$*" in
  "stack output --json --stack kubernetes-onprem "*) cat "$LOOMSTEAD_HOME/outputs" ;;
  "stack output --json --stack aws-new "*) echo "error: no stack named 'aws-new' found" >&2; exit 1 ;;
  "stack output --json --stack elsewhere "*) echo "{\\"network\\": \\"$PULUMI_BACKEND_URL\\"}" ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    home = tmp_path / "a home"
    engine = home / "engine" / "pulumi"
    engine.parent.mkdir(parents=True)
    engine.write_text(SCRIPT)
    engine.chmod(0o755)
    return Place(STACK, home / STACK, tmp_path / f"Pulumi.{STACK}.yaml")


def pulumi(place: Place) -> Pulumi:
    return Pulumi(Engine(place.home / "engine", "3"), place)


def export(place: Place, signer: str = "operator", told: str | None = None, **changes: Any) -> None:
    """What the stack exports; ``told``: whose public key it gives, where it is not the signer's."""
    described = manifest(GATEWAY).model_copy(update={"stack": STACK, **changes})
    signed = sign_manifest(described, KEYS[signer].as_dict(private=True))
    key = json.dumps(KEYS[told or signer].as_dict(private=False))
    outputs = {"gateway": GATEWAY, "manifest": json.dumps(signed), "manifest_key": key}
    (place.home / "outputs").write_text(json.dumps(outputs))


def test_what_a_stack_exports_is_what_other_commands_find(place: Place) -> None:
    with pytest.raises(CommandError, match=f"`loomstead manifest -s {STACK}`"):
        place.manifest()
    export(place)
    path, found = fetch(place, pulumi(place))
    assert (path, found.endpoints.gateway) == (place.folder / "manifest.json", GATEWAY)
    assert place.manifest() == found
    assert stat.S_IMODE((place.secrets / "manifest.public.jwk").stat().st_mode) == 0o600
    assert fetch(place, pulumi(place))[1] == found


def test_another_file_leaves_what_other_commands_find_as_it_was(place: Place, tmp_path: Path) -> None:
    export(place)
    path, _ = fetch(place, pulumi(place), tmp_path / "theirs.json")
    assert json.loads(path.read_text())["manifest"]["stack"] == STACK
    assert not (place.folder / "manifest.json").exists()


def test_another_deployers_key_is_refused_once_one_is_known(place: Place) -> None:
    export(place)
    _, found = fetch(place, pulumi(place))
    export(place, "worker", region="elsewhere")
    with pytest.raises(CommandError, match=r"signed by key .* remove .*manifest\.public\.jwk first"):
        fetch(place, pulumi(place))
    assert place.manifest() == found


def test_what_the_key_did_not_sign_or_another_stack_has_is_kept_nowhere(place: Place) -> None:
    export(place, told="worker")
    with pytest.raises(CommandError, match="signed by key"):
        fetch(place, pulumi(place))
    export(place, stack="other")
    with pytest.raises(CommandError, match="exports the Manifest of stack 'other'"):
        fetch(place, pulumi(place))
    assert not place.folder.exists()


def test_a_stack_without_one_says_so(place: Place) -> None:
    (place.home / "outputs").write_text('{"network": "vpc-1"}')
    with pytest.raises(CommandError, match=rf"exports no Manifest.* `loomstead up -s {STACK}`"):
        fetch(place, pulumi(place))


def test_a_stack_that_the_engine_does_not_know_is_refused_with_its_words(place: Place) -> None:
    other = Place("unknown", place.home / "unknown", place.stack_file)
    with pytest.raises(CommandError, match="Stack 'unknown' has no outputs: a warning"):
        fetch(other, pulumi(other))


def test_a_stack_that_nobody_raised_is_told_with_what_raises_it(place: Place) -> None:
    new = Place("aws-new", place.home / "aws-new", place.stack_file)
    with pytest.raises(CommandError, match=r"'aws-new' is not raised yet.* `pulumi up -s aws-new`"):
        fetch(new, pulumi(new))


@pytest.mark.parametrize(
    ("stack", "url", "begins"),
    [
        ("elsewhere", "s3://state?region=eu-west-1", "s3://state?region=eu-west-1"),
        ("elsewhere", "file:///other", "file://"),
    ],
)
def test_a_bucket_that_the_environment_names_has_the_state(
    place: Place, monkeypatch: pytest.MonkeyPatch, stack: str, url: str, begins: str
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", url)
    told = pulumi(Place(stack, place.home / stack, place.stack_file)).outputs() or {}
    assert told["network"].startswith(begins)
    assert told["network"] != "file:///other"


def test_a_key_that_is_none_is_named(place: Place) -> None:
    export(place)
    place.secrets.mkdir(parents=True)
    (place.secrets / "manifest.public.jwk").write_text("{")
    with pytest.raises(CommandError, match=r"manifest\.public\.jwk: this is no public key"):
        fetch(place, pulumi(place))
