"""Logs of runs and apps: as text, in parts by `Range`, or followed as server-sent events."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from pydantic import Field
from tornado.iostream import StreamClosedError

from saturn_hub.engine import apps, files, jobs
from saturn_hub.errors import InvalidInput, RangeNotSatisfiable
from saturn_hub.model.access import Permission
from saturn_hub.web.api import paths
from saturn_hub.web.api.base import Api, Query, needs
from saturn_hub.web.api.stream import send, text_events

OFFSET_MAXIMUM = 2**53
# The most of a log that is held at once to answer a range; whoever wants more asks for the next one.
PART_MAXIMUM = 4 * 2**20


class From(Query):
    """Where to begin, in bytes, and whether to go on as it grows."""

    offset: int = Field(default=0, ge=0, le=OFFSET_MAXIMUM)
    follow: bool = False


class Logs(Api):
    """What the logs of runs and of apps have in common."""

    def start(self) -> int:
        """The first byte to send: that of `Last-Event-ID`, else of `offset`. Raises InvalidInput."""
        given = self.request.headers.get("Last-Event-ID")
        if given is None:
            return int(self.query.offset)
        if not (given.isascii() and given.isdigit() and len(given) <= 16):
            raise InvalidInput("Last-Event-ID is the number of bytes that came before.", path="Last-Event-ID")
        return int(given)

    def range(self) -> tuple[int, int] | None:
        """The first and last byte of a `Range` of one part; others are answered with the whole, as RFC 9110 allows."""
        match = re.fullmatch(r"bytes=(\d{1,15})-(\d{0,15})", self.request.headers.get("Range", "").replace(" ", ""), re.ASCII)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            return None
        return int(match[1]), int(match[2]) if match[2] else OFFSET_MAXIMUM

    async def text(self, chunks: AsyncIterator[bytes]) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Accept-Ranges", "bytes")
        try:
            async for chunk in chunks:
                self.write(chunk)
                await self.flush()
        except StreamClosedError:
            return

    async def part(self, chunks: AsyncIterator[bytes], first: int, last: int) -> None:
        """Answer a range, or the beginning of it where it is long. `Content-Range` says what it was."""
        wanted, found, more = min(last - first + 1, PART_MAXIMUM), bytearray(), False
        async for chunk in chunks:
            found += chunk
            if len(found) >= wanted:
                more = True
                break
        if not found:
            raise RangeNotSatisfiable(f"The log ends before byte {first}.", path="Range")
        del found[wanted:]
        self.set_status(206)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Content-Encoding", "identity")
        self.set_header("Content-Range", f"bytes {first}-{first + len(found) - 1}/{'*' if more else first + len(found)}")
        self.finish(bytes(found))


class RunLogs(Logs):
    @needs(Permission.SEE, query=From, reply="text/plain", headers=("Last-Event-ID", "Range"))
    async def get(self, run_id: str) -> None:
        """What a run said. With `follow=1` as server-sent events, whose id is an offset in bytes, until it has ended."""
        person, offset, part = await self.person(), self.start(), self.range()
        await jobs.show(self.context, person, run_id)
        if self.query.follow:
            await send(self, text_events(files.run_log(self.context, person, run_id, offset=offset, follow=True), offset))
        elif part:
            await self.part(files.run_log(self.context, person, run_id, offset=part[0]), *part)
        else:
            await self.text(files.run_log(self.context, person, run_id, offset=offset))


class AppLogs(Logs):
    @needs(Permission.OPERATE, query=From, reply="text/plain", headers=("Last-Event-ID", "Range"))
    async def get(self, owner: str, name: str) -> None:
        """What the newest version of an app said. With `follow=1` as for a run."""
        offset, part = self.start(), self.range()
        unit = await apps.newest_unit(self.context, await self.person(), paths.key("app", owner, name))
        if self.query.follow:
            await send(self, text_events(self.context.backend.logs(unit, offset=offset, follow=True), offset))
        elif part:
            await self.part(self.context.backend.logs(unit, offset=part[0]), *part)
        else:
            await self.text(self.context.backend.logs(unit, offset=offset))


ROUTES = [("/runs/{run_id}/logs", RunLogs), ("/apps/{owner}/{name}/logs", AppLogs)]
