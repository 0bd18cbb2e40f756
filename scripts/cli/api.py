"""The gateway as a person's command line sees it: their identity token, their requests, refusals as plain sentences."""

import base64
import json
import secrets
from datetime import UTC, datetime
from typing import Any, Self

import httpx
from standardwebhooks.webhooks import Webhook

from runtime.identity import assertions
from runtime.identity.keys import read_key
from scripts.cli.place import CommandError, Place

PERSON = "operator"
TIMEOUT = 30.0


class Api:
    """A person's session with one stack's gateway; raises ``CommandError`` for every refusal."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.manifest = place.manifest()
        self._client = httpx.Client(base_url=self.manifest.endpoints.gateway, timeout=TIMEOUT)
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> Any:
        return self._as_person("GET", path).json()

    def post(self, path: str, body: Any) -> Any:
        return self._as_person("POST", path, body).json()

    def put(self, path: str, body: Any) -> httpx.Response:
        return self._as_person("PUT", path, body)

    def task(self, txn: str) -> dict[str, Any]:
        """The task whose id is or begins with ``txn``."""
        if len(txn) < 26:
            found = [task["txn"] for task in self.get("/tasks") if task["txn"].startswith(txn.upper())]
            if len(found) != 1:
                raise CommandError(f"{len(found)} tasks begin with {txn!r}; `loomstead task list` lists them.")
            txn = found[0]
        task: dict[str, Any] = self.get(f"/tasks/{txn}")
        return task

    def send_event(self, agent: str, trigger: str, event: dict[str, str], webhook_id: str | None = None) -> str:
        """Post a signed webhook; the task's id. The same ``webhook_id`` again is the same task."""
        body = json.dumps({name: value for name, value in event.items() if value})
        at, name = datetime.now(UTC), webhook_id or f"msg_{secrets.token_urlsafe(16)}"
        key = (self.place.secrets / "webhook.key").read_text().strip()
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(base64.b64decode(key)).sign(name, at, body),
        }
        answer = self._send("POST", f"/triggers/{agent}/{trigger}", content=body, headers=headers)
        txn: str = answer.json()["txn"]
        return txn

    def _as_person(self, method: str, path: str, body: Any = None) -> httpx.Response:
        self._token = self._token or self._identity_token()
        return self._send(method, path, json=body, headers={"authorization": f"Bearer {self._token}"})

    def _identity_token(self) -> str:
        endpoint = f"{self.manifest.identities.issuer}/oauth/token"
        key = read_key(self.place.secrets / f"{PERSON}.jwk")
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": assertions.TYPE,
            "client_assertion": assertions.assert_client(PERSON, key, endpoint),
        }
        token: str = self._send("POST", "/oauth/token", data=form).json()["access_token"]
        return token

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise CommandError(
                f"The gateway of stack {self.place.stack!r} does not answer at {self._client.base_url}: {error}. "
                f"`loomstead status -s {self.place.stack}` shows its processes."
            ) from error
        if answer.is_success:
            return answer
        raise CommandError(_explain(method, path, answer))


def _explain(method: str, path: str, answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return (
            f"{problem['title']} ({answer.status_code} {problem['code']}): {problem['detail']}\n→ {problem['remedy']}"
        )
    except (ValueError, KeyError):
        return f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}"
