"""Server-sent events, as the standard of HTML describes them."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import AsyncIterator
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

HEARTBEAT_SECONDS = 15.0
# A stream ends after this long and its client comes back by itself: whoever may not see this any more is then told so.
STREAM_SECONDS = 900.0


def event(data: Any, number: int | None = None, name: str = "") -> str:
    """One event with its id and name."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}{f'event: {name}' + chr(10) if name else ''}data: {json.dumps(data)}\n\n"


async def send(handler: RequestHandler, events: AsyncIterator[str]) -> None:
    """Send each event when it comes, and a comment where none came for a while, so that no proxy takes us for dead."""
    handler.set_header("Content-Type", "text/event-stream")
    handler.set_header("X-Accel-Buffering", "no")
    loop = asyncio.get_running_loop()
    until = loop.time() + STREAM_SECONDS
    following: asyncio.Future[str | None] | None = None
    try:
        handler.write("retry: 1000\n\n")
        await handler.flush()
        while loop.time() < until:
            following = following or asyncio.ensure_future(anext(events, None))
            await asyncio.wait({following}, timeout=HEARTBEAT_SECONDS)
            text = following.result() if following.done() else ": still here\n\n"
            if following.done():
                following = None
            if text is None:
                return
            handler.write(text)
            await handler.flush()
    except StreamClosedError:
        return
    finally:
        if following:
            following.cancel()
            await asyncio.wait({following})
        await events.aclose()  # type: ignore[attr-defined]


async def text_events(chunks: AsyncIterator[bytes], offset: int) -> AsyncIterator[str]:
    """Bytes as events of whole characters: the id is the offset of the first byte that was not sent yet.

    A client that comes back with the last id gets each byte once, also where a chunk ended within a character.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    async for chunk in chunks:
        offset += len(chunk)
        if text := decoder.decode(chunk):
            yield event(text, offset - len(decoder.getstate()[0]))
    if rest := decoder.decode(b"", final=True):
        yield event(rest, offset)
    yield event({}, name="end")
