"""The one tree of errors. An error carries a code, a sentence that a person can act on, and the path of the field.

It is raised where the cause is known and becomes HTTP once, in `web.errors`. Imports nothing of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input: `path` names the field (`repositories[0].url`), empty for the whole."""

    code: str
    message: str
    path: str = ""


class SaturnError(Exception):
    """Base of every error that we raise on purpose."""

    status = 500
    code = "internal"

    def __init__(self, message: str, *, path: str = "", code: str | None = None, details: Iterable[Problem] = ()):
        super().__init__(message)
        self.message = message
        self.path = path
        self.code = code or type(self).code
        self.details = tuple(details)


class InvalidInput(SaturnError):
    """The input cannot be accepted. `details` holds every problem found, the error itself tells the first."""

    status = 400
    code = "invalid"

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> InvalidInput:
        """Join problems into one error. Expects at least one."""
        found = tuple(problems)
        return cls(found[0].message, path=found[0].path, code=found[0].code, details=found)


class NotSignedIn(SaturnError):
    status = 401
    code = "not_signed_in"


class Forbidden(SaturnError):
    status = 403
    code = "forbidden"


class NotFound(SaturnError):
    status = 404
    code = "not_found"


class MethodNotAllowed(SaturnError):
    status = 405
    code = "method_not_allowed"


class Conflict(SaturnError):
    """The thing exists already, or is in a state in which this cannot be done."""

    status = 409
    code = "conflict"


class PreconditionFailed(SaturnError):
    """The revision named by If-Match is no longer the current one."""

    status = 412
    code = "revision_moved"


class TooLarge(SaturnError):
    """The body is larger than we take."""

    status = 413
    code = "too_large"


class UnsupportedMedia(SaturnError):
    """The body is of a type that we do not read."""

    status = 415
    code = "unsupported_media_type"


class RangeNotSatisfiable(SaturnError):
    """The range asked for begins after the end."""

    status = 416
    code = "range_not_satisfiable"


class TooManyRequests(SaturnError):
    status = 429
    code = "too_many_requests"


class Unavailable(SaturnError):
    """Something that we depend on does not answer. Trying again later may help."""

    status = 503
    code = "unavailable"


class BackendError(SaturnError):
    """Base of what a backend raises."""


class OutOfCapacity(BackendError):
    """No room for a workload of this size now."""

    status = 409
    code = "out_of_capacity"


class ImageUnavailable(BackendError):
    status = 409
    code = "image_unavailable"


class InvalidWorkload(BackendError):
    status = 400
    code = "invalid_workload"


class BackendUnavailable(BackendError):
    """The only error of a backend after which the same call may simply be repeated."""

    status = 503
    code = "backend_unavailable"


class ConfigurationError(SaturnError):
    """A setting or the catalog is wrong. `path` is `FILE: key`. It stops the start."""

    code = "configuration"
