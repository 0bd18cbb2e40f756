"""What crosses between orchestrator, activities and what people decide: references and verdicts, never content.

Content (the mail, the model's words, raw results) lies in PostgreSQL; a history holds keys and digests only.
"""

from dataclasses import dataclass

from runtime.tasks.states import Event, State

QUEUE = "loomstead-tasks"
APPROVAL_EVENTS = {"approve": Event.APPROVED, "decline": Event.DECLINED}
CHOICE_EVENTS = {
    "continue": Event.CONTINUED,
    "resume": Event.RESUMED,
    "take_over": Event.TAKEN_OVER,
    "stop": Event.STOPPED,
}


@dataclass(frozen=True)
class TaskRef:
    """A task and the orchestrator's knowledge of its limits. ``approval_seconds``: how long an approval may wait."""

    txn: str
    approval_seconds: int


@dataclass(frozen=True)
class StepRef:
    """One visit of ``thinking`` or ``acting``. ``step`` counts model turns from 1 and is stable over retries."""

    txn: str
    step: int


@dataclass(frozen=True)
class Thought:
    """What a think step came to. ``event``: proposed, finished, unusable, limit_reached, refused, failed, revoked."""

    event: Event
    reason: str = ""


@dataclass(frozen=True)
class ActResult:
    """What an act step came to; ``approval`` and ``digest`` are set for ``approval_required`` only."""

    event: Event
    reason: str = ""
    approval: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Transition:
    """One row applied: the n-th (from 1) of the task."""

    txn: str
    seq: int
    step: int
    source: State
    event: Event
    target: State
    reason: str = ""


@dataclass(frozen=True)
class Wait:
    """A task that waits for a person since its row ``seq``; ``token`` answers the orchestrator in their place.

    ``approval`` and ``digest`` are set where it waits for a decision.
    """

    txn: str
    seq: int
    token: str
    approval: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class ApprovalDecision:
    """A person's word on exactly one action. ``decision``: approve or decline."""

    approval: str
    digest: str
    decision: str


@dataclass(frozen=True)
class HandOverChoice:
    """A person's choice for a handed-over task: continue, resume (the unsettled write first), take_over or stop."""

    choice: str
