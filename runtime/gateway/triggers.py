"""``POST /triggers/{agent}/{trigger}``: a signed event opens a task (https://www.standardwebhooks.com)."""

from typing import Any

from fastapi import APIRouter, Request
from standardwebhooks import Webhook, WebhookVerificationError

from runtime.errors import Refused
from runtime.gateway.body import read_body
from runtime.tasks.context import Mail, read

MAX_BODY = 65_536
"""Bytes."""
MAX_WEBHOOK_ID = 200

router = APIRouter()


@router.post("/triggers/{agent}/{trigger}", status_code=202)
async def open_task(request: Request, agent: str, trigger: str) -> dict[str, Any]:
    """Open a task; the same ``webhook-id`` again answers the task that it opened."""
    gateway = request.app.state.gateway
    body = await read_body(request, MAX_BODY)
    webhook_id = _verified(gateway.webhook, body, request)
    opened = await gateway.tasks.open(agent, trigger, webhook_id, read(Mail, body))
    return {"txn": opened.txn}


def _verified(webhook: Webhook, body: bytes, request: Request) -> str:
    """The webhook's id; raises ``Refused`` (webhook_signature_invalid), also for a time five minutes off."""
    try:
        webhook.verify(body, dict(request.headers))
    except (WebhookVerificationError, ValueError):
        raise _signature_invalid("the headers webhook-id, webhook-timestamp, webhook-signature do not fit") from None
    webhook_id = request.headers["webhook-id"]
    if len(webhook_id) > MAX_WEBHOOK_ID:
        raise _signature_invalid(f"webhook-id is above {MAX_WEBHOOK_ID} characters")
    return webhook_id


def _signature_invalid(detail: str) -> Refused:
    return Refused(
        "webhook_signature_invalid", detail, remedy="sign the body with the stack's webhook key, with the time of now"
    )
