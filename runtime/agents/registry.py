"""Which agents a stack has: deployed definitions, immutable by version, each pinned to its core system's contract."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from regions.boundary import Flow
from regions.canonical import digest
from regions.manifest import Manifest
from regions.residency import Purpose
from runtime.agents.definition import AgentDefinition, Constraint, ToolRight
from runtime.errors import Refused
from runtime.grants.details import Details, read_details
from runtime.tools.contracts import Contracts, ScopedContract
from runtime.tools.openapi import Operation
from runtime.tools.schema import pointed_schema


@dataclass(frozen=True)
class Agent:
    """A deployed version. ``contract``: digest of the OpenAPI document when it was deployed."""

    name: str
    version: int
    definition: AgentDefinition
    digest: str
    contract: str
    deployed_by: str
    deployed_at: str

    def details(self) -> Details:
        """What a task of this agent is granted (RFC 9396 ``authorization_details``)."""
        return read_details([_detail(tool, right, self.contract) for tool, right in self.definition.tools.items()])

    def told(self) -> dict[str, Any]:
        """The agent as JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "contract": self.contract,
            "deployed_by": self.deployed_by,
            "deployed_at": self.deployed_at,
            "definition": self.definition.plain(),
        }


class Agents:
    """Deploys and finds agents."""

    def __init__(self, pool: asyncpg.Pool, manifest: Manifest, contracts: Contracts) -> None:
        self._pool, self._manifest, self._contracts = pool, manifest, contracts

    async def deploy(self, definition: AgentDefinition, by: str) -> tuple[Agent, bool]:
        """The deployed version, and whether it is new.

        Raises ``Refused`` (scope_class_unknown, tool_not_granted, tool_unknown, effect_mismatch, outside_boundary,
        model_class_unavailable, definition_invalid, version_conflict).
        """
        scoped = await self._contracts.of(definition.scope_class)
        self._check_stack(definition, scoped)
        operations = {tool: scoped.operation(tool, right.effect) for tool, right in definition.tools.items()}
        if mistakes := list(_mistakes(definition, operations)):
            raise definition_invalid(mistakes)
        return await self._store(definition, scoped.contract.digest, by)

    async def get(self, name: str, version: int | None = None) -> Agent:
        """A version, the latest by default; raises ``Refused`` (agent_unknown)."""
        row = await self._pool.fetchrow(
            "SELECT * FROM agents WHERE name = $1 AND version = coalesce($2, version) ORDER BY version DESC LIMIT 1",
            name,
            version,
        )
        if row is None:
            which = name if version is None else f"{name} version {version}"
            raise Refused("agent_unknown", f"there is no agent {which}", remedy="`loomstead agent deploy` deploys one")
        return _agent(row)

    async def list(self) -> list[Agent]:
        """The latest version of every agent, by name."""
        rows = await self._pool.fetch("SELECT DISTINCT ON (name) * FROM agents ORDER BY name, version DESC")
        return [_agent(row) for row in rows]

    def _check_stack(self, definition: AgentDefinition, scoped: ScopedContract) -> None:
        flow = Flow(f"agent {definition.name}", Purpose.PROCESS, (scoped.system.country,), definition.data_class)
        verdict = self._manifest.boundary.decide(flow, datetime.now(UTC).date())
        if not verdict.allowed:
            raise Refused(
                "outside_boundary",
                f"{definition.data_class} data in core system {scoped.system.name}: {verdict.reason}",
                remedy="use another scope class or data class, or change the stack file's residency",
                rule=verdict.rule,
            )
        classes = sorted({model.model_class for model in self._manifest.models})
        if definition.model_class not in classes:
            raise Refused(
                "model_class_unavailable",
                f"the stack has no model of class {definition.model_class!r}",
                remedy=f"it has: {', '.join(classes) or 'none'}",
            )

    async def _store(self, definition: AgentDefinition, contract: str, by: str) -> tuple[Agent, bool]:
        plain = definition.plain()
        new = await self._pool.fetchrow(
            """INSERT INTO agents (name, version, definition, digest, contract, deployed_by)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING *""",
            definition.name,
            definition.version,
            plain,
            digest(plain),
            contract,
            by,
        )
        if new is not None:
            return _agent(new), True
        agent = await self.get(definition.name, definition.version)
        changed = [
            what
            for what, one, other in (
                ("the definition", agent.digest, digest(plain)),
                ("the core system's contract", agent.contract, contract),
            )
            if one != other
        ]
        if changed:
            raise Refused(
                "version_conflict",
                f"{agent.name} version {agent.version} is deployed, and {' and '.join(changed)} changed since",
                remedy="raise the version in agent.yaml: a deployed version does not change",
            )
        return agent, False


def definition_invalid(mistakes: list[str]) -> Refused:
    """The refusal that carries every mistake as text."""
    return Refused("definition_invalid", "; ".join(mistakes), remedy="correct agent.yaml", mistakes=mistakes)


def _detail(tool: str, right: ToolRight, contract: str) -> dict[str, Any]:
    detail: dict[str, Any] = {"type": "tool_call", "tool": tool, "effect": right.effect, "contract": contract}
    if right.calls is not None:
        detail["budget"] = {"calls": right.calls}
    if right.args:
        detail["args"] = {name: rule.plain() for name, rule in right.args.items()}
    return detail


def _mistakes(definition: AgentDefinition, operations: dict[str, Operation]) -> Iterator[str]:
    """What does not fit the operations, one line each."""
    for tool, right in definition.tools.items():
        known = operations[tool].schema["properties"]
        for argument, rule in right.args.items():
            if argument not in known:
                yield f"tools.{tool}.args.{argument}: expected one of {', '.join(known)}"
            elif rule.source is not None and not _is_declared(operations[rule.source_tool], rule):
                yield f"tools.{tool}.args.{argument}.from: no answer of {rule.source_tool} has {rule.pointer}"
        if right.approval is not None and not _is_integer(known.get(right.approval.argument)):
            yield f"tools.{tool}.approval.argument: expected an integer argument, got {right.approval.argument}"


def _is_integer(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "integer"


def _is_declared(source: Operation, rule: Constraint) -> bool:
    for status, schema in source.responses.items():
        if status.startswith("2"):
            try:
                pointed_schema(schema, rule.pointer)
            except LookupError:
                continue
            return True
    return False


def _agent(row: Any) -> Agent:
    values = dict(row)
    definition = AgentDefinition.model_validate(values.pop("definition"), strict=False)
    deployed_at = values.pop("deployed_at").isoformat(timespec="seconds")
    return Agent(definition=definition, deployed_at=deployed_at, **values)
