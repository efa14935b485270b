"""Sign-in with a name and a password from `people.json`, for a machine that has no sign-in of its own."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from jupyterhub.auth import Authenticator

from saturn_hub.hub import client

FIRST_PEOPLE: dict[str, dict[str, Any]] = {
    "admin": {"admin": True, "groups": []},
    "ada": {"admin": False, "groups": ["growth"]},
    "ben": {"admin": False, "groups": ["growth"]},
    "eve": {"admin": False, "groups": []},
}
_HASHER = PasswordHasher()
# Checked in place of a name that does not exist, so that an answer takes as long and tells nothing.
_NOBODY = _HASHER.hash(secrets.token_urlsafe(18))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    fresh.replace(path)


def make_first_people(home: Path) -> bool:
    """Make the first people with random passwords, once. True where it made them."""
    listing = home / "people.json"
    if listing.exists():
        return False
    people = {}
    for name, about in FIRST_PEOPLE.items():
        password = secrets.token_urlsafe(18)
        write_private(home / "passwords" / name, password + "\n")
        people[name] = {"hash": _HASHER.hash(password), "disabled": False, **about}
    write_private(listing, json.dumps(people, indent=2) + "\n")
    return True


def matches(encoded: str, password: str) -> bool:
    """Whether the password belongs to this hash; a broken hash belongs to nobody."""
    try:
        return _HASHER.verify(encoded, password)
    except (VerificationError, InvalidHashError):
        return False


class SaturnAuthenticator(Authenticator):
    """Reads `people.json` at each sign-in, so that a change to it needs no restart."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """The person behind the name and the password, None for everything else."""
        name = data.get("username", "")
        people = json.loads((client.home() / "people.json").read_text(encoding="utf-8"))
        person = people.get(name)
        right = await asyncio.to_thread(matches, person["hash"] if person else _NOBODY, data.get("password", ""))
        # `team:growth` is how an owner that is a team is written: no person may look like one.
        if not right or person is None or person.get("disabled") or name.startswith("team:"):
            return None
        found = {"name": name, "admin": bool(person.get("admin")), "groups": list(person.get("groups", []))}
        try:
            await client.call("POST", "people", found)
        except client.ServiceDown:
            self.log.warning("The service does not answer; it learns of %s at the next sign-in.", name)
        return found
