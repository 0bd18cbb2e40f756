"""What the worker is told of a task, and the shape of its messages: the one wire format of gateway and activities.

key           role       content (JSON)
mail          user       {"from", "subject", "text"}: written by a stranger
think:<step>  assistant  what the model answered, as it answered it
act:<step>    tool       {"event", "tool", …the gateway's answer}; only outcomes that the model is told
"""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runtime.agents.definition import AgentDefinition
from runtime.errors import Refused
from runtime.strict_json import JsonError, read_result
from runtime.tasks.states import Event, State

MAIL = "mail"


def think_key(step: int) -> str:
    """Key of the model's answer in this step."""
    return f"think:{step}"


def act_key(step: int) -> str:
    """Key of the tool's answer in this step."""
    return f"act:{step}"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mail(_Frozen):
    """Body of a webhook. ``data_subject``: under whose key the content lies; by default the task's own."""

    text: str = Field(min_length=1)
    sender: str = Field(default="", alias="from")
    subject: str = ""
    data_subject: str = Field(default="", max_length=200, pattern=r"^[^\x00-\x1f]*$")

    def content(self) -> str:
        """The first message of the conversation."""
        return self.model_dump_json(by_alias=True, include={"text", "sender", "subject"})


class TransitionRow(_Frozen):
    """Body of ``POST /tasks/{txn}/transitions``. ``reason``: an error code, or empty."""

    seq: int = Field(ge=1)
    step: int = Field(ge=0)
    source: State = Field(alias="from")
    event: Event
    target: State = Field(alias="to")
    reason: str = Field(default="", max_length=64)


class WaitRow(_Frozen):
    """Body of ``PUT /tasks/{txn}/wait``. ``seq``: the row it waits since. ``approval``: the one that is waited for."""

    seq: int = Field(ge=1)
    token: str = Field(min_length=1, max_length=2048)
    approval: str | None = None
    digest: str | None = None


class OfferedTool(_Frozen):
    """``parameters``: JSON Schema of the flat arguments object."""

    parameters: dict[str, Any] = Field(alias="schema")
    effect: Literal["read", "write"]
    description: str


class NewMessage(_Frozen):
    """Body of ``POST /tasks/{txn}/messages``."""

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


Body = TypeVar("Body", bound=BaseModel)


def read(model: type[Body], body: bytes) -> Body:
    """What a caller sent, in one meaning only; raises ``Refused`` (body_invalid) with every mistake."""
    try:
        return model.model_validate(read_result(body))
    except JsonError as error:
        mistakes = str(error)
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors())
    known = ", ".join(field.alias or name for name, field in model.model_fields.items())
    raise Refused("body_invalid", mistakes, remedy=f"send one JSON object of: {known}")
