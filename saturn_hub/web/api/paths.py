"""What the parts of an address mean."""

from __future__ import annotations

from saturn_hub.engine.context import Key
from saturn_hub.errors import InvalidInput, NotFound
from saturn_hub.model.workload import Kind, Owner


def key(kind: str, owner: str, name: str) -> Key:
    """The resource that an address names. Raises NotFound for a kind that there is not."""
    try:
        return Key(Kind(kind), Owner.parse(owner), name)
    except ValueError as error:
        raise NotFound(f"There is no kind of resource called '{kind}'.") from error


def revision(header: str | None) -> int | None:
    """The revision that `If-Match` names, None where any will do. Raises InvalidInput."""
    if header is None or header.strip() == "*":
        return None
    number = header.strip().removeprefix('"').removesuffix('"')
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise InvalidInput('If-Match is the number of a revision, as in `If-Match: "3"`.', path="If-Match")
    return int(number)


def once(header: str | None) -> str:
    """The `Idempotency-Key`, empty where there is none. Raises InvalidInput."""
    if header is None:
        return ""
    if not 0 < len(header) <= 100 or not header.isascii() or not header.isprintable():
        raise InvalidInput("Idempotency-Key is of 1 to 100 printable ASCII letters.", path="Idempotency-Key")
    return header
