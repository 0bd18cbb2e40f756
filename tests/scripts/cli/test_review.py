"""`loomstead review` as people and pipelines run it: what it prints, in which form, and with which exit code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from components.checks import CHECKS
from components.naming import REPOSITORY
from regions.catalogue import load_catalogue
from regions.residency import Purpose
from regions.rules import RULES
from scripts.cli import app
from tests.fixtures.stacks import RIGHT, WRONG

LOOMSTEAD = str(Path(sys.executable).with_name("loomstead"))
ON = "2026-12-01"
LONDON = next(file for file in WRONG if "from-london" in file.name)
WAIVED = next(file for file in RIGHT if file.name.startswith("waived"))


def review(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["review", *map(str, arguments)])


def started(*arguments: str | Path, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LOOMSTEAD, "review", *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_the_shipped_stacks_are_clean_and_named_as_short_as_can_be() -> None:
    done = started()
    assert (done.returncode, done.stderr) == (0, "")
    shipped = {file.stem.removeprefix("Pulumi.") for file in (REPOSITORY / "stacks").glob("Pulumi.*.yaml")}
    clean = re.findall(r"^(\S+) \(stacks/Pulumi\.\1\.yaml\): clean, Boundary sha256:[0-9a-f]+$", done.stdout, re.M)
    assert set(clean) == shipped
    assert done.stdout.rstrip().endswith("Not legal advice.")


def test_a_stack_is_named_by_its_name_or_its_file() -> None:
    by_name, by_file = review("local"), review(REPOSITORY / "stacks" / "Pulumi.local.yaml")
    assert by_name.exit_code == by_file.exit_code == 0
    assert by_name.output == by_file.output


def test_text_tells_stack_rule_line_and_what_to_do() -> None:
    done = started(LONDON)
    line = next(number for number, text in enumerate(LONDON.read_text().splitlines(), 1) if "managed:" in text)
    assert done.returncode == 2
    assert f"{LONDON.stem} (" in done.stdout
    assert "\n  uk-gdpr/process\n" in done.stdout
    assert f"{LONDON.name}:{line}: models.chat.candidates.main.managed\n" in done.stdout
    assert "process in DE, ES, FR, IE, IT, SE is outside uk-gdpr" in done.stdout
    assert "→ Take a model that is answered in GB alone" in done.stdout
    assert f"Catalogue of {max(one.as_of for one in load_catalogue().sources.values())}, sha256:" in done.stdout


def test_every_waiver_is_printed_with_its_approver_and_its_end() -> None:
    done = review(WAIVED, "--on", ON)
    assert done.exit_code == 0
    assert (
        "waiver: ca-qc-law25/evidence at residency.evidence.pia_ref: approved by cpo@example.ca, until 2027-01-31"
        in (done.output)
    )
    assert "findings: 0 open, 1 waived" in done.output
    late = review(WAIVED, "--on", "2027-02-01")
    assert late.exit_code == 2
    assert "approved by cpo@example.ca, it expired on 2027-01-31" in late.output


def test_json_has_the_shape_that_pipelines_read() -> None:
    said = json.loads(review(LONDON, WAIVED, "--format", "json", "--on", ON).stdout)
    assert set(said) == {"stacks", "summary"}
    london, waived = said["stacks"]
    assert set(london) == {"stack", "digest", "findings"}
    (finding,) = london["findings"]
    assert ",".join(finding) == "rule,severity,resource,property,value,countries,message,remedy,location,waiver"
    assert finding["countries"] == ["DE", "ES", "FR", "IE", "IT", "SE"]
    assert finding["location"] == {"file": os.path.relpath(LONDON), "line": 12}
    assert waived["findings"][0]["waiver"]["expires"] == "2027-01-31"
    assert said["summary"]["open"] == said["summary"]["waived"] == 1
    assert said["summary"]["rules"] == {"uk-gdpr/process": 1}


@pytest.mark.parametrize("form", ["text", "json", "sarif", "html"])
def test_every_form_is_written_to_a_file_and_says_the_same_twice(form: str, tmp_path: Path) -> None:
    once, again = tmp_path / "once", tmp_path / "again"
    for output in (once, again):
        done = review(LONDON, WAIVED, "--format", form, "--on", ON, "--output", output)
        assert (done.exit_code, done.output) == (2, "")
    assert "uk-gdpr/process" in once.read_text()
    assert once.read_bytes() == again.read_bytes()


def test_what_is_not_there_is_an_error_of_the_tool_and_no_finding(tmp_path: Path) -> None:
    done = started("nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: There is no stack 'nowhere'")
    assert "Stacks here: aws-eu-central-1, " in done.stderr
    assert started(tmp_path).returncode == 1
    assert started("n" * 5000).stderr.startswith("error: There is no stack")


def test_an_output_that_cannot_be_written_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = started("local", "--output", tmp_path / "file" / "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {tmp_path}/file/x cannot be written: Not a directory. Name another --output.\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_file_in_another_encoding_is_to_be_saved_as_utf_8(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("# café\nconfig: {}\n", encoding=encoding)
    done = review(tmp_path / "other.yaml")
    assert done.exit_code == 2
    assert "  spec/yaml\n" in done.output
    assert "save the file as UTF-8" in done.output


def test_a_pipe_is_refused_and_standard_input_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    done = started(tmp_path / "fifo.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "expected a regular file, got a pipe" in done.stderr
    local = (REPOSITORY / "stacks" / "Pulumi.local.yaml").read_text()
    piped = [LOOMSTEAD, "review", "/dev/stdin"]
    assert subprocess.run(piped, input=local, capture_output=True, text=True, timeout=60).returncode == 0


@pytest.mark.parametrize("written", [r"\e[2J\a", r"\0", r"\u202e", r"\x9b2J", r"\nclean"])
def test_nothing_that_a_terminal_obeys_comes_from_a_stack_file(written: str, tmp_path: Path) -> None:
    file = tmp_path / "a\x1b[31m\nb.yaml"
    waived, unknown = WAIVED.read_text().replace("cpo@example.ca", f'"cpo{written}"'), f'    "evil{written}": 1\n'
    for text, told, code in ((waived, "approved by cpo\\", 0), (waived + unknown, "evil\\", 2)):
        file.write_text(text)
        done = review(file, "--on", ON)
        assert done.exit_code == code
        assert all(char.isprintable() or char == "\n" for char in done.output)
        assert told in done.output
        assert r"a\x1b[31m\nb.yaml" in done.output


def test_every_rule_is_explained() -> None:
    catalogue = load_catalogue()
    rules = [check.id for check in CHECKS if "<" not in check.id]
    rules += [
        f"{regime}/{tail}" for regime in catalogue.regimes for tail in (*Purpose, "evidence", "partition", "custody")
    ]
    rules += ["health/process", *RULES]
    for rule in rules:
        done = review("--explain", rule)
        assert done.exit_code == 0, rule
        assert done.output.startswith(rule)
        assert "Remedy: " in done.output


def test_a_regimes_rule_is_explained_with_its_countries_and_its_source() -> None:
    said = review("--explain", "ch-fadp/process").output
    assert "process: CH" in said
    assert "Data Protection Ordinance" in said
    assert "as of 2026-" in said
    assert "partitions of aws: aws-us-gov" in review("--explain", "us-cjis/partition").output


def test_an_unknown_rule_is_answered_with_the_nearest() -> None:
    done = started("--explain", "uk-gpdr/process")
    assert done.returncode == 1
    assert "There is no rule 'uk-gpdr/process' (did you mean uk-gdpr/process?)" in done.stderr


@pytest.mark.parametrize(
    "module", ["pulumi", "httpx", "fastapi", "sqlalchemy", "temporalio", "joserfc", "rich", "regions.rules", "asyncio"]
)
def test_what_a_review_does_not_need_is_not_loaded(module: str) -> None:
    code = f"""
import sys, scripts.cli
sys.argv = ["loomstead", "review", "local"]
try:
    scripts.cli.main()
finally:
    sys.exit({module!r} in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, timeout=60).returncode == 0
