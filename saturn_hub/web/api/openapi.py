"""The OpenAPI document, made from the models that check what is sent and from what each handler method says that it needs."""

from __future__ import annotations

import functools
import inspect
import re
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from saturn_hub.web.api import replies
from saturn_hub.web.api.base import Api, DryRun, Needs, needs
from saturn_hub.web.api.routes import TEMPLATES

METHODS = ("get", "post", "put", "patch", "delete")
REFERENCE = "#/components/schemas/{model}"
HEADERS = {
    "If-Match": "The revision that is expected to be the current one; 412 where it moved on.",
    "Idempotency-Key": "The same key again gives what it made before, and makes nothing.",
    "Last-Event-ID": "The id of the last event that came: go on after it.",
    "Range": "One range of bytes, as in `bytes=100-` or `bytes=100-199`.",
}


class Document(Api):
    @needs("public")
    async def get(self) -> None:
        """This document."""
        self.reply(document())


def operations() -> list[tuple[str, str, Any]]:
    """Each route as (template, method, the handler's method)."""
    return [(template, method, getattr(handler, method)) for template, handler in TEMPLATES for method in METHODS if method in vars(handler)]


@functools.cache
def document() -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    every = operations()
    used = {model for _, _, each in every for model in (each.needs.body, each.needs.reply) if isinstance(model, type)} | {replies.Error}
    schemas, definitions = models_json_schema([(each, _mode(each)) for each in sorted(used, key=str)], ref_template=REFERENCE)
    references = {model: schemas[(model, _mode(model))] for model in used}
    paths: dict[str, Any] = {}
    for template, method, handler in every:
        paths.setdefault(template, {})[method] = _operation(template, method, handler, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Saturn Hub", "version": version("saturn-hub"), "description": "Workspaces, jobs and apps of a data-science team."},
        "servers": [{"url": "/services/saturn/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "A token of JupyterHub: `token …` or `Bearer …`."}
            },
        },
    }


def _mode(model: type[BaseModel]) -> Any:
    return "serialization" if model.__module__ == replies.__name__ else "validation"


def _operation(template: str, method: str, handler: Any, references: dict[type[BaseModel], Any]) -> dict[str, Any]:
    asked: Needs = handler.needs
    words = re.sub(r"[{}]", "", template).strip("/").replace("/", "_").replace("-", "_")
    made: dict[str, Any] = {
        "operationId": f"{method}_{words}",
        "summary": inspect.getdoc(handler) or "",
        "tags": [template.split("/")[1]],
        "x-permission": str(asked.permission),
        "parameters": _parameters(template, asked),
        "responses": _responses(asked, references),
    }
    if asked.body:
        made["requestBody"] = {"required": any(each.is_required() for each in asked.body.model_fields.values()), "content": _json(references[asked.body])}
    return made


def _parameters(template: str, asked: Needs) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if name == "number" else "string"}}
        for name in re.findall(r"\{(\w+)\}", template)
    ]
    schema = asked.query.model_json_schema(ref_template=REFERENCE)
    for name, each in schema.get("properties", {}).items():
        found.append({"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": each})
    return [*found, *({"name": name, "in": "header", "description": HEADERS[name], "schema": {"type": "string"}} for name in asked.headers)]


def _responses(asked: Needs, references: dict[type[BaseModel], Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done."}
    if isinstance(asked.reply, str):
        if asked.reply:
            done["content"] = {asked.reply: {"schema": {"type": "string"}}}
    else:
        done["content"] = _json(references[asked.reply])
    found = {str(asked.status): done, "default": {"description": "An error.", "content": _json(references[replies.Error])}}
    if issubclass(asked.query, DryRun):
        checked = {"type": "object", "properties": {"valid": {"const": True}, "recipe": {"type": "object"}}, "required": ["valid", "recipe"]}
        # Where a real write answers 200 too, the two replies share it.
        both = {"anyOf": [references[asked.reply], checked]} if asked.status == 200 and isinstance(asked.reply, type) else checked
        found["200"] = {"description": "Done, or checked alone with `dry_run=1`.", "content": _json(both)}
    return found


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
