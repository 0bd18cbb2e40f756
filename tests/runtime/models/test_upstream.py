"""The pool against a real asyncio server on loopback. TLS against a real certificate is proved here too; paced
streams over a network are not."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runtime.errors import Refused
from runtime.models.upstream import MAX_BUFFERED, HttpUpstream, Response, Target, Timeouts

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    tasks: list[asyncio.Task[None] | None] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head, await reader.readexactly(length)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        _, body = await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


async def whole(response: Response) -> bytes:
    body = b"".join([chunk async for chunk in response.chunks()])
    response.close()
    return body


async def test_a_connection_is_kept_for_the_next_request() -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await echo(reader, writer)

    async with served(count) as port:
        upstream = HttpUpstream(f"http://127.0.0.1:{port}/v1")
        for n in range(5):
            assert await whole(await upstream.post("/echo", b"%d" % n)) == b"%d" % n
        await upstream.close()
    assert connections == 1


async def test_the_request_names_path_host_and_length() -> None:
    seen: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await read_request(reader)
        seen.append(head)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with served(keep) as port:
        upstream = HttpUpstream(f"http://127.0.0.1:{port}/v1/")
        response = await upstream.post("/chat/completions", b"{}")
        assert (response.status, await whole(response)) == (204, b"")
        await upstream.close()
        assert seen[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n" % port)
    assert b"content-length: 2\r\n" in seen[0]


async def test_chunks_arrive_before_the_end_is_sent() -> None:
    may_end = asyncio.Event()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await writer.drain()
        await may_end.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(1)

    async with served(stream) as port:
        upstream = HttpUpstream(f"http://127.0.0.1:{port}")
        response = await upstream.post("/", b"")
        chunks = response.chunks()
        assert await anext(chunks) == b"first"
        may_end.set()
        assert [chunk async for chunk in chunks] == [b"last"]
        response.close()
        await upstream.close()


async def test_a_connection_closed_between_two_requests_is_replaced() -> None:
    async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()

    async with served(one_answer) as port:
        upstream = HttpUpstream(f"http://127.0.0.1:{port}")
        for _ in range(3):
            assert await whole(await upstream.post("/", b"")) == b"ok"
        await upstream.close()


async def test_a_slow_reader_slows_the_upstream_down() -> None:
    size, sent = 64 * MAX_BUFFERED, 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with served(flood) as port:
        upstream = HttpUpstream(f"http://127.0.0.1:{port}")
        response = await upstream.post("/", b"")
        await asyncio.sleep(0.3)
        assert sent < size
        assert len(await whole(response)) == size
        await upstream.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(b"", "upstream_failed", id="closes without an answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", "upstream_failed", id="cuts the body"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "upstream_failed", id="speaks something else"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "upstream_failed", id="bad chunk size"
        ),
    ],
)
async def test_a_broken_answer_is_a_refusal_that_names_the_upstream(answer: bytes, code: str) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()

    async with served(broken) as port:
        upstream = HttpUpstream(f"http://127.0.0.1:{port}")
        with pytest.raises(Refused, match=f"127.0.0.1:{port}") as refused:
            await whole(await upstream.post("/", b""))
        await upstream.close()
    assert refused.value.code == code


async def test_silence_ends_in_a_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(silent) as port:
        upstream = HttpUpstream(f"http://127.0.0.1:{port}", timeouts=Timeouts(idle=0.1))
        with pytest.raises(Refused) as refused:
            await upstream.post("/", b"")
        await upstream.close()
    assert refused.value.code == "upstream_timeout"


async def test_nobody_listening_is_unavailable(unused_tcp_port: int) -> None:
    upstream = HttpUpstream(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(Refused) as refused:
        await upstream.post("/", b"")
    assert refused.value.code == "upstream_unavailable"


async def test_an_unread_response_gives_its_connection_up() -> None:
    closed = asyncio.Event()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbegin")
        await reader.read()
        closed.set()

    async with served(stream) as port:
        upstream = HttpUpstream(f"http://127.0.0.1:{port}")
        response = await upstream.post("/", b"")
        response.close()
        await asyncio.wait_for(closed.wait(), 5)
        await upstream.close()


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


@pytest.mark.parametrize(("name", "accepted"), [("localhost", True), ("elsewhere.example", False)])
async def test_tls_is_spoken_and_the_name_is_checked(tmp_path: Path, name: str, accepted: bool) -> None:
    server, client = _certificate(tmp_path, name)
    async with served(echo, server) as port:
        upstream = HttpUpstream(f"https://localhost:{port}", tls=client)
        if accepted:
            assert await whole(await upstream.post("/", b"hello")) == b"hello"
        else:
            with pytest.raises(Refused, match="not reachable"):
                await upstream.post("/", b"hello")
        await upstream.close()


@pytest.mark.parametrize("url", ["ftp://host/", "http://user:secret@host/", "/v1", "http://"])
def test_only_plain_http_urls_are_targets(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected a (URL|host)"):
        Target.from_url(url)
