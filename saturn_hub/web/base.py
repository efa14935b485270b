"""What every handler has: the person, the context, JSON in and out, pages, and errors in one shape."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from typing import Any

from jupyterhub.services.auth import HubOAuthenticated
from tornado.web import HTTPError, RequestHandler

from saturn_hub.engine import people
from saturn_hub.engine.context import Context
from saturn_hub.errors import Forbidden, NotSignedIn, SaturnError, Unavailable
from saturn_hub.model.access import Person
from saturn_hub.web.errors import document, known

log = logging.getLogger("saturn.web")
POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'; base-uri 'none'; form-action 'self' http://*.apps.localhost:*"


class Base(HubOAuthenticated, RequestHandler):
    """Errors in one shape, and who is asking."""

    page = False

    @property
    def context(self) -> Context:
        return self.settings["context"]

    @property
    def base(self) -> str:
        return self.settings["base"]

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")

    async def prepare(self) -> None:
        """Ask the hub who this is, without holding up everybody else meanwhile; what asks later finds the answer kept."""
        try:
            await self.hub_auth.get_user(self, sync=False)
        except HTTPError as error:
            raise Unavailable("JupyterHub does not answer. Try again in a moment.") from error

    async def person(self) -> Person:
        """Who is signed in. Raises NotSignedIn, and Forbidden for a token that is no person's or may not come here."""
        model = await self.hub_auth.get_user(self, sync=False)
        user = self.get_current_user()
        if model is None:
            raise NotSignedIn("Sign in first: send a token of JupyterHub in the header `Authorization: token …`.")
        if user is None or user.get("kind") != "user":
            raise Forbidden("This token may not use Saturn Hub: it has to be a person's, with access to the service.", code="token_not_allowed")
        cache = self.settings["people"]
        groups = frozenset(user.get("groups", ()))
        known = cache.get(user["name"])
        if known is None or known.admin != bool(user.get("admin")) or known.teams != groups:
            known = cache[user["name"]] = await people.arrive(self.context, user["name"], bool(user.get("admin")), groups)
        if known.disabled:
            raise Forbidden(f"{known.name} is disabled here. Ask an admin.", code="disabled")
        return known

    def reply(self, value: Any, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = known(kwargs.get("exc_info", (None, None, None))[1], status_code)
        self.set_status(error.status)
        number = secrets.token_hex(4)
        if error.status >= 500:
            log.error("%s %s failed, id %s", self.request.method, self.request.path, number, exc_info=kwargs.get("exc_info"))
        if error.status == 405:
            self.set_header("Allow", ", ".join(each for each in self.SUPPORTED_METHODS if _answers(type(self), each)))
        if self.page:
            self.render_page("error.html", status=error.status, message=error.message, detail=[each.message for each in error.details], id=number)
        else:
            self.reply(document(error) | ({"id": number} if error.status >= 500 else {}), error.status)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, SaturnError):
            super().log_exception(typ, value, tb)

    def render_page(self, template: str, **values: Any) -> None:
        """A page with what all pages have."""
        user = self.get_current_user() or {"name": "", "admin": False, "groups": []}
        me = {"name": user["name"], "admin": bool(user.get("admin")), "teams": list(user.get("groups", []))}
        token = self.xsrf_token.decode() if isinstance(self.xsrf_token, bytes) else self.xsrf_token
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(self.settings["pages"].get_template(template).render(base=self.base, hub=self.settings["hub"], me=me, xsrf=token, **values))


def _answers(handler: type[RequestHandler], method: str) -> bool:
    """Whether a handler has the method, rather than tornado's refusal."""
    return getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower())


class Internal(RequestHandler):
    """A door for the hub and the gateway alone, with a secret of their own."""

    @property
    def context(self) -> Context:
        return self.settings["context"]

    def prepare(self) -> None:
        given = self.request.headers.get("Authorization", "").removeprefix("token ")
        if not hmac.compare_digest(given.encode(), self.settings["internal_token"].encode()):
            raise NotSignedIn("This door is for the hub and the gateway.")

    def check_xsrf_cookie(self) -> None:
        """Nothing here is authenticated by a cookie."""

    def body(self) -> dict[str, Any]:
        return json.loads(self.request.body or b"{}")

    def reply(self, value: Any, status: int = 200) -> None:
        self.set_status(status)
        self.finish(json.dumps(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if not isinstance(error, SaturnError):
            error = SaturnError("Something went wrong in the service; its log says what.")
        self.set_status(error.status)
        self.finish(json.dumps(document(error)))
