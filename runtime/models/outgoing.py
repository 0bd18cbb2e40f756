"""A request on its way to an endpoint: the bytes that it is sent, and by which connections.

OpenAI-compatible endpoints are asked directly; the others through the translator's process, which knows them by name.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from regions.catalogue import Protocol, Signal
from regions.manifest import Manifest, ModelEndpoint
from runtime.models.request import ModelRequest, translated, with_model, with_usage
from runtime.models.upstream import HttpUpstream
from runtime.settings import TRANSLATOR, StartError

TRANSLATOR_URL = "http://translator"
AZURE = "azure"
"""The catalogue's name of the provider that takes its key by a header of its own."""


class Outgoing(msgspec.Struct, frozen=True):
    """``path``: below the endpoint's base URL."""

    request: ModelRequest
    content: bytes
    path: str

    def body(self, endpoint: ModelEndpoint) -> bytes:
        """What the endpoint is sent; raises ``Refused`` (body_invalid) where the translator may not have it."""
        if endpoint.protocol is Protocol.TRANSLATED:
            return translated(self.content, endpoint.name)
        body = self.content
        if self.request.stream and endpoint.signal is Signal.INFERENCE_GEO:
            body = with_usage(body)  # which says where the answer was made
        return body if endpoint.upstream_model == self.request.model else with_model(body, endpoint.upstream_model)


def open_upstreams(
    manifest: Manifest, credentials: Mapping[str, str], translator: Path | None
) -> dict[str, HttpUpstream]:
    """By endpoint name. ``credentials``: by their names. ``translator``: its socket. Raises ``StartError``."""
    found, wrong = {}, []
    for endpoint in manifest.models:
        try:
            found[endpoint.name] = _upstream(endpoint, credentials, translator)
        except ValueError as error:
            wrong.append(f"model endpoint {endpoint.name}: {error}")
    if wrong:
        raise StartError("\n".join(wrong))
    return found


def _upstream(endpoint: ModelEndpoint, credentials: Mapping[str, str], translator: Path | None) -> HttpUpstream:
    if endpoint.protocol is Protocol.TRANSLATED:
        if translator is None:
            raise ValueError(
                f"it is asked through the translator, and {TRANSLATOR}, its socket, is not set: "
                "`pulumi up` starts the runtime with it"
            )
        return HttpUpstream(TRANSLATOR_URL, socket=translator)
    if endpoint.url is None:
        raise ValueError("the Manifest has no URL for it; `pulumi up` writes and signs the Manifest anew")
    return HttpUpstream(endpoint.url, headers=_authorization(endpoint, credentials))


def _authorization(endpoint: ModelEndpoint, credentials: Mapping[str, str]) -> dict[str, str]:
    if endpoint.credential is None:
        return {}
    secret = credentials[endpoint.credential]
    return {"api-key": secret} if endpoint.provider == AZURE else {"authorization": f"Bearer {secret}"}
