"""Every refusal of the runtime: one error class, one table of codes, one JSON shape (RFC 9457).

    Refused                     a caller may not do this, or not now; carries a code of ``CODES``
    runtime.settings.StartError the process may not start

A code is stable: clients branch on it. Its status says who must act: 401 identity, 403 scope or policy, 404 unknown,
409 replay, 422 what was sent, 429 limit, 451 residency, 5xx this side or the upstream.
"""

from typing import Any

PROBLEM_BASE = "https://loomstead.dev/problems/"
FINAL_STATUSES = frozenset({409, 429, 451})
"""Trying again cannot help; the OpenAI SDK would retry 409 and 429 unless told not to."""

CODES: dict[str, tuple[int, str]] = {
    "token_missing": (401, "No token"),
    "token_malformed": (401, "The token cannot be read"),
    "token_expired": (401, "The token has expired"),
    "token_foreign": (401, "The token comes from another issuer or key"),
    "token_tampered": (401, "The token's signature does not fit"),
    "token_wrong_audience": (401, "The token is meant for somebody else"),
    "token_revoked": (401, "The grant behind this token is closed or revoked"),
    "proof_missing": (401, "A DPoP proof is required"),
    "proof_invalid": (401, "The DPoP proof does not fit"),
    "client_unknown": (401, "Unknown client"),
    "assertion_invalid": (401, "The client assertion does not fit"),
    "webhook_signature_invalid": (401, "The webhook's signature does not fit"),
    "kind_not_allowed": (403, "This kind of caller may not do this"),
    "actor_not_allowed": (403, "This actor may not act for this task"),
    "widening_refused": (403, "A renewal may only narrow"),
    "tool_not_granted": (403, "The grant does not hold this tool"),
    "approver_is_requester": (403, "Nobody approves their own request"),
    "approval_declined": (403, "A person declined this action"),
    "contract_changed": (403, "The core system's contract is not the one that was granted"),
    "scope_class_unknown": (403, "The stack does not declare this scope class"),
    "task_unknown": (404, "Unknown task"),
    "agent_unknown": (404, "Unknown agent"),
    "trigger_unknown": (404, "Unknown trigger"),
    "approval_unknown": (404, "Unknown approval"),
    "tool_unknown": (404, "Unknown tool"),
    "endpoint_unknown": (404, "Unknown model endpoint"),
    "not_found": (404, "Nothing here"),
    "method_not_allowed": (405, "This address does not take this method"),
    "replayed": (409, "Used before"),
    "idempotency_conflict": (409, "The same key with other content"),
    "effect_unknown": (409, "An earlier write of this task is not settled"),
    "approval_decided": (409, "Already decided"),
    "approval_digest_mismatch": (409, "The approval is for another action"),
    "task_not_waiting": (409, "The task does not wait for this"),
    "version_conflict": (409, "This version exists with other content"),
    "endpoint_not_quarantined": (409, "The model endpoint is not quarantined"),
    "endpoint_not_compared": (409, "The version that the endpoint moved to was not compared"),
    "endpoint_pinned": (409, "The stack file pins another version"),
    "body_too_large": (413, "The body is too large"),
    "body_invalid": (422, "The body does not fit"),
    "effect_mismatch": (422, "The declared effect does not fit the operation"),
    "definition_invalid": (422, "The agent definition does not fit"),
    "arguments_invalid": (422, "The arguments do not fit the tool's contract"),
    "argument_not_recorded": (422, "The argument is not a value this task has read"),
    "argument_outside_grant": (422, "The argument is outside the grant"),
    "iteration_limit": (429, "The task has used its model turns"),
    "call_budget_spent": (429, "The task has used its calls of this tool"),
    "no_progress": (429, "Four results in a row without progress"),
    "deadline_passed": (429, "The task's deadline has passed"),
    "outside_boundary": (451, "The Boundary does not allow this flow"),
    "model_class_unavailable": (451, "No model of this class inside the Boundary"),
    "internal": (500, "The gateway failed"),
    "upstream_failed": (502, "The upstream failed"),
    "endpoint_quarantined": (502, "The answer was made where it may not be"),
    "response_outside_contract": (502, "The core system's answer does not fit its contract"),
    "token_checks_spent": (503, "Too many forged tokens at the moment"),
    "database_unavailable": (503, "The database is not reachable"),
    "endpoints_quarantined": (503, "Every model that may be asked is quarantined"),
    "upstream_unavailable": (503, "The upstream is not reachable"),
    "upstream_timeout": (504, "The upstream did not answer in time"),
}


class Refused(Exception):
    """A refusal with a stable code.

    ``detail`` says what happened to which object, ``remedy`` what would make it pass, ``rule`` which rule decided
    (the code itself where no finer rule exists); ``extra`` are further members of the problem document.
    """

    def __init__(self, code: str, detail: str, *, remedy: str, rule: str | None = None, **extra: Any) -> None:
        super().__init__(f"{code}: {detail}")
        self.status, self.title = CODES[code]
        self.code, self.detail, self.remedy, self.rule, self.extra = code, detail, remedy, rule or code, extra

    def problem(self) -> dict[str, Any]:
        """The problem+json document."""
        return {
            "type": PROBLEM_BASE + self.code,
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "rule": self.rule,
            "remedy": self.remedy,
            **self.extra,
        }

    def headers(self) -> dict[str, str]:
        """Headers that belong to the refusal: content type, how to authenticate, whether an SDK may try again."""
        headers = {"content-type": "application/problem+json"}
        if self.status == 401:
            headers["www-authenticate"] = 'Bearer, DPoP algs="ES256"'  # RFC 9110 §11.6.1, RFC 9449 §7.1
        if self.status in FINAL_STATUSES:
            headers["x-should-retry"] = "false"
        return headers
