"""The OpenAPI document and the routes are the same thing."""

from __future__ import annotations

import re

import pytest
from openapi_spec_validator import validate

from saturn_hub.model.access import Permission
from saturn_hub.model.recipe import Recipe
from saturn_hub.web.api.base import Needs
from saturn_hub.web.api.openapi import METHODS, document
from saturn_hub.web.api.routes import TEMPLATES

ROUTES = [(template, method, getattr(handler, method)) for template, handler in TEMPLATES for method in METHODS if method in vars(handler)]


def test_the_document_is_openapi():
    validate(document())


@pytest.mark.parametrize(("template", "method", "handler"), ROUTES, ids=[f"{method} {template}" for template, method, _ in ROUTES])
def test_each_route_names_its_permission_and_is_in_the_document(template, method, handler):
    assert isinstance(getattr(handler, "needs", None), Needs), "decorate the method with `needs`"
    assert handler.needs.permission in (*Permission, "signed_in")
    operation = document()["paths"][template][method]
    assert operation["x-permission"] == handler.needs.permission
    assert operation["summary"]
    assert {each["name"] for each in operation["parameters"] if each["in"] == "path"} == set(re.findall(r"\{(\w+)\}", template))


def test_the_document_has_no_route_that_there_is_not():
    described = {(template, method) for template, operations in document()["paths"].items() for method in operations}
    assert described == {(template, method) for template, method, _ in ROUTES}


def test_two_operations_never_share_a_name():
    names = [operation["operationId"] for operations in document()["paths"].values() for operation in operations.values()]
    assert len(names) == len(set(names))


def test_a_recipe_in_the_document_has_the_keys_of_the_model():
    schema = document()["components"]["schemas"]["Recipe"]
    assert set(schema["properties"]) == {field.alias or name for name, field in Recipe.model_fields.items()}
    assert schema["additionalProperties"] is False
