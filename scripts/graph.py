"""A stack's graph as the engine tells it, and as rules take it: plain resources, asked against the stack's Boundary.

read(path)                    what ``pulumi stack export`` or ``pulumi preview --json --show-sames`` wrote
Graph(states, root)           the same resources for rules: unknown values, secrets, regions and references resolved
findings_in(graph, …)         what the rules have against them, under the waivers of the stack file

The policy pack makes its states from what the engine tells it while it plans: one reading for both.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from components.checks import CHECKS
from components.flows import host_of
from components.naming import REPOSITORY, stack_home
from components.review import StackReview
from components.spec import Platform
from regions.catalogue import Catalogue
from regions.documents import Document
from regions.findings import Finding, waive
from regions.rules import RULES, review_plan
from regions.rules.rule import UNKNOWN, Plan, Resource

ROOT = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (the engine's mark of a secret, not one)
UNKNOWNS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
        "[secret]",  # what a preview writes in a secret's place
    }
)
"""How the engine spells a value that it does not know or tell (pulumi, sdk/go/common/resource/plugin/rpc.go)."""

_NAMES = ("id", "arn", "name", "bucket", "identifier", "selfLink")
"""Outputs by which other resources may call one; the other properties are what the program says."""
_GONE = ("delete", "delete-replaced", "discard", "discard-replaced", "read-discard", "remove-pending-replace")
_ADOPTED = ("read", "read-replacement", "import", "import-replacement")


class GraphError(Exception):
    """The file holds no graph that can be reviewed: what it is, and how to write one."""


@dataclass(frozen=True)
class State:
    """One resource as the engine has it. ``provider``: the provider's URN. ``sources``: URNs by property."""

    urn: str
    type: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] = field(default_factory=dict)
    provider: str | None = None
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    adopted: bool = False

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rpartition("::")[2]


def read(path: Path, stack: str) -> list[State]:
    """The resources of a stack in a file, whichever of the two it is; raises ``GraphError``."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GraphError(f"{path} cannot be read as JSON: {error}. {_HOW}") from error
    try:
        match document:
            case {"deployment": {"manifest": _, **deployment}}:
                found = [(each, {}) for each in deployment.get("resources") or ()]
            case {"steps": list(steps), "changeSummary": dict(summary)}:
                _went_through(path, document.get("diagnostics") or ())
                found = [(step["newState"], step) for step in steps if step["op"] not in _GONE]
                _all_shown(path, steps, summary)
            case _:
                raise GraphError(f"{path} is neither a stack's export nor a preview. {_HOW}")
        states = [_state(each, step.get("op", "")) for each, step in found]
        states += _default_providers(states, document.get("config") or {}) if "steps" in document else []
    except (KeyError, TypeError, AttributeError) as error:
        raise GraphError(f"{path} is not as this engine writes it ({error!r}). {_HOW}") from error
    _whole(path, stack, states)
    return list({state.urn: state for state in states}.values()) if "steps" in document else states


_HOW = "Write one with `pulumi stack export --file FILE`, or `pulumi preview --json --show-sames > FILE`."


def _state(told: Mapping[str, Any], op: str) -> State:
    outputs = {**(told.get("outputs") or {})}
    if told.get("id"):
        outputs.setdefault("id", told["id"])
    return State(
        urn=told["urn"],
        type=told["type"],
        inputs=told.get("inputs") or {},
        outputs=outputs,
        provider=(told.get("provider") or "").rpartition("::")[0] or None,
        sources={key: tuple(urns or ()) for key, urns in (told.get("propertyDependencies") or {}).items()},
        adopted=bool(told.get("external") or told.get("importID")) or op in _ADOPTED,
    )


def _default_providers(states: Iterable[State], config: Mapping[str, str]) -> list[State]:
    """A preview does not show them: their settings are the stack's configuration of their package."""
    named = {state.provider for state in states if state.provider} - {state.urn for state in states}
    found = []
    for urn in sorted(named):
        type_, name = urn.split("::")[-2:]
        if name.startswith("default"):
            package = type_.removeprefix(PROVIDER) + ":"
            settings = {key.removeprefix(package): value for key, value in config.items() if key.startswith(package)}
            found.append(State(urn, type_, settings))
    return found


def _went_through(path: Path, diagnostics: Iterable[Mapping[str, Any]]) -> None:
    """What a preview that stopped did not come to cannot be reviewed."""
    for each in diagnostics:
        if each["severity"] == "error":
            why = each["message"].strip().removeprefix("error: ").partition("\n")[0]
            raise GraphError(f"{path} is of a preview that failed: {why}. Put that right. {_HOW}")


def _all_shown(path: Path, steps: list[Any], summary: Mapping[str, int]) -> None:
    shown = sum(step["op"] == "same" for step in steps)
    if shown < summary.get("same", 0):
        raise GraphError(f"{path} leaves out {summary['same'] - shown} resources that stay as they are. {_HOW}")


def _whole(path: Path, stack: str, states: list[State]) -> None:
    """What is left out cannot be reviewed: a provider that a resource names has to be there."""
    if all(state.type == ROOT or state.type.startswith(PROVIDER) for state in states):
        raise GraphError(f"{path} holds no resource: there is nothing to review. {_HOW}")
    urns = {state.urn for state in states}
    for state in states:
        own = state.urn.split("::")[0].rpartition(":")[2]
        if own != stack:
            raise GraphError(f"{path} is the graph of stack {own!r}, not of {stack!r}: name its own stack.")
        if state.provider and state.provider not in urns:
            raise GraphError(f"{path} lacks {state.provider}, the provider of {state.name}. {_HOW}")


@dataclass(frozen=True)
class Graph:
    """``root``: what the project and stack files say of the state, for rule X04."""

    states: tuple[State, ...]
    root: Mapping[str, Any]

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """The resources for rules, each with those of whose outputs its unknown values are made."""
        found = [(state, self.resource(state)) for state in self.states]
        by_urn: dict[str, tuple[Resource, ...]] = {}
        for state, resource in found:
            by_urn[state.urn] = (*by_urn.get(state.urn, ()), resource)
        return tuple(
            replace(
                resource,
                sources={key: sum((by_urn.get(urn, ()) for urn in urns), ()) for key, urns in state.sources.items()},
            )
            for state, resource in found
        )

    def resource(self, state: State) -> Resource:
        """One of them, for rules that need no other."""
        if state.type == ROOT:
            return Resource(state.type, state.name, self.root)
        inputs = _properties(state, state.inputs)
        outputs = _properties(state, state.outputs)
        names = {key: outputs[key] for key in outputs if state.adopted or key in _NAMES}
        known = {key: value for key, value in names.items() if value is not UNKNOWN}
        return Resource(state.type, state.name, {**known, **inputs}, self._region(state), state.adopted)

    @cached_property
    def secrets(self) -> Mapping[str, list[tuple[str, Any]]]:
        """What is secret, by resource: top-level properties and values."""
        found: dict[str, list[tuple[str, Any]]] = {}
        for state in self.states:
            for told in (state.inputs, state.outputs):
                own = found.setdefault(state.name, [])
                own += [(key, secret) for key, value in told.items() for secret in _secrets(value)]
        return found

    def _region(self, state: State) -> str | None:
        provider = self._providers.get(state.urn if state.type.startswith(PROVIDER) else state.provider or "", {})
        region = provider.get("region") or provider.get("location")
        return region if isinstance(region, str) else None

    @cached_property
    def _providers(self) -> Mapping[str, Mapping[str, Any]]:
        return {state.urn: _properties(state, state.inputs) for state in self.states if state.type.startswith(PROVIDER)}


def _properties(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    """Without what SDKs and the engine keep for themselves; a provider's settings are JSON texts."""
    plain = {key: _plain(value) for key, value in told.items() if not key.startswith("__")}
    return {key: _parsed(value) for key, value in plain.items()} if state.type.startswith(PROVIDER) else plain


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) and value[:1] in ("[", "{") else value
    except ValueError:
        return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET:
            return _plain(_unwrapped(value))
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return UNKNOWN if isinstance(value, str) and value in UNKNOWNS else value


def _unwrapped(secret: Mapping[str, Any]) -> Any:
    """On the wire a value, in an export its JSON; encrypted it is unknown."""
    if "value" in secret:
        return secret["value"]
    return json.loads(secret["plaintext"]) if "plaintext" in secret else UNKNOWN


def _secrets(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET:
        yield _plain(value)
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _secrets(inner)


def root_of(reviewed: StackReview) -> dict[str, Any]:
    """What the project and the stack file say of the state; ``$PULUMI_BACKEND_URL`` goes first, as with the engine.

    A fabric on this machine keeps it beside its own data where neither says it.
    """
    file = Path(reviewed.file)
    project = Document.read(REPOSITORY / "Pulumi.yaml").value or {}
    own = Document.read(file).value if file.exists() else {}
    url = os.environ.get("PULUMI_BACKEND_URL") or (project.get("backend") or {}).get("url")
    if url is None and reviewed.spec and reviewed.spec.platform is Platform.LOCAL:
        url = (stack_home(reviewed.stack) / "pulumi").as_uri()
    return {"backend": {"url": url}, "secretsprovider": own.get("secretsprovider")}


def plan_of(reviewed: StackReview, catalogue: Catalogue, on: date, resources: tuple[Resource, ...]) -> Plan:
    """What a stack's resources are asked against; raises ``GraphError`` where the stack file has no Boundary."""
    spec, boundary = reviewed.spec, reviewed.boundary
    if spec is None or boundary is None:
        raise GraphError(f"{reviewed.file} has no Boundary to review a graph against: `loomstead review` says why.")
    sent = (*spec.telemetry.values(), *spec.logs.sinks.values())
    hosts = frozenset(host_of(destination.url) for destination in sent)
    return Plan(boundary, catalogue, on, spec.region, resources, hosts)


def findings_in(graph: Graph, reviewed: StackReview, catalogue: Catalogue, on: date) -> list[Finding]:
    """What the rules have against the graph, each with its waiver; nothing secret is told."""
    plan = plan_of(reviewed, catalogue, on, graph.resources)
    return told_of(graph, review_plan(plan), reviewed, on)


def unused(findings: Iterable[Finding], reviewed: StackReview) -> Iterator[Finding]:
    """Waivers of rules on resources that answer for nothing in the graph."""
    answered = {(finding.rule, finding.resource) for finding in findings}
    (check,) = (row for row in CHECKS if row.id == "waiver/unused")
    for index, waiver in enumerate(reviewed.waivers):
        if waiver.rule in RULES and (waiver.rule, waiver.resource) not in answered:
            yield Finding(
                rule=check.id,
                severity=check.severity,
                resource=f"waivers[{index}]",
                property="rule",
                value=waiver.rule,
                countries=(),
                message=f"there is no finding of {waiver.rule} at {waiver.resource} in the graph",
                remedy=check.remedy,
            )


def told_of(graph: Graph, findings: Iterable[Finding], reviewed: StackReview, on: date) -> list[Finding]:
    """Findings as they may be told: without secrets, and with the waivers of the stack file."""
    return waive([_discreet(finding, graph.secrets) for finding in findings], reviewed.waivers, on)


def _discreet(finding: Finding, secrets: Mapping[str, list[tuple[str, Any]]]) -> Finding:
    """A property that holds a secret, or a finding that a secret's text is part of, is told of by its rule alone."""
    top = re.split(r"[.\[]", finding.property, maxsplit=1)[0]
    texts = {text for found in secrets.values() for _, value in found for text in _texts(value)}
    said = f"{finding.value} {finding.message}"
    if any(key == top for key, _ in secrets.get(finding.resource, ())) or any(text in said for text in texts):
        return replace(finding, value="[secret]", message=f"{finding.message.partition(':')[0]}: by what is secret")
    return finding


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)
    elif isinstance(value, str) and value:
        yield value
