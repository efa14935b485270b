"""A client of Saturn Hub's HTTP API, and nothing more: it speaks HTTP and imports nothing of the rest."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

SERVICE = "/services/saturn"
TOKEN_NOTE = "saturn CLI"
SECONDS = 60.0
RECONNECT_SECONDS = 60.0


class ClientError(Exception):
    """What the hub said, or that it could not be asked. `status` is 0 where it did not answer."""

    def __init__(self, message: str, *, status: int = 0, code: str = "unreachable", path: str = "", details: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.message, self.status, self.code, self.path, self.details = message, status, code, path, details or []


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str = "message"
    data: str = ""
    id: str = ""


@dataclass
class Client:
    """One person at one hub. `url` is the hub's own address, `token` one of JupyterHub's."""

    url: str
    token: str = field(repr=False)
    # Used as it is where one is handed in, for example with a transport of one's own.
    http: httpx.Client | None = None

    def __post_init__(self) -> None:
        self.url = self.url.rstrip("/")
        self.http = self.http or httpx.Client(timeout=SECONDS)
        self.api = f"{self.url}{SERVICE}/api/v1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, params={name: value for name, value in query.items() if value not in (None, "")})

    def post(self, path: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        return self.call("POST", path, json=body or {}, **more)

    def put(self, path: str, body: dict[str, Any], **more: Any) -> Any:
        return self.call("PUT", path, json=body, **more)

    def delete(self, path: str) -> None:
        self.call("DELETE", path)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if not page["next"]:
                return
            query["after"] = page["next"]

    def text(self, path: str) -> str:
        """The text at an address that gives no JSON. What is no UTF-8 in it is replaced."""
        return self._answer("GET", path).content.decode(errors="replace")

    def call(self, method: str, path: str, **more: Any) -> Any:
        """One request; the JSON of its reply. Raises ClientError."""
        answer = self._answer(method, path, **more)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise ClientError(f"What answers at {self.url} is not Saturn Hub. Is the address right?") from error

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}", **more.pop("headers", {})}
        try:
            answer = self._http.request(method, self.api + path, headers=headers, **more)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if answer.is_error or answer.is_redirect:
            raise refusal(answer, self.url)
        return answer

    def follow(self, path: str, lost: Callable[[str], None] = lambda reason: None, **query: Any) -> Iterator[Event]:
        """Server-sent events until the one called `end`. After a lost connection it goes on behind the last that came.

        `lost` is told of each. Raises ClientError when the hub refuses, or is away for a minute.
        """
        last, since = "", time.monotonic()
        while True:
            headers = {"Authorization": f"token {self.token}", "Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            try:
                with self._http.stream("GET", self.api + path, params=query, headers=headers) as answer:
                    if answer.status_code < 500 and answer.status_code != 200:
                        answer.read()
                        raise refusal(answer, self.url)
                    if answer.status_code == 200:
                        for event in events(answer.iter_lines()):
                            since, last = time.monotonic(), event.id or last
                            if event.name == "end":
                                return
                            yield event
                    reason = f"The hub answered {answer.status_code}." if answer.status_code != 200 else ""
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
                if time.monotonic() - since > RECONNECT_SECONDS:
                    raise unreachable(self.url, error) from error
            if reason:
                lost(reason)
            time.sleep(0.5)

    @property
    def _http(self) -> httpx.Client:
        assert self.http is not None
        return self.http


def events(lines: Iterator[str]) -> Iterator[Event]:
    """Server-sent events from the lines of a stream, as the standard of HTML says; comments are left out."""
    name, number = "", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Event(name or "message", "\n".join(data), number)
            name, data = "", []
            continue
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "data":
            data.append(value)
        elif key == "id":
            number = value


def unreachable(url: str, error: Exception) -> ClientError:
    return ClientError(f"Saturn Hub at {url} cannot be reached: {error or type(error).__name__}. Is it running, and is the address right?")


def refusal(answer: httpx.Response, url: str) -> ClientError:
    """The error that a reply tells, also where it is none of ours."""
    try:
        told = answer.json()["error"]
        return ClientError(told["message"], status=answer.status_code, code=told["code"], path=told["path"], details=told["details"])
    except (ValueError, KeyError, TypeError):
        pass
    if answer.status_code in (502, 503, 504):
        return ClientError(f"Saturn Hub at {url} does not answer now ({answer.status_code}). Try again in a moment.", status=answer.status_code)
    if answer.is_redirect or answer.status_code == 404:
        return ClientError(f"There is no Saturn Hub at {url}. Is the address right?", status=answer.status_code)
    return ClientError(f"{url} answered {answer.status_code}.", status=answer.status_code, code="unknown")


def key_path(kind: str, owner: str, name: str) -> str:
    """The path of a resource below `/recipes`, each part percent-encoded once."""
    return "/" + "/".join(quote(each, safe="") for each in (kind, owner, name))


def sign_in(url: str, name: str, password: str) -> str:
    """A token of its own for this person, made by signing in through the hub's form. Raises ClientError."""
    url = url.rstrip("/")
    try:
        with httpx.Client(timeout=SECONDS, follow_redirects=True) as browser:
            form = browser.get(f"{url}/hub/login")
            xsrf = _xsrf(browser)
            if form.is_error or not xsrf:
                raise ClientError(f"There is no JupyterHub at {url}, or it has no form to sign in with. Use a token: `--token-file`.", code="no_form")
            sent = {"username": name, "password": password, "_xsrf": xsrf}
            answer = browser.post(f"{url}/hub/login", params={"_xsrf": xsrf}, data=sent, follow_redirects=False)
            if not answer.is_redirect:
                raise ClientError(f"The hub did not let '{name}' in: the name or the password is wrong.", status=403, code="sign_in_refused")
            browser.get(f"{url}/hub/token")
            headers = {"X-XSRFToken": _xsrf(browser)}
            made = browser.post(f"{url}/hub/api/users/{quote(name, safe='')}/tokens", json={"note": TOKEN_NOTE}, headers=headers)
    except httpx.TransportError as error:
        raise unreachable(url, error) from error
    if made.status_code != 201:
        message = f"The hub let '{name}' in but made no token ({made.status_code}). Make one on its page and use `--token-file`."
        raise ClientError(message, status=made.status_code, code="no_token")
    return str(made.json()["token"])


def _xsrf(browser: httpx.Client) -> str:
    """The hub's cookie against forged requests, the one of the longest path: it is the newest of the pages below /hub."""
    found = [each for each in browser.cookies.jar if each.name == "_xsrf" and re.search(r"/hub/$", each.path)]
    return str(max(found, key=lambda each: len(each.path)).value) if found else ""
