"""What the worker is told of a task, and the shape of its messages: the one wire format of gateway and activities.

key           role       content (JSON)
mail          user       {"from", "subject", "text"}: written by a stranger
think:<step>  assistant  what the model answered, as it answered it
act:<step>    tool       {"event", "tool", …the gateway's answer}; only outcomes that the model is told
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from runtime.agents.definition import AgentDefinition
from runtime.tasks.states import State

MAIL = "mail"


def think_key(step: int) -> str:
    """Key of the model's answer in this step."""
    return f"think:{step}"


def act_key(step: int) -> str:
    """Key of the tool's answer in this step."""
    return f"act:{step}"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OfferedTool(_Frozen):
    """``parameters``: JSON Schema of the flat arguments object."""

    parameters: dict[str, Any] = Field(alias="schema")
    effect: Literal["read", "write"]
    description: str


class NewMessage(_Frozen):
    key: str = Field(min_length=1, max_length=64)
    role: Literal["assistant", "tool"]
    content: str


class Message(_Frozen):
    seq: int
    key: str
    role: Literal["user", "assistant", "tool"]
    content: str


class Context(_Frozen):
    """Answer of ``GET /tasks/{txn}/context``."""

    txn: str
    agent: AgentDefinition
    tools: dict[str, OfferedTool]
    messages: list[Message]
    step: int
    state: State

    def content(self, key: str) -> str | None:
        """Content of the message with this key, or None."""
        return next((message.content for message in self.messages if message.key == key), None)
