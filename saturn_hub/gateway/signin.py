"""Signs a browser in at one app's host: a nonce out, a one-use code back, a cookie for this host alone."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

from aiohttp import web

from saturn_hub.errors import Forbidden
from saturn_hub.gateway import pages, policy
from saturn_hub.gateway.decisions import Decisions
from saturn_hub.gateway.visit import say

PREFIX = "/.saturn/"
NONCE_SECONDS = 600
SESSION_SECONDS = 86_400


class SignIn:
    """`hub_url` is where the browser signs in, with the service's path."""

    def __init__(self, decisions: Decisions, hub_url: str) -> None:
        self.decisions, self.hub_url = decisions, hub_url

    def send(self, request: web.BaseRequest, label: str) -> web.Response:
        """Send the browser to sign in, and back to where it wanted to go. Tabs that wait already share one nonce."""
        nonce = policy.cookie(request.headers.get("Cookie", ""), policy.NONCE_COOKIE) or secrets.token_urlsafe(32)
        query = urlencode({"host": label, "nonce": policy.nonce_hash(nonce), "next": policy.local_path(request.rel_url.raw_path_qs)})
        response = web.Response(status=302, headers={"Location": f"{self.hub_url}/open?{query}", "Cache-Control": "no-store"})
        _set(request, response, policy.NONCE_COOKIE, nonce, NONCE_SECONDS)
        return response

    async def serve(self, request: web.BaseRequest, label: str) -> web.StreamResponse:
        """Everything below `/.saturn/`."""
        path = request.rel_url.raw_path
        if path == PREFIX + "style.css":
            return web.Response(text=pages.STYLE, content_type="text/css", headers={"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"})
        if path == PREFIX + "login" and request.method == "GET":
            return await self._come_back(request, label)
        if path == PREFIX + "logout" and request.method in ("GET", "POST"):
            return self._leave(request, label)
        return say(request, pages.not_found(request.host + path))

    async def _come_back(self, request: web.BaseRequest, label: str) -> web.Response:
        nonce = policy.cookie(request.headers.get("Cookie", ""), policy.NONCE_COOKIE)
        code = request.rel_url.query.get("code", "")
        if not nonce or not code:
            return say(request, pages.bad_sign_in("This sign-in was not begun in this browser, or its cookies are switched off."))
        try:
            cookie = await self.decisions.redeem(label, code, nonce)
        except Forbidden as error:
            return say(request, pages.bad_sign_in(error.message))
        response = web.Response(status=302, headers={"Location": policy.local_path(request.rel_url.query.get("next", "/")), "Cache-Control": "no-store"})
        _set(request, response, policy.SESSION_COOKIE, cookie, SESSION_SECONDS)
        _set(request, response, policy.NONCE_COOKIE, "", 0)
        return response

    def _leave(self, request: web.BaseRequest, label: str) -> web.Response:
        self.decisions.forget(label, policy.cookie(request.headers.get("Cookie", ""), policy.SESSION_COOKIE))
        response = say(request, pages.signed_out())
        _set(request, response, policy.SESSION_COOKIE, "", 0)
        return response


def _set(request: web.BaseRequest, response: web.Response, name: str, value: str, seconds: int) -> None:
    """A cookie without Domain, so that no other host gets it, and out of reach of the app's scripts."""
    response.set_cookie(name, value, max_age=seconds, path="/", httponly=True, samesite="Lax", secure=request.scheme == "https")
