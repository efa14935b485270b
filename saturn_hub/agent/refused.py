"""Why a preparation cannot go on."""

from __future__ import annotations


class Refused(Exception):
    """`code`, a sentence, and the path of the recipe's field."""

    def __init__(self, code: str, message: str, path: str) -> None:
        super().__init__(message)
        self.code, self.message, self.path = code, message, path

    def as_dict(self) -> dict:
        return {"code": self.code, "message": self.message, "path": self.path}
