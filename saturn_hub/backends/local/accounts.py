"""People with passwords of their own on this machine, in `people.json`: hashed, written whole under a lock, read by root or us alone."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

FIRST_PEOPLE: dict[str, tuple[bool, tuple[str, ...]]] = {"admin": (True, ()), "ada": (False, ("growth",)), "ben": (False, ("growth",)), "eve": (False, ())}
_HASHER = PasswordHasher()
# Checked in place of a name that does not exist, so that an answer takes as long and tells nothing.
_NOBODY = _HASHER.hash(secrets.token_urlsafe(18))


@dataclass(frozen=True)
class Account:
    """One person's entry: the hash of their password, and what JupyterHub is told of them."""

    hash: str
    admin: bool = False
    groups: tuple[str, ...] = ()
    disabled: bool = False


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = file.with_name(f".{file.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)


def exists(home: Path) -> bool:
    """Whether people of this folder have passwords of ours."""
    return (home / "people.json").exists()


def read(home: Path) -> dict[str, Account]:
    """All accounts by name; none where there is no file."""
    if not exists(home):
        return {}
    listing = json.loads((home / "people.json").read_text(encoding="utf-8"))
    return {name: Account(each["hash"], bool(each.get("admin")), tuple(each.get("groups", ())), bool(each.get("disabled"))) for name, each in listing.items()}


@contextmanager
def changing(home: Path) -> Iterator[dict[str, Account]]:
    """The accounts to change, written back at the end of the block unless it raises. One at a time does it."""
    with open(os.open(home / "people.lock", os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        accounts = read(home)
        yield accounts
        write_private(home / "people.json", json.dumps({name: asdict(each) for name, each in accounts.items()}, indent=2) + "\n")


def new_password() -> tuple[str, str]:
    """A password and its hash."""
    password = secrets.token_urlsafe(18)
    return password, _HASHER.hash(password)


def make_first_people(home: Path) -> dict[str, str]:
    """Make the first people once. Gives the passwords by name where it made them, for they are told once; they stay in `passwords/NAME`."""
    if exists(home):
        return {}
    told = {}
    with changing(home) as accounts:
        for name, (admin, groups) in FIRST_PEOPLE.items():
            told[name], encoded = new_password()
            write_private(home / "passwords" / name, told[name] + "\n")
            accounts[name] = Account(encoded, admin, groups)
    return told


def sign_in(home: Path, name: str, password: str) -> Account | None:
    """The account that the name and the password open, None for everything else. Takes as long for a name that nobody has."""
    account = read(home).get(name)
    right = _matches(account.hash if account else _NOBODY, password)
    return account if right and account and not account.disabled else None


def set_password(home: Path, name: str) -> str:
    """A new password for somebody who is there. The old one opens nothing from now on. Raises KeyError."""
    password, encoded = new_password()
    with changing(home) as accounts:
        accounts[name] = replace(accounts[name], hash=encoded)
    # What is written there was the old one.
    (home / "passwords" / name).unlink(missing_ok=True)
    return password


def _matches(encoded: str, password: str) -> bool:
    """Whether the password belongs to this hash; a broken hash belongs to nobody."""
    try:
        return _HASHER.verify(encoded, password)
    except (VerificationError, InvalidHashError):
        return False
