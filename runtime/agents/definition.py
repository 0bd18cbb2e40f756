"""The agent definition: what an ``agent.yaml`` says, and nothing that is not built.

Whether a name in it exists (model class, scope class, tool, pointer) is the registry's to check against a stack.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from regions.documents import Document, DocumentError, Place
from regions.residency import DataClass

SCHEMA = Path(__file__).with_name("agent.schema.json")
FINISH = "finish"
"""The model's word for "done" (contract §12): no tool may be called so."""

_NAME = r"^[a-z][a-z0-9-]{0,47}$"
Name = Annotated[str, Field(pattern=_NAME, examples=["order-desk"])]
ModelClass = Annotated[str, Field(pattern=_NAME, examples=["chat-small"])]
ScopeClass = Annotated[str, Field(pattern=_NAME, examples=["orders-rw"])]
Tool = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$", examples=["orders.get"])]
Argument = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$", examples=["order_id"])]
Text = Annotated[str, Field(min_length=1, max_length=4_000)]
Source = Annotated[
    str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}#(/([^~/]|~[01])*)+$", examples=["orders.get#/id"])
]
Scalar = str | int | bool


def _only(built: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, str) and value != built:
            raise ValueError(f"{value!r} is not built yet: expected {built}")
        return value

    return check


class DefinitionError(DocumentError):
    """The agent definition is wrong; one line a mistake: file, line, key, what was expected."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Trigger(_Frozen):
    """What opens a task."""

    kind: Annotated[Literal["webhook"], BeforeValidator(_only("webhook"))]


class Constraint(_Frozen):
    """What a grant lets an argument be: a fixed value, one of a set, a range, or what this task has read.

    ``source`` (written ``from``): ``tool#/pointer`` into a recorded result. ``trust``: how that tool's results are
    labelled. ``bind``: the gateway puts the recorded value in itself.
    """

    const: Scalar | None = None
    enum: tuple[Scalar, ...] | None = Field(default=None, min_length=1)
    min: int | None = None
    max: int | None = None
    source: Source | None = Field(default=None, alias="from")
    trust: Annotated[Literal["internal"] | None, BeforeValidator(_only("internal"))] = None
    bind: bool = False

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        kinds = [self.const is not None, self.enum is not None, self.source is not None]
        ranged = self.min is not None or self.max is not None
        if sum(kinds) + ranged != 1:
            raise ValueError("expected exactly one of const, enum, min/max, from")
        if self.source is not None and self.trust is None:
            raise ValueError("expected trust: internal beside from")
        if self.source is None and (self.trust is not None or self.bind):
            raise ValueError("expected trust and bind only beside from")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"expected min ≤ max, got {self.min} > {self.max}")
        return self

    def plain(self) -> dict[str, Any]:
        """JSON as it stands in a grant's ``args``."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)

    @property
    def source_tool(self) -> str:
        """The tool before ``#``; empty where there is no ``from``."""
        return (self.source or "").partition("#")[0]

    @property
    def pointer(self) -> str:
        """The JSON pointer after ``#``."""
        return (self.source or "").partition("#")[2]


class ApprovalRule(_Frozen):
    """A person must approve the call when the integer ``argument`` is above the limit (cents, where it is money)."""

    argument: Argument
    above: int


class ToolRight(_Frozen):
    """``calls``: how many writes a task may make with it; required for writes, as nothing bounds them otherwise."""

    effect: Literal["read", "write"]
    calls: int | None = Field(default=None, ge=1, le=1_000)
    args: dict[Argument, Constraint] = {}
    approval: ApprovalRule | None = None

    @model_validator(mode="after")
    def _fits_the_effect(self) -> Self:
        if self.effect == "write" and self.calls is None:
            raise ValueError("expected calls: a write has a budget")
        if self.effect == "read" and (self.calls is not None or self.approval is not None):
            raise ValueError("expected calls and approval only where effect is write")
        return self


class AgentLimits(_Frozen):
    """``iterations``: model turns before a person is asked; never above the stack's own limit."""

    iterations: int = Field(ge=1, le=100)


class Turn(_Frozen):
    """One turn of an example: what the model should answer, and what the tool said to it."""

    reason: Text
    tool: Tool
    arguments: dict[str, JsonValue]
    result: JsonValue = None


class Example(_Frozen):
    """One whole conversation, shown to the model as real chat turns."""

    mail: Text
    turns: tuple[Turn, ...] = Field(min_length=1)


class AgentDefinition(_Frozen):
    name: Name
    version: int = Field(ge=1)
    purpose: Text
    instructions: tuple[Text, ...] = ()
    model_class: ModelClass
    scope_class: ScopeClass
    data_class: DataClass
    triggers: dict[Name, Trigger] = Field(min_length=1)
    tools: dict[Tool, ToolRight] = Field(min_length=1)
    limits: AgentLimits | None = None
    examples: tuple[Example, ...] = ()

    def plain(self) -> dict[str, Any]:
        """JSON of what was written: the form that is sent, stored and digested."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)

    def mistakes(self) -> Iterable[tuple[Place, str]]:
        """What no single value shows: names inside the definition that do not exist in it."""
        for name, right in self.tools.items():
            if name == FINISH:
                yield ("tools", name), f"expected another name: {FINISH!r} ends a task"
            for argument, constraint in right.args.items():
                source = constraint.source_tool
                if source and (source not in self.tools or self.tools[source].effect != "read"):
                    place = ("tools", name, "args", argument, "from")
                    yield place, f"expected a read tool of this agent before #, got {source}"
        for index, example in enumerate(self.examples):
            for at, turn in enumerate(example.turns):
                if turn.tool != FINISH and turn.tool not in self.tools:
                    yield ("examples", index, "turns", at, "tool"), f"expected a tool of this agent, got {turn.tool}"


def load_definition(path: Path) -> AgentDefinition:
    """The definition in a file; raises ``DefinitionError`` with every mistake, each with its line."""
    return Document.read(path, DefinitionError).model(
        AgentDefinition, error=DefinitionError, check=AgentDefinition.mistakes
    )


def schema_text() -> str:
    """The text of ``agent.schema.json``, which editors read."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **AgentDefinition.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
