"""The gateway between real HTTP clients, a real app, and a service that answers as the real one does."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from saturn_hub.gateway import decisions, policy
from saturn_hub.gateway.__main__ import Settings, serving

SEEN, GO, GONE = (web.AppKey(name, asyncio.Event) for name in ("seen", "go", "gone"))
HUB = "http://localhost:8000/services/saturn"
OWNER = "cookie-of-ada"
TOKEN = policy.TOKEN_PREFIX + "x" * 43


@dataclass
class Service:
    """What the service's two questions need to be answered, and what was asked."""

    address: list[Any] = field(default_factory=list)
    state: str = "serving"
    message: str = ""
    public: bool = False
    cache_seconds: float = 10
    cookies: dict[str, str] = field(default_factory=lambda: {OWNER: "ada", "cookie-of-eve": "eve"})
    allowed: set[str] = field(default_factory=lambda: {"ada"})
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    async def decide(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "token internal"
        body = await request.json()
        self.asked.append((body["host"], body["cookie"], body["token"]))
        await self.answering.wait()
        return web.json_response(self.answer(body["host"], body["cookie"], body["token"]))

    def answer(self, host: str, cookie: str | None, token: str | None) -> dict[str, Any]:
        person = self.cookies.get(cookie or "")
        base = {"allow": False, "login": False, "state": self.state, "address": None, "person": person, "strip_authorization": bool(token)}
        base |= {"cache_seconds": self.cache_seconds, "message": self.message}
        if host != "churn":
            return {**base, "status": 404, "message": "There is no app."}
        if not (self.public or person in self.allowed or token == TOKEN):
            signed_in = bool(person or token)
            return {**base, "status": 403 if signed_in else 401, "login": not signed_in, "message": "This app is not shared with you. Ask its <owner>."}
        if self.state != "serving":
            return {**base, "status": 503}
        return {**base, "status": 200, "allow": True, "address": self.address}

    async def redeem(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["code"] != "good" or hashlib.sha256(body["nonce"].encode()).hexdigest() not in self.nonces:
            return web.json_response({"error": {"code": "forbidden", "message": "This sign-in link was used.", "path": "", "details": []}}, status=403)
        return web.json_response({"cookie": OWNER})


@dataclass
class World:
    """A running gateway with what is around it. `get` and `post` go to the app's host."""

    port: int
    service: Service
    session: aiohttp.ClientSession
    app: dict[str, Any]
    service_runner: web.BaseRunner[Any]

    def headers(self, given: dict[str, str] | None = None, host: str = "churn") -> dict[str, str]:
        return {"Host": f"{host}.apps.localhost:{self.port}", **(given or {})}

    def signed_in(self, **more: str) -> dict[str, str]:
        return {"Cookie": f"saturn-app={OWNER}", **more}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, host: str = "churn", **more: Any) -> Any:
        return self.session.request(method, f"http://127.0.0.1:{self.port}{path}", headers=self.headers(headers, host), allow_redirects=False, **more)

    def socket(self, path: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        return self.session.ws_connect(f"http://127.0.0.1:{self.port}{path}", headers=self.headers(headers), max_msg_size=0, **more)


async def echo(request: web.Request) -> web.Response:
    """What arrived, as JSON."""
    body = await request.read()
    headers = [[name, value] for name, value in request.headers.items()]
    return web.json_response({"method": request.method, "path": request.raw_path, "headers": headers, "body": body.decode()}, headers={"X-App": "yes"})


async def count(request: web.Request) -> web.Response:
    """The length of an upload, read as it comes; says that it began to read."""
    total = 0
    async for chunk in request.content.iter_any():
        total += len(chunk)
        request.app[SEEN].set()
    return web.json_response({"bytes": total})


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events, the second one only when told."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: one\n\n")
    try:
        await request.app[GO].wait()
        await response.write(b"data: two\n\n")
    except asyncio.CancelledError:
        request.app[GONE].set()
        raise
    return response


async def broken(request: web.Request) -> web.StreamResponse:
    """Half an answer."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport
    request.transport.close()
    return response


async def cookies(_request: web.Request) -> web.Response:
    response = web.Response(text="set")
    for value in ("own=1; Path=/", "saturn-app=forged; Path=/", "saturn-nonce=forged"):
        response.headers.add("Set-Cookie", value)
    return response


async def talk(request: web.Request) -> web.WebSocketResponse:
    """Echoes messages, with the subprotocol it prefers and the headers it got."""
    socket = web.WebSocketResponse(protocols=("saturn.v2",), max_msg_size=0)
    await socket.prepare(request)
    await socket.send_json(dict(request.headers))
    async for message in socket:
        if message.data == "leave":
            await socket.close(code=4001, message=b"as asked")
        elif message.type is aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


async def refuse(_request: web.Request) -> web.Response:
    return web.Response(status=418)


def make_app() -> web.Application:
    app = web.Application()
    app[SEEN], app[GO], app[GONE] = asyncio.Event(), asyncio.Event(), asyncio.Event()
    routes = {"/count": count, "/events": events, "/broken": broken, "/cookies": cookies, "/talk": talk, "/refuse": refuse}
    for path, handler in routes.items():
        app.router.add_route("*", path, handler)
    app.router.add_route("*", "/{rest:.*}", echo)
    return app


async def listen(stack: AsyncExitStack, app: web.Application, port: int = 0, **more: Any) -> web.TCPSite:
    runner = web.AppRunner(app, shutdown_timeout=0.1, **more)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    return site


def port_of(site: web.TCPSite) -> int:
    assert site._server
    return int(site._server.sockets[0].getsockname()[1])  # type: ignore[attr-defined]


@asynccontextmanager
async def make_world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        service, app = Service(), make_app()
        service.answering.set()
        site = await listen(stack, app, handler_cancellation=True, max_line_size=65_536, max_field_size=65_536)
        service.address = ["127.0.0.1", port_of(site)]
        door = web.Application()
        door.router.add_post("/services/saturn/internal/gateway/decide", service.decide)
        door.router.add_post("/services/saturn/internal/gateway/redeem", service.redeem)
        service_site = await listen(stack, door)
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False))
        settings = Settings(0, f"http://127.0.0.1:{port_of(service_site)}/services/saturn", "internal", HUB)
        port = await stack.enter_async_context(serving(settings))
        yield World(port, service, session, dict(app), service_site._runner)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with make_world() as made, asyncio.timeout(20):
        yield made


def header(answer: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in answer["headers"] if key.lower() == name.lower()]


async def test_a_person_with_the_cookie_reaches_the_app_and_the_app_does_not_see_it(world: World) -> None:
    sent = world.signed_in(Cookie=f"theme=dark; saturn-app={OWNER}; jupyterhub-session-id=1; saturn-nonce=n", Authorization="Bearer its-own")
    sent |= {"X-Forwarded-User": "admin", "X_Forwarded_User": "admin", "X-Forwarded-For": "9.9.9.9", "Connection": "keep-alive, X-Secret", "X-Secret": "1"}
    async with world.ask("GET", "/a%2Fb?q=%20x", sent) as answer:
        assert answer.status == 200
        assert answer.headers["X-App"] == "yes"
        seen = await answer.json()
    assert seen["path"] == "/a%2Fb?q=%20x"
    assert header(seen, "cookie") == ["theme=dark"]
    assert header(seen, "authorization") == ["Bearer its-own"]
    assert header(seen, "x-forwarded-user") == ["ada"]
    assert header(seen, "x_forwarded_user") == header(seen, "x-secret") == []
    assert header(seen, "x-forwarded-for") == ["127.0.0.1"]
    assert header(seen, "x-forwarded-proto") == ["http"]
    assert header(seen, "x-forwarded-host") == header(seen, "host") == [f"churn.apps.localhost:{world.port}"]


async def test_a_token_of_ours_opens_the_app_and_is_taken_off(world: World) -> None:
    for scheme in ("Bearer", "token"):
        async with world.ask("GET", "/", {"Authorization": f"{scheme} {TOKEN}"}) as answer:
            assert answer.status == 200
            assert header(await answer.json(), "authorization") == []
    async with world.ask("GET", "/", {"Authorization": f"Bearer {policy.TOKEN_PREFIX}wrong"}) as answer:
        assert answer.status == 403


async def test_a_public_app_checks_bearers_by_itself(world: World) -> None:
    world.service.public = True
    async with world.ask("GET", "/", {"Authorization": "Bearer its-own"}) as answer:
        seen = await answer.json()
    assert header(seen, "authorization") == ["Bearer its-own"]
    assert header(seen, "x-forwarded-user") == []
    assert world.service.asked == [("churn", None, None)]


async def test_a_program_is_refused_in_json_and_a_person_on_a_page(world: World) -> None:
    async with world.ask("GET", "/", {"Cookie": "saturn-app=cookie-of-eve"}) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["code"] == "forbidden"
    async with world.ask("GET", "/", {"Cookie": "saturn-app=cookie-of-eve", "Accept": "text/html"}) as answer:
        page = await answer.text()
        assert answer.status == 403
        assert "Ask its &lt;owner&gt;" in page
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    async with world.ask("GET", "/", {}) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert set((await answer.json())["error"]) == {"code", "message", "path", "details"}
    async with world.ask("GET", "/.saturn/style.css") as answer:
        assert answer.content_type == "text/css"


@pytest.mark.parametrize("host", ["other", "churn.apps", "", "CHURN--x-", "-a"])
async def test_an_unknown_host_is_not_found(world: World, host: str) -> None:
    async with world.ask("GET", "/", world.signed_in(Accept="text/html"), host=host) as answer:
        assert answer.status == 404
        assert "There is no app here" in await answer.text()


async def test_signing_in_goes_by_a_nonce_and_comes_back_to_the_page(world: World) -> None:
    async with world.ask("GET", "/report?day=1", {"Accept": "text/html"}) as answer:
        assert answer.status == 302
        location, nonce = aiohttp.client.URL(answer.headers["Location"]), answer.cookies["saturn-nonce"]
    assert str(location.with_query(None)) == f"{HUB}/open"
    assert location.query["host"] == "churn"
    assert location.query["next"] == "/report?day=1"
    assert location.query["nonce"] == hashlib.sha256(nonce.value.encode()).hexdigest()
    assert nonce["httponly"] and nonce["samesite"] == "Lax" and not nonce["domain"]
    world.service.nonces.add(location.query["nonce"])
    async with world.ask("GET", "/.saturn/login?code=good&next=/report%3Fday%3D1", {"Cookie": f"saturn-nonce={nonce.value}", "Accept": "text/html"}) as answer:
        assert answer.status == 302
        assert answer.headers["Location"] == "/report?day=1"
        cookie = answer.cookies["saturn-app"]
    assert cookie["httponly"] and not cookie["domain"]
    async with world.ask("GET", "/report?day=1", {"Cookie": f"saturn-app={cookie.value}"}) as answer:
        assert answer.status == 200


async def test_a_code_is_no_use_in_another_browser(world: World) -> None:
    for cookie in ("", "saturn-nonce=another"):
        async with world.ask("GET", "/.saturn/login?code=good&next=/", {"Cookie": cookie, "Accept": "text/html"}) as answer:
            assert answer.status == 403
            assert "saturn-app" not in answer.cookies


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example/", "/a\r\nSet-Cookie: x"])
def test_nobody_is_sent_to_another_host_after_signing_in(path: str) -> None:
    assert policy.local_path(path) == "/"


async def test_signing_out_takes_the_cookie_away(world: World) -> None:
    async with world.ask("GET", "/.saturn/logout", world.signed_in(Accept="text/html")) as answer:
        assert answer.status == 200
        assert answer.cookies["saturn-app"]["max-age"] == "0"


async def test_an_answer_is_remembered_and_asked_for_once(world: World) -> None:
    world.service.answering.clear()
    requests = [asyncio.create_task(world.ask("GET", "/", world.signed_in()).__aenter__()) for _ in range(20)]
    while not world.service.asked:
        await asyncio.sleep(0)
    world.service.answering.set()
    answers = await asyncio.gather(*requests)
    assert {answer.status for answer in answers} == {200}
    for answer in answers:
        answer.release()
    async with world.ask("GET", "/", world.signed_in()) as answer:
        assert answer.status == 200
    assert len(world.service.asked) == 1


async def test_memory_of_answers_is_bounded() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"allow": False, "status": 404})

    async with AsyncExitStack() as stack:
        door = web.Application()
        door.router.add_post("/internal/gateway/decide", answer)
        site = await listen(stack, door)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        kept = decisions.Decisions(f"http://127.0.0.1:{port_of(site)}", "t", session, kept=5)
        for number in range(20):
            await kept.decide(f"h{number}", None, None)
        assert [key[0] for key in kept.answers] == ["h15", "h16", "h17", "h18", "h19"]


@pytest.mark.parametrize(
    ("state", "title"), [("deploying", "is starting"), ("sleeping", "is starting"), ("stopped", "is stopped"), ("failed", "failed to start")]
)
async def test_an_app_that_serves_nothing_says_why(world: World, state: str, title: str) -> None:
    world.service.state = state
    async with world.ask("GET", "/", world.signed_in(Accept="text/html")) as answer:
        page = await answer.text()
        assert answer.status == 503
    assert title in page
    assert ('http-equiv="refresh"' in page) == (title == "is starting")


async def test_an_app_that_is_gone_says_so(world: World) -> None:
    world.service.address = ["127.0.0.1", 1]
    async with world.ask("POST", "/", world.signed_in(), data=b"x") as answer:
        assert answer.status == 502
        assert (await answer.json())["error"]["code"] == "app_unreachable"


async def test_while_the_service_is_down_visitors_are_told_and_known_ones_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "PATIENCE_SECONDS", 0.05)
    async with world.ask("GET", "/", world.signed_in()) as answer:
        assert answer.status == 200
    await world.service_runner.cleanup()
    async with world.ask("GET", "/", world.signed_in()) as answer:
        assert answer.status == 200
    async with world.ask("GET", "/", {"Accept": "text/html"}) as answer:
        assert answer.status == 503
        assert "Saturn Hub does not answer" in await answer.text()


async def test_an_upload_reaches_the_app_while_it_is_sent(world: World) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await world.app[SEEN].wait()
        for _ in range(64):
            yield b"y" * 2**20

    async with world.ask("POST", "/count", world.signed_in(), data=body()) as answer:
        assert await answer.json() == {"bytes": 1000 + 64 * 2**20}


async def test_an_upload_of_known_length_and_one_that_waits_for_continue(world: World) -> None:
    async with world.ask("PUT", "/anything", world.signed_in(), data=b"body", expect100=True) as answer:
        seen = await answer.json()
    assert (seen["method"], seen["body"], header(seen, "content-length"), header(seen, "transfer-encoding")) == ("PUT", "body", ["4"], [])


async def test_events_arrive_as_they_are_sent(world: World) -> None:
    async with world.ask("GET", "/events", world.signed_in()) as answer:
        assert await answer.content.readany() == b"data: one\n\n"
        world.app[GO].set()
        assert await answer.content.read() == b"data: two\n\n"


async def test_a_visitor_who_leaves_ends_the_request_to_the_app(world: World) -> None:
    async with world.ask("GET", "/events", world.signed_in()) as answer:
        await answer.content.readany()
        answer.close()
    await world.app[GONE].wait()


async def test_half_an_answer_is_not_taken_for_a_whole_one(world: World) -> None:
    async with world.ask("GET", "/broken", world.signed_in()) as answer:
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_an_app_cannot_set_a_cookie_of_ours(world: World) -> None:
    async with world.ask("GET", "/cookies", world.signed_in()) as answer:
        assert answer.headers.getall("Set-Cookie") == ["own=1; Path=/"]


async def test_head_keeps_the_length(world: World) -> None:
    async with world.ask("HEAD", "/", world.signed_in()) as answer:
        assert int(answer.headers["Content-Length"]) > 0


async def test_a_write_from_a_neighbours_page_does_not_count_as_the_persons(world: World) -> None:
    async with world.ask("POST", "/", world.signed_in(Origin="http://evil.apps.localhost:1")) as answer:
        assert answer.status == 401
    async with world.ask("POST", "/", world.signed_in(Origin=f"http://churn.apps.localhost:{world.port}")) as answer:
        assert answer.status == 200


async def test_a_websocket_goes_both_ways_with_its_subprotocol(world: World) -> None:
    sent = world.signed_in(Origin=f"http://churn.apps.localhost:{world.port}")
    async with world.socket("/talk", sent, protocols=("saturn.v1", "saturn.v2")) as socket:
        seen = await socket.receive_json()
        assert socket.protocol == "saturn.v2"
        assert seen["X-Forwarded-User"] == "ada"
        assert "Cookie" not in seen
        await socket.send_str("ä")
        assert await socket.receive_str() == "ä"
        await socket.send_bytes(b"\0" * 5_000_000)
        assert len((await socket.receive(5)).data) == 5_000_000
        await socket.send_str("leave")
        closed = await socket.receive()
        assert (closed.data, closed.extra) == (4001, "as asked")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Cookie": "saturn-app=cookie-of-eve"}, 403),
        ({"Cookie": f"saturn-app={OWNER}", "Origin": "http://evil.apps.localhost"}, 403),
    ],
)
async def test_a_websocket_is_refused_like_any_request(world: World, headers: dict[str, str], status: int) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.socket("/talk", headers)
    assert refused.value.status == status


async def test_an_app_that_refuses_a_websocket_is_heard(world: World) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.socket("/refuse", world.signed_in())
    assert refused.value.status == 418


async def test_a_websocket_closes_when_its_person_may_no_longer_use_the_app(world: World) -> None:
    world.service.cache_seconds = 0.1
    async with world.socket("/talk", world.signed_in()) as socket:
        await socket.receive_json()
        world.service.allowed.clear()
        closed = await socket.receive(5)
        assert closed.data == 1008


def test_only_what_is_ours_is_taken_from_cookies() -> None:
    given = 'a=1; saturn-app=x; b="q=1"; jupyterhub-user-ada=y; saturn-apple=2; service-saturn=z'
    assert policy.without_ours(given) == 'a=1; b="q=1"; saturn-apple=2'
    assert policy.cookie(given, "saturn-app") == "x"


@pytest.mark.parametrize(
    ("host", "label"),
    [
        ("Churn.apps.localhost:8100", "churn"),
        ("churn.apps.localhost", "churn"),
        ("apps.localhost", None),
        ("a.b.apps.localhost", None),
        ("churn.localhost", None),
    ],
)
def test_the_host_names_the_app(host: str, label: str | None) -> None:
    assert policy.label_of(host, "apps.localhost") == label


def test_an_unknown_key_of_a_decision_is_for_a_newer_gateway() -> None:
    answer = json.loads('{"allow": true, "status": 200, "address": ["127.0.0.1", 5], "new": 1}')
    assert decisions.Decision.from_json(answer).address == ("127.0.0.1", 5)
