"""Where an error of ours becomes HTTP, once."""

from __future__ import annotations

from typing import Any

from saturn_hub.errors import SaturnError


def document(error: SaturnError) -> dict[str, Any]:
    """The JSON of an error as the API gives it."""
    details = [{"code": each.code, "message": each.message, "path": each.path} for each in error.details]
    return {"error": {"code": error.code, "message": error.message, "path": error.path, "details": details}}
