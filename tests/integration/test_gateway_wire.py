"""The gateway against bytes that no good client sends, and clients that are old or slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from test_gateway import HUB, OWNER, TOKEN, World, header, make_world

from saturn_hub.gateway.__main__ import Settings, serving


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with make_world() as made, asyncio.timeout(20):
        yield made


async def send(port: int, *lines: str, body: bytes = b"") -> bytes:
    """What comes back for these lines, until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
    found = await reader.read()
    writer.close()
    return found


def signed(world: World, first: str, *more: str, host: str = "") -> list[str]:
    return [first, f"Host: {host or f'churn.apps.localhost:{world.port}'}", f"Cookie: saturn-app={OWNER}", "Connection: close", *more]


def seen(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer[:300]
    return dict(json.loads(body))


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 4", "Content-Length: 5"],
        ["Content-Length: 4", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding : chunked"],
        ["Content-Length: +4"],
        ["X-Bad: a\0b"],
        ["X Bad: a"],
        [" folded: a"],
    ],
)
async def test_a_request_that_two_servers_could_read_in_two_ways_reaches_no_app(world: World, lines: list[str]) -> None:
    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: churn.apps.localhost\r\n\r\n"
    answer = await send(world.port, *signed(world, "POST / HTTP/1.1", *lines), body=smuggled)
    assert answer.startswith(b"HTTP/1.1 400") or answer.startswith(b"HTTP/1.0 400")
    assert b"/smuggled" not in answer


async def test_a_second_host_header_opens_nothing(world: World) -> None:
    lines = signed(world, "GET / HTTP/1.1", f"Host: other.apps.localhost:{world.port}")
    assert (await send(world.port, *lines)).split(b" ")[1] in (b"400", b"404")


@pytest.mark.parametrize("host", ["CHURN.apps.localhost", "churn.apps.localhost.", "churn.APPS.localhost:1234", "churn.apps.localhost.:80"])
async def test_a_host_is_the_same_app_however_it_is_spelled(world: World, host: str) -> None:
    assert seen(await send(world.port, *signed(world, "GET /x HTTP/1.1", host=host)))["path"] == "/x"
    assert {host for host, _, _ in world.service.asked} == {"churn"}


async def test_an_absolute_target_names_the_app_and_the_app_gets_its_path(world: World) -> None:
    found = seen(await send(world.port, *signed(world, f"GET HTTP://churn.apps.localhost:{world.port}/x HTTP/1.1")))
    assert (found["path"], header(found, "host")) == ("/x", [f"churn.apps.localhost:{world.port}"])


@pytest.mark.parametrize("target", ["http://other.apps.localhost/x", "http://evil.example/x", "http://127.0.0.1:22/x"])
async def test_an_absolute_target_of_another_host_opens_nothing(world: World, target: str) -> None:
    assert (await send(world.port, *signed(world, f"GET {target} HTTP/1.1"))).startswith(b"HTTP/1.1 404")


async def test_a_tunnel_is_not_made(world: World) -> None:
    answer = await send(world.port, *signed(world, "CONNECT 127.0.0.1:22 HTTP/1.1"))
    assert answer.split(b" ")[1] in (b"400", b"404", b"405", b"501")


@pytest.mark.parametrize("path", ["//.saturn/login", "/%2esaturn/login", "/x/../.saturn/login", "/.saturn%2flogin", "//evil.example/x", "/..%2f..%2fetc"])
async def test_a_path_reaches_the_app_as_it_was_sent(world: World, path: str) -> None:
    assert seen(await send(world.port, *signed(world, f"GET {path} HTTP/1.1")))["path"] == path
    unsigned = await send(world.port, f"GET {path} HTTP/1.1", f"Host: churn.apps.localhost:{world.port}", "Connection: close")
    assert unsigned.startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("path", ["/.saturn/", "/.saturn/other", "/.saturn/login?code=x"])
async def test_what_is_ours_never_reaches_an_app(world: World, path: str) -> None:
    answer = await send(world.port, *signed(world, f"GET {path} HTTP/1.1"))
    assert answer.split(b" ")[1] in (b"403", b"404")
    assert b"X-App" not in answer


@pytest.mark.parametrize("upgrade", ["h2c", "tls/1.0", "anything"])
async def test_another_upgrade_is_an_ordinary_request(world: World, upgrade: str) -> None:
    lines = [each for each in signed(world, "GET /x HTTP/1.1") if not each.startswith("Connection")]
    answer = await send(world.port, *lines, "Connection: upgrade, close, cookie", f"Upgrade: {upgrade}", "HTTP2-Settings: AAMAAABkAAQAAP__")
    assert header(seen(answer), "upgrade") == header(seen(answer), "connection") == []


@pytest.mark.parametrize("first", ["POST /talk HTTP/1.1", "GET /talk HTTP/1.0"])
async def test_a_broken_websocket_handshake_is_refused_and_the_gateway_goes_on(world: World, first: str) -> None:
    lines = [each for each in signed(world, first) if not each.startswith("Connection")]
    answer = await send(world.port, *lines, "Connection: upgrade, close", "Upgrade: websocket", "Content-Length: 0")
    assert answer.split(b" ")[1].startswith(b"4"), answer
    assert seen(await send(world.port, *signed(world, "GET /x HTTP/1.1")))["path"] == "/x"


async def test_a_client_of_http_1_0_gets_a_body_without_chunks(world: World) -> None:
    world.app[next(key for key in world.app if getattr(key, "_name", "").endswith("go"))].set()
    lines = [each for each in signed(world, "GET /events HTTP/1.0") if not each.startswith("Connection")]
    head, _, body = (await send(world.port, *lines)).partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert body == b"data: one\n\ndata: two\n\n"


async def test_many_cookies_and_long_headers_pass(world: World) -> None:
    cookies = "; ".join(f"c{number}={'x' * 60}" for number in range(300))
    found = seen(await send(world.port, *signed(world, "GET / HTTP/1.1", f"Cookie: {cookies}", f"X-Long: {'y' * 30_000}")))
    assert sum(value.count("=") for value in header(found, "cookie")) == 300
    assert len(header(found, "x-long")[0]) == 30_000
    assert OWNER not in str(found)


async def test_two_tokens_or_cookies_of_ours_are_both_taken_off(world: World) -> None:
    lines = signed(world, "GET / HTTP/1.1", "Cookie: saturn-app=second; a=1", f"Authorization: Bearer {TOKEN}", f"Authorization: token {TOKEN}")
    answer = await send(world.port, *lines)
    assert TOKEN.encode() not in answer and b"second" not in answer and OWNER.encode() not in answer


async def test_a_connection_that_says_nothing_or_too_slowly_is_ended(world: World) -> None:
    async with AsyncExitStack() as stack:
        service = Settings(0, f"http://127.0.0.1:{world.port}", "internal", HUB)
        port = await stack.enter_async_context(serving(replace(service, head_seconds=0.3)))
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: churn.apps.localhost\r\nX-Slow: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            with pytest.raises(ConnectionResetError):
                while await asyncio.wait_for(reader.read(1), 5):
                    pass
                raise ConnectionResetError
            writer.close()


async def test_ranges_head_and_early_hints_pass(world: World) -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(early, "127.0.0.1", 0)
    async with server:
        world.service.address = ["127.0.0.1", server.sockets[0].getsockname()[1]]
        async with world.ask("GET", "/", world.signed_in(Range="bytes=0-1")) as answer:
            assert (answer.status, answer.headers["Content-Range"], await answer.read()) == (206, "bytes 0-1/9", b"ab")


async def test_an_app_on_ipv6_localhost_is_reached(world: World) -> None:
    async with AsyncExitStack() as stack:
        app = web.Application()
        app.router.add_get("/", six)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "::1", 0).start()
        world.service.address = ["::1", runner.addresses[0][1]]
        async with world.ask("GET", "/", world.signed_in()) as answer:
            assert (answer.status, await answer.text()) == (200, "six")


async def six(_request: web.Request) -> web.Response:
    return web.Response(text="six")


async def test_a_head_of_an_app_that_is_too_long_is_the_apps_failure(world: World) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"z" * 200_000 + b"\r\n\r\n")
        writer.close()

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await asyncio.start_server(endless, "127.0.0.1", 0))
        world.service.address = ["127.0.0.1", server.sockets[0].getsockname()[1]]
        async with world.ask("GET", "/", world.signed_in()) as answer:
            assert answer.status == 502
