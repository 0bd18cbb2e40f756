"""Evidence: what a review saw and found, as a folder that stays as it is or shows that it did not.

The same stack file, catalogue, day, release and key give the same bytes. ``evidence.json`` lists every file with its
hash, and ``evidence.jws`` seals it.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_jsonable_python

from components.review import StackReview, refusal
from regions.canonical import canonical
from regions.catalogue import Catalogue
from scripts.report import html
from scripts.report.answers import answers
from scripts.report.coverage import not_covered
from scripts.report.picture import draw
from scripts.report.placements import as_json, facts_used, placements
from scripts.report.seal import SealError, check_seal, seal

MOST_NAMES = 3
LIST, SEAL, STACK_FILE = "evidence.json", "evidence.jws", "stack.yaml"


class EvidenceError(Exception):
    """Evidence that cannot be made or is not whole; the message says what to do."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Listed(_Frozen):
    """``size`` in bytes."""

    path: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class EvidenceList(_Frozen):
    """What is sealed. ``on``: the day that the stack was judged for."""

    version: Literal[1] = 1
    kit: str
    stack: str
    on: str
    open_findings: int
    waived_findings: int
    boundary_digest: str
    catalogue_digest: str
    spec_digest: str
    files: tuple[Listed, ...]


def write_evidence(
    folder: Path, review: StackReview, catalogue: Catalogue, on: date, private_jwk: Mapping[str, Any]
) -> EvidenceList:
    """Write the evidence of a stack in place of what was there; raises ``EvidenceError`` or ``SealError``.

    A folder that holds anything else than evidence is left alone.
    """
    if not Path(review.file).is_file():  # a pipe was read once, for the review
        raise EvidenceError(f"{review.file} is no regular file, and evidence holds a copy of it: save it in one.")
    stack_file = Path(review.file).read_bytes()
    review = _portable(review)
    contents = dict(_contents(review, catalogue, on, stack_file))
    listed = _list(contents, review, catalogue, on)
    contents[LIST] = canonical(listed.model_dump(mode="json"))
    contents[SEAL] = seal(contents[LIST], private_jwk)
    _replace(folder, contents)
    return listed


def _replace(folder: Path, contents: Mapping[str, bytes]) -> None:
    """The whole folder at once, made beside it."""
    if folder.exists():
        others = {path.name for path in folder.iterdir()} - contents.keys() if folder.is_dir() else {"a file"}
        if others:
            told = ", ".join(sorted(others)[:MOST_NAMES])
            raise EvidenceError(f"{folder} holds what is no evidence ({told}): name another folder with --output.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".evidence-") as beside:
        made = Path(beside, "made")
        made.mkdir()
        for name, content in contents.items():
            (made / name).write_bytes(content)
        if folder.exists():
            shutil.move(folder, Path(beside, "before"))
        shutil.move(made, folder)


def verify_evidence(folder: Path, public_jwk: Mapping[str, Any]) -> tuple[EvidenceList, list[str]]:
    """The list, and one line for each file or empty folder that is changed, missing or was added.

    Raises ``EvidenceError`` where the list itself cannot be trusted.
    """
    try:
        content, sealed = (folder / LIST).read_bytes(), (folder / SEAL).read_bytes()
        check_seal(content, sealed, public_jwk)
        listed = EvidenceList.model_validate_json(content)
    except OSError as error:
        raise EvidenceError(f"{error.filename} cannot be read: {error.strerror}. Is {folder} evidence?") from None
    except SealError as error:
        raise EvidenceError(f"{folder / LIST}: {error}.") from None
    except ValidationError:
        raise EvidenceError(f"{folder / LIST} is of another version of the kit than this one.") from None
    return listed, list(_differences(folder, listed))


def _differences(folder: Path, listed: EvidenceList) -> Iterator[str]:
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not _holds_others(path)}
    for known in listed.files:
        path = there.pop(known.path, None)
        if path is None:
            yield f"missing: {known.path}"
        elif not _is_as_listed(path, known):
            yield f"changed: {known.path}"
    yield from (f"added: {name}" for name in sorted(there.keys() - {LIST, SEAL}))


def _holds_others(path: Path) -> bool:
    """What it holds is told instead of it; a link to a folder is told itself."""
    return path.is_dir() and not path.is_symlink() and any(path.iterdir())


def _is_as_listed(path: Path, known: Listed) -> bool:
    plain = path.is_file() and not path.is_symlink()  # what is no plain file may never end
    return plain and hashlib.sha256(path.read_bytes()).hexdigest() == known.sha256


def _contents(review: StackReview, catalogue: Catalogue, on: date, stack_file: bytes) -> Iterator[tuple[str, bytes]]:
    if review.spec is None or review.boundary is None:
        raise EvidenceError(
            f"{review.file} gives no Boundary, so there is nothing to show evidence of:\n{refusal(review)}"
        )
    facts = facts_used(review, catalogue)
    yield STACK_FILE, stack_file
    yield "findings.json", _json([asdict(finding) for finding in review.findings])
    yield "waivers.json", _json([{"kind": one.kind, "void": one.void, **dict(one.given)} for one in answers(review)])
    yield "residency-map.json", _json({"keys": review.spec.keys.custody, "flows": as_json(placements(review, on))})
    yield "report.html", html.render([review], catalogue, on).encode()
    yield "data-flow.svg", draw(review, catalogue, on).encode()
    yield "boundary.json", _json({"digest": review.digest, "boundary": review.boundary})
    yield "catalogue.json", _json({"digest": catalogue.digest, "sources": facts})
    yield "NOT-COVERED.md", not_covered(facts).encode()


def _json(value: Any) -> bytes:
    """JSON that people can read and that is always the same."""
    return json.dumps(to_jsonable_python(value), indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _portable(review: StackReview) -> StackReview:
    """The review as of the copy in the folder: where the checkout lies is nobody's evidence."""
    findings = (
        replace(one, location=replace(one.location, file=STACK_FILE)) if one.location else one
        for one in review.findings
    )
    return replace(review, file=STACK_FILE, findings=tuple(findings))


def _list(contents: Mapping[str, bytes], review: StackReview, catalogue: Catalogue, on: date) -> EvidenceList:
    return EvidenceList(
        kit=version("loomstead"),
        stack=review.stack,
        on=on.isoformat(),
        open_findings=len(review.open),
        waived_findings=len(review.findings) - len(review.open),
        boundary_digest=review.digest or "",
        catalogue_digest=catalogue.digest,
        spec_digest=review.spec.digest if review.spec else "",
        files=tuple(
            Listed(path=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
            for name, content in sorted(contents.items())
        ),
    )
