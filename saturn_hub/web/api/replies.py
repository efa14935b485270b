"""The shapes of replies, for the OpenAPI document. A reply may have more keys than are named here, never fewer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Problem(BaseModel):
    code: str
    message: str
    path: str


class ErrorBody(Problem):
    """What went wrong: a code for programs, a sentence for people, the field's path, and each problem where there are several."""

    details: list[Problem]


class Error(BaseModel):
    error: ErrorBody


class Me(BaseModel):
    name: str
    admin: bool
    teams: list[str]


class Catalog(BaseModel):
    sizes: list[dict[str, Any]]
    images: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    currency: str


class Access(BaseModel):
    who: str
    people: list[str]
    teams: list[str]


class Resource(BaseModel):
    """A workspace, job or app: its recipe, its state, what it costs, and where it is."""

    id: str
    kind: str
    owner: str
    name: str
    description: str
    state: str
    revision: int
    recipe: dict[str, Any]
    size: str
    price_per_hour: str
    currency: str
    cost: str
    url: str
    access: Access
    created_at: str
    created_by: str
    updated_at: str
    last_run: dict[str, Any] | None
    next_run_at: str | None
    problem: str
    environment: str | None
    repositories: list[dict[str, Any]]


class Named(BaseModel):
    owner: str
    name: str


class Step(BaseModel):
    name: str
    needs: list[str]
    state: str
    reason: str
    exit_code: int | None
    started_at: str | None
    finished_at: str | None


class Run(BaseModel):
    """One execution of a job. `reason` says why it ended as it did."""

    id: str
    number: int
    job: Named
    state: str
    trigger: str
    reason: str
    exit_code: int | None
    parameters: dict[str, str]
    requested_by: str
    revision: int
    environment: str | None
    again_of: str | None
    size: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    scheduled_for: str | None
    repositories: list[dict[str, Any]]
    cost: str
    currency: str
    steps: list[Step]


class Session(BaseModel):
    """One life of a workspace, from its start to its stop."""

    id: str
    workspace: Named
    state: str
    revision: int
    reason: str
    environment: str | None
    size: str
    created_at: str
    finished_at: str | None


class Version(BaseModel):
    """One deployment of an app."""

    id: str
    number: int
    state: str
    revision: int
    reason: str
    environment: str | None
    created_by: str
    created_at: str
    finished_at: str | None
    url: str


class Revision(BaseModel):
    number: int
    recipe: dict[str, Any]
    created_at: str
    created_by: str


class File(BaseModel):
    path: str
    size: int


class Token(BaseModel):
    id: str
    name: str
    created_at: str
    created_by: str


class MadeToken(BaseModel):
    id: str
    name: str
    token: str


class Taken(BaseModel):
    digest: str


class Environment(BaseModel):
    digest: str
    record: dict[str, Any]
    uses: list[dict[str, Any]]


class Difference(BaseModel):
    a: str
    b: str
    difference: dict[str, Any]


class List(BaseModel):
    """A page of a list: `next` is the cursor of the page after, null on the last."""

    next: str | None


class Resources(List):
    items: list[Resource]


class Runs(List):
    items: list[Run]


class Sessions(List):
    items: list[Session]


class Versions(List):
    items: list[Version]


class Revisions(List):
    items: list[Revision]


class Files(List):
    items: list[File]


class Tokens(List):
    items: list[Token]


class Person(BaseModel):
    name: str
    admin: bool
    teams: list[str]
    disabled: bool
    seen_at: str | None
    managed: bool


class People(BaseModel):
    items: list[Person]
    teams: list[str]


class NewPassword(BaseModel):
    name: str
    password: str
