"""Carries requests to apps and their answers back, as streams. Nobody passes without a decision."""

from __future__ import annotations

import asyncio
import logging
import time

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict

from saturn_hub.errors import Unavailable
from saturn_hub.gateway import pages, policy, sockets
from saturn_hub.gateway.decisions import Decision, Decisions
from saturn_hub.gateway.signin import PREFIX, SignIn
from saturn_hub.gateway.visit import Visit, explain, headers_for, say, text

log = logging.getLogger("saturn.gateway")
# An answer this small, of known length, is passed on in one write.
SMALL_BYTES = 65_536
OWN_HEADERS = frozenset({hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE})
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})


class AppConnections:
    """Connections to apps. Those kept open are for requests that can be repeated, for an app may close one as it is used."""

    def __init__(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        shared = {"auto_decompress": False, "timeout": timeout, "max_line_size": 65_536, "max_field_size": 65_536}
        kept = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
        once = aiohttp.TCPConnector(limit=0, force_close=True)
        self.kept = aiohttp.ClientSession(connector=kept, cookie_jar=aiohttp.DummyCookieJar(), **shared)  # type: ignore[arg-type]
        self.once = aiohttp.ClientSession(connector=once, cookie_jar=aiohttp.DummyCookieJar(), **shared)  # type: ignore[arg-type]

    async def close(self) -> None:
        await asyncio.gather(self.kept.close(), self.once.close())

    async def send(self, request: web.BaseRequest, decision: Decision, headers: CIMultiDict[str]) -> aiohttp.ClientResponse:
        """Pass the request on. The answer's head is there on return, its body follows."""
        session = self.kept if request.method in REPEATABLE and not request.body_exists else self.once
        return await session.request(
            request.method,
            decision.url(request.rel_url.raw_path_qs),
            headers=headers,
            data=request.content if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=OWN_HEADERS,
        )


class Gateway:
    """The handler of every request."""

    def __init__(self, domain: str, decisions: Decisions, sign_in: SignIn, apps: AppConnections) -> None:
        self.domain, self.decisions, self.sign_in, self.apps = domain, decisions, sign_in, apps

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, from its host name to its last byte."""
        label = policy.label_of(request.host, self.domain)
        if label is None:
            return say(request, pages.not_found(request.host))
        try:
            if request.rel_url.raw_path.startswith(PREFIX):
                return await self.sign_in.serve(request, label)
            return await self._pass(request, Visit.of(request, label))
        except Unavailable as error:
            return say(request, pages.service_down(error.message))

    async def _pass(self, request: web.BaseRequest, visit: Visit) -> web.StreamResponse:
        decision = await self.decisions.decide(visit.host, visit.cookie, visit.token)
        if decision.allow and decision.address is None:
            return say(request, pages.not_serving(decision.state, decision.message))
        if not decision.allow or decision.address is None:
            if decision.login and policy.is_browser(request.method, request.headers.get("Accept", "")):
                return self.sign_in.send(request, visit.host)
            return say(request, explain(decision, request.host))
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await sockets.carry(request, visit, decision, self.decisions, self.apps.once)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self._carry(request, visit, decision)

    async def _carry(self, request: web.BaseRequest, visit: Visit, decision: Decision) -> web.StreamResponse:
        try:
            try:
                answer = await self.apps.send(request, decision, headers_for(request, decision))
            except aiohttp.ClientConnectorError:
                # Nobody listens there: the app may have moved since we asked. Nothing was sent, so it may be sent again.
                self.decisions.forget(visit.host, visit.cookie, visit.token)
                decision = await self.decisions.decide(visit.host, visit.cookie, visit.token)
                if not decision.allow or decision.address is None:
                    return say(request, explain(decision, request.host))
                answer = await self.apps.send(request, decision, headers_for(request, decision))
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("%s does not answer: %s", visit.host, error)
            return say(request, pages.silent("It accepted no connection, or closed it without an answer. Its log may say why."))
        async with answer:
            if request.method != "HEAD" and answer.content_length is not None and answer.content_length <= SMALL_BYTES:
                return await _small(request, answer)
            return await self._stream(request, visit, decision, answer)

    async def _stream(self, request: web.BaseRequest, visit: Visit, decision: Decision, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """Pass the body on as it comes. A long one ends when its visitor may no longer see it."""
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_answer_headers(answer))
        await response.prepare(request)
        ask_again = time.monotonic() + decision.cache_seconds
        try:
            async for chunk in answer.content.iter_any():
                if time.monotonic() > ask_again:
                    ask_again = time.monotonic() + decision.cache_seconds
                    if await sockets.revoked(self.decisions, visit):
                        _cut(request)
                        return response
                await response.write(chunk)
            await response.write_eof()
        except aiohttp.ClientConnectionResetError:
            return response  # the visitor went away
        except aiohttp.ClientError as error:
            log.warning("%s broke off its answer: %s", visit.host, error)
            _cut(request)
        return response


async def _small(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    try:
        return web.Response(status=answer.status, reason=answer.reason, headers=_answer_headers(answer), body=await answer.read())
    except aiohttp.ClientError:
        return say(request, pages.silent("It closed the connection in the middle of its answer. Its log may say why."))


def _answer_headers(answer: aiohttp.ClientResponse) -> CIMultiDict[str]:
    return CIMultiDict((name, text(value)) for name, value in policy.to_client(answer.headers.items()))


def _cut(request: web.BaseRequest) -> None:
    """End the connection without the mark of a whole answer, so that nobody takes half for all."""
    if request.transport:
        request.transport.close()
