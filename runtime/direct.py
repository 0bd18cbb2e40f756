"""To the gateway's own Service, in the cluster: what is asked of its public URL never leaves by the load balancer.

The address is the only thing that changes. What is signed (DPoP's ``htu``, assertions) and the header Host are those of
the URL that the Manifest states, which is the one that the gateway compares with.
"""

import httpx


class Direct(httpx.AsyncBaseTransport):
    """``address``: of the Service, as ``http://gateway.<namespace>.svc.cluster.local:8080``."""

    def __init__(self, address: str) -> None:
        self._address = httpx.URL(address)
        self._http = httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        to = self._address
        url = request.url.copy_with(scheme=to.scheme, host=to.host, port=to.port)
        sent = httpx.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        return await self._http.handle_async_request(sent)

    async def aclose(self) -> None:
        await self._http.aclose()
