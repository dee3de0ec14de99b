"""The OpenAPI document, made from the route table and the response structs: it cannot drift."""

from typing import Any, Final

import msgspec

from glmtrader import __version__
from glmtrader.web.guard import PROBLEM_TYPE
from glmtrader.web.responses import Problem
from glmtrader.web.routes import ALIAS_PREFIX, HEALTH_PATH, HEALTH_TYPE, PREFIX, ROUTES, Route

_REFERENCE: Final = "#/components/schemas/{name}"
_UNDERLYING: Final = {
    "name": "underlying",
    "in": "path",
    "required": True,
    "description": "A coin, or a pair in dollars; the slash may be encoded: BTC, BTC/USDT",
    "schema": {"type": "string"},
}


def document() -> dict[str, Any]:
    """The whole document, ready to encode."""
    types = [HEALTH_TYPE, Problem, *(route.response for route in ROUTES)]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    paths = {HEALTH_PATH: {"get": _health()}}
    for prefix in (PREFIX, ALIAS_PREFIX):
        paths.update((_path(prefix, route), {"get": _operation(route)}) for route in ROUTES)
    return {
        "openapi": "3.1.0",
        "info": {"title": "glmtrader", "version": __version__},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _path(prefix: str, route: Route) -> str:
    return prefix + route.path + ("/{underlying}" if route.by_underlying else "")


def _operation(route: Route) -> dict[str, Any]:
    responses = {
        "200": _content("application/json", route.response.__name__, "The newest values"),
        "503": _content(PROBLEM_TYPE, "Problem", "Nothing was published since the start"),
    }
    operation: dict[str, Any] = {"summary": route.summary, "responses": responses}
    if route.by_underlying:
        operation["parameters"] = [_UNDERLYING]
        responses["404"] = _content(PROBLEM_TYPE, "Problem", "This run does not trade it")
    return operation


def _health() -> dict[str, Any]:
    name = HEALTH_TYPE.__name__
    return {
        "summary": "Whether feeds are fresh and the core answers",
        "responses": {
            "200": _content("application/json", name, "Healthy"),
            "503": _content(PROBLEM_TYPE, name, "Not healthy; `reasons` says why"),
        },
    }


def _content(media_type: str, schema: str, description: str) -> dict[str, Any]:
    reference = {"$ref": _REFERENCE.format(name=schema)}
    return {"description": description, "content": {media_type: {"schema": reference}}}
