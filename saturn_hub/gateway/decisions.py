"""Asks the service who may pass, and remembers its answers for as long as they say."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from saturn_hub.errors import Forbidden, Unavailable

log = logging.getLogger("saturn.gateway")
KEPT = 10_000
# How long a question is repeated while the service restarts, before the visitor is told.
PATIENCE_SECONDS = 3.0
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Decision:
    """What the service says about one visitor of one app. `address` is where the app listens, where it serves."""

    allow: bool
    status: int
    login: bool = False
    message: str = ""
    state: str = ""
    address: tuple[str, int] | None = None
    person: str | None = None
    strip_authorization: bool = False
    cache_seconds: float = 10

    def url(self, path: str) -> URL:
        """A path of the app, as it was sent, where the app listens."""
        assert self.address
        host, port = self.address
        return URL(f"http://{f'[{host}]' if ':' in host else host}:{port}{path}", encoded=True)

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Decision:
        """Read the service's answer. Keys that we do not know are for a newer gateway."""
        known = {key: answer[key] for key in cls.__dataclass_fields__ if answer.get(key) is not None}
        if "address" in known:
            known["address"] = (str(known["address"][0]), int(known["address"][1]))
        return cls(**known)


Key = tuple[str, str | None, str | None]


class Decisions:
    """The service's answers by (host, cookie, token): bounded, and asked for once where many wait for the same one."""

    def __init__(self, url: str, token: str, session: aiohttp.ClientSession, *, clock: Callable[[], float] = time.monotonic, kept: int = KEPT) -> None:
        self.url, self.session, self.clock, self.kept = url, session, clock, kept
        self.headers = {"Authorization": f"token {token}"}
        self.answers: OrderedDict[Key, tuple[float, Decision]] = OrderedDict()
        self.asked: dict[Key, asyncio.Task[Decision]] = {}

    async def decide(self, host: str, cookie: str | None, token: str | None) -> Decision:
        """The remembered answer or a new one. Raises Unavailable when the service does not answer."""
        key = (host, cookie, token)
        if found := self.answers.get(key):
            if found[0] > self.clock():
                self.answers.move_to_end(key)
                return found[1]
            del self.answers[key]
        task = self.asked.get(key)
        if task is None:
            task = self.asked[key] = asyncio.create_task(self._ask(key))
            task.add_done_callback(lambda _: self.asked.pop(key, None))
        # Shielded: a visitor who goes away does not take the answer from the others that wait for it.
        return await asyncio.shield(task)

    def forget(self, host: str, cookie: str | None, token: str | None = None) -> None:
        """Ask anew the next time."""
        self.answers.pop((host, cookie, token), None)

    async def redeem(self, host: str, code: str, nonce: str) -> str:
        """The cookie for a one-use code. Raises Forbidden with the service's sentence, or Unavailable."""
        status, answer = await self._post("redeem", {"host": host, "code": code, "nonce": nonce})
        if status >= 400:
            raise Forbidden(answer.get("error", {}).get("message") or "This sign-in link was used or is too old. Open the app again.")
        return str(answer["cookie"])

    async def _ask(self, key: Key) -> Decision:
        host, cookie, token = key
        status, answer = await self._post("decide", {"host": host, "cookie": cookie, "token": token})
        if status >= 400:
            log.error("the service refused the gateway's question: %s %s", status, answer)
            raise Unavailable("The service that says who may open this app refused the question.")
        decision = Decision.from_json(answer)
        self.answers[key] = (self.clock() + decision.cache_seconds, decision)
        while len(self.answers) > self.kept:
            self.answers.popitem(last=False)
        return decision

    async def _post(self, what: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """One question. While nobody listens there (a restart takes a second) it is asked again; nothing else is repeated."""
        until = self.clock() + PATIENCE_SECONDS
        url, timeout = f"{self.url}/internal/gateway/{what}", aiohttp.ClientTimeout(total=10)
        while True:
            try:
                async with self.session.post(url, json=body, headers=self.headers, timeout=timeout) as answer:
                    if answer.status >= 500:
                        raise Unavailable("The service that says who may open this app failed. Try again in a moment.")
                    return answer.status, await answer.json(content_type=None)
            except aiohttp.ClientConnectorError as error:
                if self.clock() > until:
                    raise Unavailable("The service that says who may open this app does not answer. Try again in a moment.") from error
                await asyncio.sleep(PAUSE_SECONDS)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise Unavailable("The service that says who may open this app does not answer. Try again in a moment.") from error
