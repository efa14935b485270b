"""Who may do what. Each route names a permission; this says who has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from saturn_hub.model.workload import Owner, OwnerKind


class Permission(StrEnum):
    """What a route may ask for of a resource; ADMINISTER is of the platform."""

    SEE = "see"
    EDIT = "edit"
    OPERATE = "operate"  # start, stop, run, deploy, read logs and files
    SHARE = "share"
    ADMINISTER = "administer"


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in. `teams` are the names of their JupyterHub groups; who is `disabled` may do nothing."""

    id: str
    name: str
    admin: bool = False
    teams: frozenset[str] = frozenset()
    disabled: bool = False


class Who(StrEnum):
    PRIVATE = "private"
    PEOPLE = "people"
    SIGNED_IN = "signed_in"
    PUBLIC = "public"


@dataclass(frozen=True)
class Access:
    """Who may open an app besides its owner."""

    who: Who = Who.PRIVATE
    people: tuple[str, ...] = field(default_factory=tuple)
    teams: tuple[str, ...] = field(default_factory=tuple)


def owns(person: Person, owner: Owner) -> bool:
    """Whether `person` is the owner, or in the team that is."""
    if owner.kind is OwnerKind.TEAM:
        return owner.name in person.teams
    return owner.name == person.name


def permissions(person: Person, owner: Owner) -> frozenset[Permission]:
    """What `person` may do with what `owner` has. Empty for strangers: for them it does not exist.

    An admin sees and stops everything, but does not edit or share what is somebody else's.
    """
    if owns(person, owner):
        return frozenset({Permission.SEE, Permission.EDIT, Permission.OPERATE, Permission.SHARE})
    if person.admin:
        return frozenset({Permission.SEE, Permission.OPERATE})
    return frozenset()


def may_open(person: Person | None, owner: Owner, access: Access) -> bool:
    """Whether `person` (None: not signed in) may look at an app. The one policy of the gateway."""
    if access.who is Who.PUBLIC:
        return True
    if person is None or person.disabled:
        return False
    if owns(person, owner) or access.who is Who.SIGNED_IN:
        return True
    return access.who is Who.PEOPLE and (person.name in access.people or bool(person.teams & set(access.teams)))
