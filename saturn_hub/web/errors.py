"""Where an error becomes HTTP, once."""

from __future__ import annotations

from typing import Any

from tornado.web import HTTPError

from saturn_hub.errors import Forbidden, InvalidInput, MethodNotAllowed, NotFound, NotSignedIn, SaturnError, TooLarge, Unavailable

# What tornado and JupyterHub raise by themselves, as errors of ours with a sentence for whoever meets it.
KNOWN: dict[int, tuple[type[SaturnError], str]] = {
    400: (InvalidInput, "The request cannot be read: its address, headers or form are malformed."),
    401: (NotSignedIn, "Sign in first."),
    403: (Forbidden, "This is not allowed. A request with a cookie also needs the header `X-XSRFToken`; reload the page if it was open for long."),
    404: (NotFound, "There is nothing at this address."),
    405: (MethodNotAllowed, "This address does not take this method."),
    413: (TooLarge, "The request is too large."),
    502: (Unavailable, "JupyterHub does not answer. Try again in a moment."),
    503: (Unavailable, "Something that we depend on does not answer. Try again in a moment."),
}


def known(error: BaseException | None, status: int) -> SaturnError:
    """`error` as one of ours. What is unforeseen says nothing of its inside: the log has that, under the id of the reply."""
    if isinstance(error, SaturnError):
        return error
    kind, message = KNOWN.get(status, (SaturnError, "Something went wrong here. The admin finds it in the log by the id."))
    if isinstance(error, HTTPError) and error.log_message and status == 404:
        message = error.log_message
    made = kind(message)
    if kind is SaturnError and 400 <= status < 500:
        made = InvalidInput("The request cannot be answered as it is.")
        made.status = status
    return made


def document(error: SaturnError) -> dict[str, Any]:
    """The JSON of an error as the API gives it."""
    details = [{"code": each.code, "message": each.message, "path": each.path} for each in error.details]
    return {"error": {"code": error.code, "message": error.message, "path": error.path, "details": details}}
