"""What passes through the gateway and what is ours. Pure functions on header names and values."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

SESSION_COOKIE = "saturn-app"
NONCE_COOKIE = "saturn-nonce"
TOKEN_PREFIX = "sat_app_"
# Cookies of ours and of the hub. The hub's are bound to another host; a browser that sends them anyway shows them to no app.
OUR_COOKIES = re.compile(r"(saturn-app|saturn-nonce|jupyterhub-.*|service-saturn.*)\Z")
# RFC 9110, 7.6.1, with the older ones that software still sends.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
# What only the gateway may say. Compared with `_` read as `-`, for CGI-style servers do not tell the two apart.
FORWARDED = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-user", "x-real-ip"})
HANDSHAKE = frozenset({"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol"})
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")

Headers = Iterable[tuple[str, str]]


def label_of(host: str, domain: str) -> str | None:
    """The app's label in a Host header (`churn.apps.localhost:8100` gives `churn`), None where it is no host of ours."""
    name = host.rpartition(":")[0] if re.search(r":\d+\Z", host) else host
    label, dot, rest = name.lower().rstrip(".").partition(".")
    return label if dot and rest == domain.lower() and LABEL.match(label) else None


def cookies_of(header: str) -> list[tuple[str, str]]:
    """The pairs of a Cookie header, in order, values as they are."""
    pairs = [part.strip().partition("=") for part in header.split(";")]
    return [(name.strip(), value.strip()) for name, equals, value in pairs if equals]


def cookie(header: str, name: str) -> str | None:
    """The first cookie of that name."""
    return next((value.strip('"') for each, value in cookies_of(header) if each == name), None)


def without_ours(header: str) -> str:
    """A Cookie header without the cookies that are ours."""
    return "; ".join(f"{name}={value}" for name, value in cookies_of(header) if not OUR_COOKIES.match(name))


def app_token(authorization: str) -> str | None:
    """The token of ours in an Authorization header, None for anything that belongs to the app."""
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    return value if scheme.lower() in ("bearer", "token") and value.startswith(TOKEN_PREFIX) else None


def hop_by_hop(headers: Headers) -> frozenset[str]:
    """Lower-case names that concern one connection alone, with those that its Connection header names."""
    named = {name.strip().lower() for key, value in headers if key.lower() == "connection" for name in value.split(",")}
    return HOP_BY_HOP | named


def to_app(
    headers: Headers, *, strip_authorization: bool, person: str | None, scheme: str, host: str, remote: str, websocket: bool = False
) -> list[tuple[str, str]]:
    """The request headers that the app gets."""
    headers = list(headers)
    dropped = hop_by_hop(headers) | {"expect"} | (HANDSHAKE if websocket else frozenset())
    passed = []
    for name, value in headers:
        lower = name.lower()
        if lower in dropped or lower.replace("_", "-") in FORWARDED:
            continue
        if lower == "authorization" and (strip_authorization or app_token(value)):
            continue
        if lower == "cookie":
            value = without_ours(value)
            if not value:
                continue
        passed.append((name, value))
    passed += [("X-Forwarded-For", remote), ("X-Forwarded-Host", host), ("X-Forwarded-Proto", scheme)]
    return [*passed, ("X-Forwarded-User", person)] if person else passed


def to_client(headers: Headers) -> list[tuple[str, str]]:
    """The response headers that the client gets. An app cannot set a cookie of ours."""
    headers = list(headers)
    dropped = hop_by_hop(headers)
    return [(name, value) for name, value in headers if name.lower() not in dropped and not (name.lower() == "set-cookie" and _sets_ours(value))]


def _sets_ours(set_cookie: str) -> bool:
    return bool(OUR_COOKIES.match(set_cookie.partition("=")[0].strip()))


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a websocket's Origin is the host it goes to. What sends none is no browser, and has no cookie to abuse."""
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def is_browser(method: str, accept: str) -> bool:
    """Whether a person looks at the answer: it then is a page, else JSON."""
    return method in ("GET", "HEAD") and "text/html" in accept.lower()


def local_path(path: str) -> str:
    """`path` if it stays on this host, else `/`."""
    return path if re.match(r"/(?![/\\])[^\s\\\x00-\x1f]*\Z", path) else "/"


def nonce_hash(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()
