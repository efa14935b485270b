"""The gateway's side of each connection: how long one may be open without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

# From a connection to the end of its first request's head, and between two requests: more than any network needs.
HEAD_SECONDS = 20.0
IDLE_SECONDS = 75.0
LONGEST_LINE = 65_536


class Server(web.Server):
    """Closes connections whose first request does not come: aiohttp's own bound begins after that one."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], head_seconds: float = HEAD_SECONDS) -> None:
        bounds: dict[str, Any] = {"max_line_size": LONGEST_LINE, "max_field_size": LONGEST_LINE, "keepalive_timeout": IDLE_SECONDS}
        # A visitor who goes away ends the request to the app too.
        super().__init__(handler, request_factory=self._begin, handler_cancellation=True, access_log=None, **bounds)
        self.head_seconds = head_seconds
        self.waiting: dict[RequestHandler, asyncio.TimerHandle] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.waiting[handler] = asyncio.get_running_loop().call_later(self.head_seconds, transport.abort)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._heard(handler)

    def _begin(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        self._heard(protocol)
        return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())

    def _heard(self, handler: RequestHandler) -> None:
        if timer := self.waiting.pop(handler, None):
            timer.cancel()
