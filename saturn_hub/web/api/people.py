"""People and teams, for admins."""

from __future__ import annotations

from pydantic import Field

from saturn_hub.engine import people
from saturn_hub.model.access import Permission
from saturn_hub.web.api import replies
from saturn_hub.web.api.base import Api, Body, needs


class NewPerson(Body):
    """Somebody to add."""

    name: str
    admin: bool = False
    teams: list[str] = Field(default_factory=list)


class PersonChange(Body):
    """What changes; what is not given stays."""

    admin: bool | None = None
    teams: list[str] | None = None
    disabled: bool | None = None


class People(Api):
    @needs(Permission.ADMINISTER, reply=replies.People)
    async def get(self) -> None:
        """Everyone, and every team. `managed` says whether the person's password is ours to change."""
        self.reply(await people.listing(self.context, await self.person()))

    @needs(Permission.ADMINISTER, body=NewPerson, reply=replies.NewPassword, status=201)
    async def post(self) -> None:
        """Add somebody. Their password is in this reply and nowhere else."""
        self.reply(await people.add(self.context, await self.person(), self.sent.model_dump()), 201)


class Person(Api):
    @needs(Permission.ADMINISTER, body=PersonChange, reply=replies.Person)
    async def patch(self, name: str) -> None:
        """Change rights and teams, disable or enable. Holds at once: also for tokens of theirs."""
        found = await people.change(self.context, await self.person(), name, self.sent.model_dump(exclude_none=True))
        self.settings["people"].pop(name, None)
        self.reply(found)


class Password(Api):
    @needs(Permission.ADMINISTER, reply=replies.NewPassword)
    async def post(self, name: str) -> None:
        """Another password for somebody. It is in this reply and nowhere else; the old one opens nothing from now on."""
        self.reply({"name": name, **await people.new_password(self.context, await self.person(), name)})


ROUTES = [("/people", People), ("/people/{name}", Person), ("/people/{name}/password", Password)]
