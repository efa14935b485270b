"""Carries websockets both ways, for as long as their visitor may use the app."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import aiohttp
from aiohttp import WSMsgType, web

from saturn_hub.errors import Unavailable
from saturn_hub.gateway import pages, policy
from saturn_hub.gateway.decisions import Decision, Decisions
from saturn_hub.gateway.pages import Answer
from saturn_hub.gateway.visit import Visit, headers_for, say

# One message, not a body: what dashboards exchange is far below, and Streamlit's own limit is 200 MB.
MESSAGE_BYTES = 256 * 2**20
POLICY_VIOLATION = 1008
GOING_AWAY = 1001
# Codes that are never sent (RFC 6455, 7.4.1): they say that there was no close frame.
NEVER_SENT = frozenset({1005, 1006, 1015})

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def carry(request: web.BaseRequest, visit: Visit, decision: Decision, decisions: Decisions, session: aiohttp.ClientSession) -> web.StreamResponse:
    """Open the app's end first, so that its refusal is the visitor's answer, then ours; pass on until one side ends."""
    if not policy.same_origin(request.headers.get("Origin"), request.host):
        return say(request, Answer(403, "forbidden", "Refused", "A websocket can be opened from the app's own pages only."))
    offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if each.strip()]
    url = decision.url(request.rel_url.raw_path_qs)
    headers = headers_for(request, decision, websocket=True)
    try:
        inner = await session.ws_connect(url, protocols=offered, headers=headers, autoping=False, max_msg_size=MESSAGE_BYTES, compress=0)
    except aiohttp.WSServerHandshakeError as error:
        return say(request, Answer(error.status if error.status >= 400 else 502, "websocket_refused", "Refused", "The app refused the websocket."))
    except (aiohttp.ClientError, TimeoutError):
        return say(request, pages.silent("It accepted no connection, or closed it without an answer. Its log may say why."))
    async with inner:
        outer = web.WebSocketResponse(protocols=[inner.protocol] if inner.protocol else (), autoping=False, max_msg_size=MESSAGE_BYTES, compress=False)
        await outer.prepare(request)
        await _until_one_ends(outer, inner, watch(outer, inner, visit, decisions, decision.cache_seconds))
    return outer


async def _until_one_ends(outer: web.WebSocketResponse, inner: aiohttp.ClientWebSocketResponse, watching: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.create_task(_pump(outer, inner)), asyncio.create_task(_pump(inner, outer)), asyncio.create_task(watching)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def watch(outer: Socket, inner: Socket, visit: Visit, decisions: Decisions, seconds: float) -> None:
    """Ask again in every cache period, and close both ends when the answer is no."""
    while True:
        await asyncio.sleep(max(seconds, 0.05))
        if await revoked(decisions, visit):
            await outer.close(code=POLICY_VIOLATION, message=b"You may not use this app any more.")
            await inner.close(code=GOING_AWAY)
            return


async def revoked(decisions: Decisions, visit: Visit) -> bool:
    """Whether the service says no by now. While it does not answer, what was opened stays open."""
    try:
        decision = await decisions.decide(visit.host, visit.cookie, visit.token)
    except Unavailable:
        return False
    return decision.status in (401, 403, 404)


async def _pump(source: Socket, target: Socket) -> None:
    """Pass messages on, pings and pongs too, and at the end the code and reason of the close."""
    try:
        while True:
            message = await source.receive()
            if message.type is WSMsgType.TEXT:
                await target.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await target.send_bytes(message.data)
            elif message.type is WSMsgType.PING:
                await target.ping(message.data)
            elif message.type is WSMsgType.PONG:
                await target.pong(message.data)
            elif message.type is WSMsgType.CLOSE:
                await _close(target, message.data, message.extra or "")
                return
            else:
                await _close(target, None, "")
                return
    except (aiohttp.ClientError, ConnectionError):
        return


async def _close(target: Socket, code: int | None, reason: str) -> None:
    sent = GOING_AWAY if code is None else 1000 if code in NEVER_SENT or code == 0 else code
    await target.close(code=sent, message=reason.encode()[:123])
