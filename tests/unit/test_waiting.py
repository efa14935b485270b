"""A handler that waits ends when its client goes away."""

from __future__ import annotations

import asyncio
import socket

from tornado.httpserver import HTTPServer
from tornado.web import Application

from saturn_hub.web.api.base import Api, needs


async def test_a_handler_ends_with_its_client():
    begun, ended = asyncio.Event(), asyncio.Event()

    class Waits(Api):
        async def prepare(self) -> None:
            """There is no hub here to ask."""

        @needs("public")
        async def get(self) -> None:
            """Until somebody ends it."""
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    server = HTTPServer(Application([("/", Waits)]))
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    server.add_socket(listening)
    _, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    await asyncio.wait_for(begun.wait(), 5)
    assert not ended.is_set()
    writer.close()
    await writer.wait_closed()
    await asyncio.wait_for(ended.wait(), 5)
    server.stop()
    await server.close_all_connections()
