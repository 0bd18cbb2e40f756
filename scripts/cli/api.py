"""The gateway as a person's command line sees it: their identity token, their requests, refusals as plain sentences."""

import json
import os
import secrets
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
from standardwebhooks.webhooks import Webhook

from components.spec import Platform
from runtime.gateway.secrets import read_secret
from runtime.identity import assertions
from runtime.identity.keys import read_key
from scripts.cli.failure import CommandError
from scripts.cli.place import Place

PERSON = "operator"
TIMEOUT = 30.0
TXN_LENGTH = 26
GATEWAY_CA = "LOOMSTEAD_GATEWAY_CA"
"""Names a PEM file: the authorities that alone answer for the gateway, where its certificate is of a private one."""
_WHERE = {
    f"{PERSON}.jwk": "Whoever raised the stack has it: it was made by `loomstead up`, in the same place; put it here",
    "webhook.key": "The fabric keeps it, as the secret `webhook` (Secrets Manager), or in the Secret `secrets` of its "
    "namespace: put its text here",
}
"""How a person comes by a secret of a stack that stands elsewhere."""


class Api:
    """A person's session with one stack's gateway; raises ``CommandError`` for every refusal.

    Paths are given by their parts. ``timeout``: seconds without a byte; None: as long as it takes.
    """

    def __init__(self, place: Place, timeout: float | None = TIMEOUT) -> None:
        self.place = place
        self.manifest = place.manifest()
        self._client = httpx.Client(
            base_url=self.manifest.endpoints.gateway, verify=_trusted(), timeout=timeout, trust_env=False
        )
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, *path: str, **query: str) -> Any:
        return self._as_person("GET", path, params=query).json()

    def post(self, body: Any, *path: str) -> Any:
        return self._as_person("POST", path, json=body).json()

    def put(self, body: Any, *path: str) -> httpx.Response:
        return self._as_person("PUT", path, json=body)

    def task(self, txn: str) -> dict[str, Any]:
        """The task whose id is or begins with ``txn``."""
        if len(txn) < TXN_LENGTH:
            found = [task["txn"] for task in self.get("tasks") if task["txn"].startswith(txn.upper())]
            if len(found) != 1:
                many = f"{len(found)} tasks begin" if found else "No task begins"
                raise CommandError(
                    f"{many} with {txn!r} in stack {self.place.stack!r}. "
                    f"`loomstead task list{self.place.option}` lists them."
                )
            txn = found[0]
        task: dict[str, Any] = self.get("tasks", txn)
        return task

    def send_event(self, agent: str, trigger: str, event: Mapping[str, str], webhook_id: str | None = None) -> str:
        """Post a signed webhook; the task's id. The same ``webhook_id`` again is the same task."""
        body = json.dumps({name: value for name, value in event.items() if value})
        at, name = datetime.now(UTC), webhook_id or f"msg_{secrets.token_urlsafe(16)}"
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(read_secret(self._secret("webhook.key"))).sign(name, at, body),
        }
        answer = self._send("POST", ("triggers", agent, trigger), content=body, headers=headers)
        txn: str = answer.json()["txn"]
        return txn

    def _as_person(self, method: str, path: tuple[str, ...], **request: Any) -> httpx.Response:
        self._token = self._token or self._identity_token()
        return self._send(method, path, headers={"authorization": f"Bearer {self._token}"}, **request)

    def _identity_token(self) -> str:
        endpoint = f"{self.manifest.endpoints.gateway}/oauth/token"
        key = read_key(self._secret(f"{PERSON}.jwk"))
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": assertions.TYPE,
            "client_assertion": assertions.assert_client(PERSON, key, endpoint),
        }
        token: str = self._send("POST", ("oauth", "token"), data=form).json()["access_token"]
        return token

    def _secret(self, name: str) -> Path:
        path = self.place.secrets / name
        if self.manifest.platform == Platform.LOCAL or path.exists():
            return path
        raise CommandError(f"{path} is not there. {_WHERE[name]}, and its mode 0600.")

    def _send(self, method: str, path: tuple[str, ...], **request: Any) -> httpx.Response:
        url = "/" + "/".join(quote(part, safe="") for part in path)
        try:
            answer = self._client.request(method, url, **request)
        except httpx.HTTPError as error:
            raise CommandError(
                f"The gateway of stack {self.place.stack!r} does not answer at {self._client.base_url}: {error}. "
                f"`loomstead status{self.place.option}` shows its processes, "
                f"{self.place.folder / 'logs' / 'gateway.log'} what it said."
            ) from error
        if answer.is_success:
            return answer
        raise CommandError(_explain(method, url, answer))


def _trusted() -> ssl.SSLContext | bool:
    """By whom the gateway's certificate has to be signed; True: by a public authority."""
    file = os.environ.get(GATEWAY_CA)
    if not file:
        return True
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:  # SSLError is one
        raise CommandError(
            f"{GATEWAY_CA}: {file} cannot be read as certificates: {error.strerror or error}. Give a PEM file."
        ) from error


def _explain(method: str, url: str, answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        title = f"{problem['title']} ({answer.status_code} {problem['code']})"
        return f"{title}: {problem['detail']}\n→ {problem['remedy']}"
    except (ValueError, KeyError, TypeError):
        return f"{method} {url} was answered {answer.status_code}: {answer.text[:300]}"
