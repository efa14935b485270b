"""What a handler of the API is: what it needs, how its input is checked, and how it ends when its client goes away."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json
from tornado.web import HTTPError, stream_request_body

from saturn_hub.errors import InvalidInput, NotFound, Problem, TooLarge, UnsupportedMedia
from saturn_hub.model import text
from saturn_hub.model.access import Permission
from saturn_hub.model.recipe import problems_of
from saturn_hub.web.base import Base

BODY_MAXIMUM = 2 * 2**20
NUMBER_MAXIMUM = 2**31 - 1
# Not a question about what we have, but how a browser shows that its request is its own.
XSRF = "_xsrf"

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[None]])


class Body(BaseModel):
    """A JSON body: unknown keys and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """The part of an address after `?`. Its values are text, so numbers and yes or no are read from it."""

    model_config = ConfigDict(extra="forbid")


class DryRun(Query):
    """Check only: everything is looked at and nothing is written."""

    dry_run: bool = False


class Page(Query):
    """One page of a list: at most `limit` items, those that follow the cursor `after` (the `next` of the page before)."""

    after: str = Field(default="", max_length=26, pattern=r"^[0-9a-z]*$")
    limit: int = Field(default=50, ge=1, le=200)


@dataclass(frozen=True)
class Needs:
    """What a handler method asks for, and what it takes and gives."""

    permission: Permission | Literal["signed_in", "public"]
    query: type[Query]
    body: type[BaseModel] | None
    reply: type[BaseModel] | str
    status: int
    headers: tuple[str, ...]


def needs(
    permission: Permission | Literal["signed_in", "public"],
    *,
    query: type[Query] = Query,
    body: type[BaseModel] | None = None,
    reply: type[BaseModel] | str = "",
    status: int = 200,
    headers: tuple[str, ...] = (),
) -> Callable[[Handler], Handler]:
    """Say what a handler method needs, and check its input before it runs: all problems come in one reply.

    The method finds the query in `self.query`, and a body in `self.sent`: a model's object, or for a recipe, which the
    engine checks, the plain object. `reply` is the model of its JSON, or a media type. `headers` are those that it reads.
    """

    def decorate(method: Handler) -> Handler:
        @functools.wraps(method)
        async def checked(self: Api, *path: str) -> None:
            if permission != "public":
                await self.person()
                self.hub_auth.check_xsrf_cookie(self)
            self.check_path(path)
            problems = self.read_query(query)
            problems += self.read_body(body)
            if problems:
                raise InvalidInput.of(problems)
            await self.while_connected(method(self, *path))

        checked.needs = Needs(permission, query, body, reply, status, headers)  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]

    return decorate


@stream_request_body
class Api(Base):
    """A handler of the API. A body is taken in piece by piece, so that one too large is never held."""

    query: Any
    sent: Any

    def initialize(self) -> None:
        self.pieces: list[bytes] = []
        self.received = 0
        self.work: asyncio.Task[None] | None = None
        self.gone = False

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def check_xsrf_cookie(self) -> None:
        """Done by `needs`, when it is known who asks: nobody is told to sign in, not of a missing token."""

    def check_etag_header(self) -> bool:
        """Never 304: an `ETag` of ours names the revision of a recipe, and the state beside it moves on without it."""
        return False

    def compute_etag(self) -> None:
        return None

    def data_received(self, chunk: bytes) -> None:
        self.received += len(chunk)
        if self.received <= BODY_MAXIMUM:
            self.pieces.append(chunk)

    def on_connection_close(self) -> None:
        self.gone = True
        if self.work:
            self.work.cancel()

    async def while_connected(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the handler; it ends with its client, so that one who waits or follows holds nothing after that."""
        self.work = asyncio.ensure_future(work)
        try:
            await self.work
        except asyncio.CancelledError:
            if not self.gone:
                self.work.cancel()
                raise

    def check_path(self, path: tuple[str, ...]) -> None:
        for part in path:
            if text.problem(part) or (part.isdecimal() and len(part) > 9):
                raise NotFound("There is nothing at this address.")

    def read_query(self, model: type[Query]) -> list[Problem]:
        """What is wrong with the query; else it is in `self.query`."""
        problems, given = [], {}
        for name in self.request.query_arguments:
            try:
                values = self.get_query_arguments(name, strip=False)
            except HTTPError:
                problems.append(Problem("invalid", "This is not text in UTF-8, percent-encoded.", text.shown(name)))
                continue
            if len(values) > 1:
                problems.append(Problem("invalid", "This is given more than once.", text.shown(name)))
            if name != XSRF:
                given[name] = values[-1]
        return problems + text.problems(given) or self._read("query", model, given)

    def read_body(self, model: type[BaseModel] | None) -> list[Problem]:
        """What is wrong with the body; else it is in `self.sent`."""
        if self.received > BODY_MAXIMUM:
            raise TooLarge(f"The body has more than {BODY_MAXIMUM // 2**20} MiB. Files belong into a repository or a folder.")
        content = b"".join(self.pieces)
        kind = self.request.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
        if content and kind != "application/json":
            raise UnsupportedMedia(f"Send JSON, with the header `Content-Type: application/json`; this is {text.shown(kind)}.")
        try:
            found = from_json(content, allow_inf_nan=False) if content.strip() else {}
        except ValueError as error:
            raise InvalidInput(f"The body is not JSON: {error}.", code="not_json") from error
        if not isinstance(found, dict):
            raise InvalidInput("The body has to be a JSON object.", code="not_an_object")
        if problems := text.problems(found):
            return problems
        if model is None and found:
            return [Problem("unknown_key", f"There is no key '{key}' here: this takes no body.", key) for key in found]
        if model is None or not issubclass(model, Body):
            self.sent = found
            return []
        return self._read("sent", model, found)

    def _read(self, name: str, model: type[BaseModel], given: dict[str, Any]) -> list[Problem]:
        try:
            setattr(self, name, model.model_validate(given))
        except ValidationError as error:
            return problems_of(error)
        return []


class Missing(Api):
    """Any address that is none of ours."""

    @needs("public")
    async def get(self) -> None:
        raise NotFound("There is nothing at this address.")

    post = put = patch = delete = get
