"""Findings as SARIF 2.1.0, which code hosts and editors show beside the line of the stack file."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from components.checks import check_of
from components.naming import REPOSITORY
from components.review import StackReview
from regions.catalogue import load_catalogue
from regions.findings import Finding, Severity, Waiver

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.DENY: "error", Severity.WARN: "warning"}
FINGERPRINT = "loomsteadFinding/v1"


def render(reviews: Sequence[StackReview], on: date) -> str:
    """One SARIF log with one run over all stacks; ``on`` is the day that the stacks were judged for."""
    findings = [finding for review in reviews for finding in review.findings]
    rules = {finding.rule: finding for finding in sorted(findings, key=lambda one: one.rule)}
    index = {rule: position for position, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "Loomstead",
                "semanticVersion": version("loomstead"),
                "rules": [_rule(finding) for finding in rules.values()],
            }
        },
        "automationDetails": {"id": "loomstead/review/"},
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "results": [result for review in reviews for result in _results(review, index)],
        "properties": {
            "on": on.isoformat(),
            "boundaries": {review.stack: review.digest for review in reviews if review.boundary},
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(finding: Finding) -> dict[str, Any]:
    check = check_of(finding.rule, load_catalogue())
    about = {"shortDescription": {"text": check.title}, "fullDescription": {"text": check.why}} if check else {}
    remedy = check.remedy if check else finding.remedy
    return {
        "id": finding.rule,
        **about,
        "help": {"text": remedy},
        "defaultConfiguration": {"level": LEVELS[finding.severity]},
    }


def _results(review: StackReview, index: dict[str, int]) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for finding in review.findings:
        identity = _identity(review.stack, finding)
        seen[identity] += 1
        yield {
            "ruleId": finding.rule,
            "ruleIndex": index[finding.rule],
            "level": LEVELS[finding.severity],
            "message": {"text": f"{finding.message}\nRemedy: {finding.remedy}"},
            "locations": [_location(review, finding)],
            "partialFingerprints": {FINGERPRINT: f"{identity}:{seen[identity]}"},
            "suppressions": [_suppression(finding.waiver)] if finding.waiver else [],
            "properties": {
                "stack": review.stack,
                "property": finding.property,
                "value": finding.value,
                "countries": list(finding.countries),
                "remedy": finding.remedy,
            },
        }


def _identity(stack: str, finding: Finding) -> str:
    """What makes a finding the same one tomorrow: no line, and no text that a new release may word differently."""
    parts = (stack, finding.rule, finding.resource, finding.property, finding.value)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _location(review: StackReview, finding: Finding) -> dict[str, Any]:
    place = finding.location
    region = {"region": {"startLine": place.line}} if place else {}
    return {
        "physicalLocation": {"artifactLocation": _artifact(Path(place.file if place else review.file)), **region},
        "logicalLocations": [{"fullyQualifiedName": f"{review.stack}/{finding.resource}", "kind": "resource"}],
    }


def _artifact(file: Path) -> dict[str, str]:
    """The file from the repository's root on, which is how a code host knows it; any other by its whole path."""
    whole = file.absolute()
    if whole.is_relative_to(REPOSITORY):
        return {"uri": quote(whole.relative_to(REPOSITORY).as_posix()), "uriBaseId": "SRCROOT"}
    return {"uri": whole.as_uri()}


def _suppression(waiver: Waiver) -> dict[str, str]:
    text = f"{waiver.reason} (approved by {waiver.approver}, until {waiver.expires})"
    return {"kind": "inSource", "status": "accepted", "justification": text}
