"""One request as the gateway sees it: which app, who, and what they are told when there is nothing to pass on."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict

from saturn_hub.gateway import pages, policy
from saturn_hub.gateway.decisions import Decision
from saturn_hub.gateway.pages import Answer


@dataclass(frozen=True)
class Visit:
    """`cookie` and `token` are ours; what the app uses itself is none of our business."""

    host: str
    cookie: str | None
    token: str | None

    @classmethod
    def of(cls, request: web.BaseRequest, label: str) -> Visit:
        """Read the visitor from a request. A cookie does not count where another origin made the browser send a write."""
        cookie = policy.cookie(request.headers.get("Cookie", ""), policy.SESSION_COOKIE)
        token = policy.app_token(request.headers.get("Authorization", ""))
        return cls(label, None if _forged(request) else cookie, token)


def _forged(request: web.BaseRequest) -> bool:
    """Whether a write comes from a page of another origin. Apps are one *site*, so SameSite does not stop those of a neighbour."""
    if request.method in ("GET", "HEAD", "OPTIONS") or request.headers.get("Sec-Fetch-Site") == "same-origin":
        return False
    return not policy.same_origin(request.headers.get("Origin"), request.host)


def explain(decision: Decision, host: str) -> Answer:
    """What to say to a visitor who may not pass, or to whom nothing can be shown."""
    if decision.status == 401:
        return pages.sign_in(decision.message)
    if decision.status == 403:
        return pages.refused(decision.message)
    if decision.status == 404:
        return pages.not_found(host)
    return pages.not_serving(decision.state, decision.message)


def say(request: web.BaseRequest, answer: Answer) -> web.Response:
    """A page for a person, JSON for a program."""
    page = policy.is_browser(request.method, request.headers.get("Accept", ""))
    body = pages.as_page(answer) if page else pages.as_json(answer)
    return web.Response(status=answer.status, body=body, headers=pages.headers(answer, page=page))


def headers_for(request: web.BaseRequest, decision: Decision, *, websocket: bool = False) -> CIMultiDict[str]:
    """The request's headers as the app gets them."""
    strip, scheme, remote = decision.strip_authorization, request.scheme, request.remote or ""
    found = policy.to_app(
        request.headers.items(), strip_authorization=strip, person=decision.person, scheme=scheme, host=request.host, remote=remote, websocket=websocket
    )
    return CIMultiDict((name, text(value)) for name, value in found)


def text(value: str) -> str:
    """A value that can be sent: bytes that are no UTF-8 were read as surrogates, and are taken for Latin-1."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
