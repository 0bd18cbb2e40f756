"""`loomstead evidence`, as a person types it."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner, Result

from regions.catalogue import load_catalogue
from scripts.cli.evidence import evidence
from scripts.cli.failure import CommandError
from tests.fixtures.reviews import MIXED, stack_file

LOOMSTEAD = str(Path(sys.executable).with_name("loomstead"))
ON = ("--on", "2026-11-23")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(evidence, list(map(str, arguments)))


def refusal(*arguments: str | Path) -> CommandError:
    refused = run(*arguments).exception
    assert isinstance(refused, CommandError)
    return refused


@pytest.fixture
def key(tmp_path: Path) -> Path:
    assert run("key", tmp_path / "auditor.jwk").exit_code == 0
    return tmp_path / "auditor.jwk"


@pytest.fixture
def public(key: Path) -> Path:
    return key.with_suffix(".public.jwk")


@pytest.fixture
def folder(tmp_path: Path, key: Path) -> Path:
    folder = tmp_path / "evidence"
    assert run(stack_file(tmp_path), *ON, "--key", key, "--output", folder).exit_code == 2
    return folder


def test_a_stack_with_open_findings_gets_its_evidence_and_exit_code_2(tmp_path: Path, key: Path) -> None:
    done = run(stack_file(tmp_path), *ON, "--key", key, "--output", tmp_path / "out")
    assert done.exit_code == 2
    assert "mixed on 2026-11-23 by Loomstead" in done.stdout
    assert "3 open findings, 1 waived; 9 files" in done.stdout
    assert load_catalogue().digest in done.stdout


def test_a_clean_stack_by_name_ends_with_0(tmp_path: Path, key: Path) -> None:
    done = run("local", "--key", key, "--output", tmp_path / "out")
    assert done.exit_code == 0
    assert "0 open findings, 0 waived" in done.stdout


def test_what_was_read_from_a_pipe_is_no_evidence(tmp_path: Path, key: Path) -> None:
    argv = [LOOMSTEAD, "evidence", "/dev/stdin", *ON, "--key", str(key), "--output", str(tmp_path / "out")]
    done = subprocess.run(argv, input=MIXED, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: /dev/stdin is no regular file")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, key: Path) -> None:
    (tmp_path / "file").write_text("")
    error = refusal(stack_file(tmp_path), *ON, "--key", key, "--output", tmp_path / "file" / "x")
    assert str(error) == f"{tmp_path}/file cannot be written: File exists. Name another --output."


def test_the_same_command_in_two_processes_gives_the_same_bytes(tmp_path: Path, key: Path) -> None:
    made = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        argv = [LOOMSTEAD, "evidence", str(stack_file(tmp_path)), *ON, "--key", str(key), "--output", str(out)]
        done = subprocess.run(argv, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert made[0] == made[1]
    assert len(made[0]) == 11


def test_without_a_key_of_ones_own_the_deployers_signs(
    tmp_path: Path, key: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "home" / "mixed" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "manifest.jwk").write_bytes(key.read_bytes())
    monkeypatch.setenv("LOOMSTEAD_HOME", str(tmp_path / "home"))
    run(stack_file(tmp_path), *ON, "--output", tmp_path / "out")
    assert run("verify", tmp_path / "out", "--key", public).exit_code == 0


def test_without_any_key_it_is_told_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOMSTEAD_HOME", str(tmp_path / "home"))
    said = str(refusal(stack_file(tmp_path), *ON, "--output", tmp_path / "out"))
    assert str(tmp_path / "home" / "mixed" / "secrets" / "manifest.jwk") in said
    assert "`loomstead evidence key FILE`, then --key FILE" in said


def test_unaltered_evidence_verifies_with_the_public_key(folder: Path, public: Path) -> None:
    done = run("verify", folder, "--key", public)
    assert done.exit_code == 0
    assert done.stdout.startswith("unaltered\n")


def test_altered_evidence_is_told_file_by_file_and_ends_with_3(folder: Path, public: Path) -> None:
    (folder / "findings.json").write_text("[]")
    (folder / "added.txt").write_text("")
    done = run("verify", folder, "--key", public)
    assert done.exit_code == 3
    assert done.stdout.startswith("  changed: findings.json\n  added: added.txt\naltered\n")


def test_a_forged_list_ends_with_3(folder: Path, public: Path) -> None:
    text = (folder / "evidence.json").read_text()
    (folder / "evidence.json").write_text(text.replace('"open_findings":3', '"open_findings":0'))
    refused = refusal("verify", folder, "--key", public)
    assert refused.code == 3
    assert "the signature does not fit" in str(refused)


def test_the_signature_is_a_plain_detached_jws(folder: Path, public: Path) -> None:
    head, empty, signature = (folder / "evidence.jws").read_text().strip().split(".")
    assert empty == ""
    payload = base64.urlsafe_b64encode((folder / "evidence.json").read_bytes()).decode().rstrip("=")
    verified = jwt.PyJWS().decode(
        f"{head}.{payload}.{signature}", jwt.PyJWK(json.loads(public.read_text())).key, algorithms=["ES256"]
    )
    assert json.loads(verified)["stack"] == "mixed"


def test_a_made_key_is_private_and_never_written_over(tmp_path: Path, key: Path, public: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    assert "d" in json.loads(key.read_text())
    assert "d" not in json.loads(public.read_text())
    before = key.read_bytes()
    assert "Name a new file." in str(refusal("key", key))
    assert key.read_bytes() == before


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path, key: Path) -> None:
    said = str(refusal(stack_file(tmp_path), *ON, "--key", key, "--output", "/proc/evidence"))
    assert "/proc" in said
    assert "Name another --output." in said


def test_a_malformed_stack_file_gets_no_evidence(tmp_path: Path, key: Path) -> None:
    broken = stack_file(tmp_path, MIXED.replace("platform: aws", "platform: moon"))
    said = str(refusal(broken, *ON, "--key", key, "--output", tmp_path / "out"))
    assert "spec/value" in said
    assert not (tmp_path / "out").exists()
