"""Connections go to the Service; what is asked, and what is signed, names the gateway."""

import asyncio

import httpx
import jwt
from fastapi import FastAPI, Request

from runtime.direct import Direct
from runtime.identity.client import ProvenAuth
from tests.fixtures.desk import serving
from tests.fixtures.issuer import KEYS
from tests.fixtures.postgres import free_port

GATEWAY = "https://agents.corp.example"


async def test_only_the_connection_goes_elsewhere() -> None:
    app, port = FastAPI(), free_port()

    @app.post("/a/{path}")
    async def told(request: Request) -> dict[str, str]:
        body = await request.body()
        return {"host": request.headers["host"], "url": request.url.path, "body": body.decode()}

    async with (
        serving(app, port),
        httpx.AsyncClient(base_url=GATEWAY, transport=Direct(f"http://127.0.0.1:{port}")) as http,
    ):
        answers = await asyncio.gather(*(http.post(f"/a/{number}?x=1", content=f"{number}") for number in range(3)))
    for number, answer in enumerate(answers):
        assert answer.json() == {"host": "agents.corp.example", "url": f"/a/{number}", "body": f"{number}"}
        assert str(answer.request.url) == f"{GATEWAY}/a/{number}?x=1"


async def test_a_second_attempt_signs_the_gateways_url_again() -> None:
    app, port, proofs, tokens = FastAPI(), free_port(), [], iter(("first", "second"))

    @app.get("/", status_code=401)
    async def refused(request: Request) -> None:
        proofs.append(request.headers["dpop"])

    async def token() -> str:
        return next(tokens)

    auth = ProvenAuth(token, lambda _: None, KEYS["worker"])
    async with (
        serving(app, port),
        httpx.AsyncClient(base_url=GATEWAY, transport=Direct(f"http://127.0.0.1:{port}")) as http,
    ):
        await http.get("/", auth=auth)
    assert [_claims(proof)["htu"] for proof in proofs] == [f"{GATEWAY}/"] * 2


def _claims(proof: str) -> dict[str, str]:
    return jwt.decode(proof, options={"verify_signature": False})
