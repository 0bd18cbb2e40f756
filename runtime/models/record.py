"""What the ledger gets of a model call: one entry a decision, one a reply, for each attempt and each copy."""

from typing import Any

import msgspec

from regions.manifest import ModelEndpoint
from runtime.errors import Refused
from runtime.ledger.record import Decision, Entry, Kind
from runtime.models.reply import Answer, describe
from runtime.models.request import ModelRequest
from runtime.models.routing import Candidate
from runtime.models.signals import Finding

_ROUTED = frozenset({"outside_boundary", "endpoints_quarantined"})
"""Codes whose detail speaks of endpoints and countries alone, never of what the caller sent."""


class Call(msgspec.Struct, frozen=True):
    """A call whose caller is known. ``actor``: the agent."""

    txn: str
    step: int
    actor: str
    data_subject: str
    policy: str

    def refused(self, model_class: str | None, request: ModelRequest, content: bytes, refused: Refused) -> Entry:
        """``model_class``: None where it is no name of ours but the caller's text, which belongs in the content."""
        body = {"model_class": model_class, "code": refused.code, "stream": request.stream}
        if refused.code in _ROUTED:
            body["reason"] = refused.detail
        return self.entry(Kind.MODEL_CALL, body, content, decision=Decision.REFUSED, rule=refused.rule)

    def quarantined(self, endpoint: str, finding: Finding) -> Entry:
        body = {"endpoint": endpoint, "cause": finding.cause, "expected": finding.expected, "seen": finding.seen}
        return self.entry(Kind.ENDPOINT_QUARANTINED, body, None, rule=f"model/{finding.cause}")

    def entry(self, kind: Kind, body: dict[str, Any], content: bytes | None, **decided: Any) -> Entry:
        return Entry(
            txn=self.txn,
            kind=kind,
            actor=self.actor,
            step=self.step,
            policy=self.policy,
            body=body,
            content=content,
            data_subject=None if content is None else self.data_subject,
            **decided,
        )


class Attempt(msgspec.Struct, frozen=True):
    """One way out of a call: to an endpoint, as the ``number``-th (from 1), or as a copy beside the answer."""

    call: Call
    candidate: Candidate
    number: int
    shadow: bool = False

    @property
    def endpoint(self) -> ModelEndpoint:
        return self.candidate.endpoint

    def allowed(self, request: ModelRequest, sent: bytes) -> Entry:
        endpoint = self.endpoint
        body = {
            "model_class": request.model,
            "endpoint": endpoint.name,
            "countries": endpoint.countries,
            "attempt": self.number,
            "stream": request.stream,
        }
        rule = self.candidate.verdict.rule
        return self._entry(Kind.MODEL_CALL, body, sent, decision=Decision.ALLOWED, rule=rule)

    def reply(self, status: int, answer: Answer | None, content: bytes, code: str | None = None) -> Entry:
        """``code``: why it is not whole, or not used."""
        body = {"endpoint": self.endpoint.name, **describe(status, answer)}
        return self._entry(Kind.MODEL_REPLY, body if code is None else {**body, "code": code}, content)

    def no_reply(self, refused: Refused) -> Entry:
        body = {"endpoint": self.endpoint.name, "status": refused.status, "code": refused.code}
        return self._entry(Kind.MODEL_REPLY, body, None, rule=refused.rule)

    def _entry(self, kind: Kind, body: dict[str, Any], content: bytes | None, **decided: Any) -> Entry:
        return self.call.entry(kind, {**body, "shadow": True} if self.shadow else body, content, **decided)
