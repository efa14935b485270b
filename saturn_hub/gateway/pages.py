"""What the gateway says by itself: pages for people, JSON for programs, from one answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
REFRESH_SECONDS = 2

STYLE = """\
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #fff; --ink: #1c2330; --soft: #5b6472; --line: #dfe3e8; --act: #1f5fd0; --on-act: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --card: #1d2229; --ink: #e8ebf0; --soft: #a3adba; --line: #333b46; --act: #8ab4f8; --on-act: #14171c; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { width: 100%; max-width: 30rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
.state { margin: 0; color: var(--soft); font-size: .875rem; }
h1 { margin: .25rem 0 .75rem; font-size: 1.375rem; line-height: 1.3; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
p:last-child { margin-bottom: 0; }
.action { display: inline-block; padding: .5rem 1rem; border-radius: .375rem; background: var(--act); color: var(--on-act); text-decoration: none; }
.action:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
.progress { height: .25rem; margin: 0 0 1rem; border-radius: 1rem; background: var(--line); overflow: hidden; }
.progress span { display: block; width: 40%; height: 100%; background: var(--act); animation: pass 1.4s ease-in-out infinite; }
@keyframes pass { from { margin-left: -40%; } to { margin-left: 100%; } }
@media (prefers-reduced-motion: reduce) { .progress span { animation: none; width: 100%; } }
"""


@dataclass(frozen=True)
class Answer:
    """Something to say: to a program its code and sentence, to a person a title, the sentence, and one thing to do."""

    status: int
    code: str
    title: str
    message: str
    action: tuple[str, str] | None = None  # words and where they lead
    waits: bool = False  # the page asks again by itself


def refused(message: str) -> Answer:
    return Answer(403, "forbidden", "This app is not open to you", message, ("Sign in as somebody else", "/.saturn/logout"))


def sign_in(message: str) -> Answer:
    return Answer(401, "not_signed_in", "Sign in to open this app", message or "Sign in to open this app.", ("Sign in", "/"))


def not_found(host: str) -> Answer:
    return Answer(404, "not_found", "There is no app here", f"No app has the address {host}. It may have been deleted, or its name is spelled otherwise.")


def not_serving(state: str, message: str) -> Answer:
    """For an app that exists, may be opened, and serves nothing now."""
    again = ("Try again", "")
    if state in ("deploying", "starting", "sleeping"):
        said = message if message and message != f"The app is {state}." else "It takes a moment. This page opens the app as soon as it is ready."
        return Answer(503, "app_starting", "The app is starting", said, waits=True)
    if state == "failed":
        return Answer(503, "app_failed", "The app failed to start", message or "Its owner sees why in its log.", again)
    return Answer(503, "app_stopped", "The app is stopped", message or "Its owner can deploy it again.", again)


def silent(message: str) -> Answer:
    """For an app that serves, by the service's word, and does not answer."""
    return Answer(502, "app_unreachable", "The app does not answer", message, ("Try again", ""))


def service_down(message: str) -> Answer:
    return Answer(503, "unavailable", "Saturn Hub does not answer", message, ("Try again", ""))


def bad_sign_in(message: str) -> Answer:
    return Answer(403, "sign_in_failed", "Signing in did not work", message, ("Open the app again", "/"))


def signed_out() -> Answer:
    return Answer(200, "signed_out", "You are signed out of this app", "Other apps and Saturn Hub itself keep you signed in.", ("Sign in again", "/"))


def as_json(answer: Answer) -> bytes:
    """The error format of the API."""
    return json.dumps({"error": {"code": answer.code, "message": answer.message, "path": "", "details": []}}).encode()


def as_page(answer: Answer) -> bytes:
    """A whole page. Everything in it that is not ours is escaped."""
    action = f'<p><a class="action" href="{escape(answer.action[1])}">{escape(answer.action[0])}</a></p>' if answer.action else ""
    waiting = '<div class="progress" role="progressbar" aria-label="Starting"><span></span></div>' if answer.waits else ""
    refresh = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">' if answer.waits else ""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">{refresh}
<title>{escape(answer.title)} · Saturn Hub</title><link rel="stylesheet" href="/.saturn/style.css"></head>
<body><main><p class="state">Saturn Hub</p><h1>{escape(answer.title)}</h1>{waiting}<p>{escape(answer.message)}</p>{action}</main></body></html>
""".encode()


def headers(answer: Answer, *, page: bool) -> dict[str, str]:
    """What goes with it."""
    found = {"Content-Type": "text/html; charset=utf-8" if page else "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if page:
        found |= {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    if answer.status == 401:
        found["WWW-Authenticate"] = 'Bearer realm="Saturn Hub app"'
    if answer.waits:
        found["Retry-After"] = str(REFRESH_SECONDS)
    return found
