"""Events of everything that a person may see, as they happen."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic import Field

from saturn_hub.engine import events
from saturn_hub.errors import InvalidInput
from saturn_hub.model.access import Permission
from saturn_hub.web.api.base import NUMBER_MAXIMUM, Api, Query, needs
from saturn_hub.web.api.stream import event, send


class After(Query):
    """Begin after the event of this id; from now on where it is left out."""

    after: int | None = Field(default=None, ge=0, le=NUMBER_MAXIMUM)


class Events(Api):
    @needs(Permission.SEE, query=After, reply="text/event-stream", headers=("Last-Event-ID",))
    async def get(self) -> None:
        """Server-sent events of what I may see: `{"resource", "kind", "subject", "state", "at"}`, resumed by `Last-Event-ID`."""
        given, after = self.request.headers.get("Last-Event-ID"), self.query.after
        if given is not None:
            if not (given.isascii() and given.isdigit() and len(given) < 10):
                raise InvalidInput("Last-Event-ID is the number of the last event that came.", path="Last-Event-ID")
            after = int(given)
        found = events.follow(self.context, await self.person(), after)

        async def texts() -> AsyncIterator[str]:
            async for number, told in found:
                yield event(told, number)

        await send(self, texts())


ROUTES = [("/events", Events)]
