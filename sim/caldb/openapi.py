"""The catalogue's description of itself: OpenAPI 3.1, made from the operations that it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sim.caldb.calls import LARGEST_PAGE, PAGE_SIZE, Operation, Query
from sim.caldb.fields import LARGEST
from sim.caldb.oauth import TOKEN_PATH
from sim.caldb.schemas import Schema, reference, schemas

PAGING_HEADERS: Final = ("X-Total-Pages", "X-Count-Per-Page", "X-Current-Page", "X-Total-Count")
_KINDS: Final[Mapping[str, Schema]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer", "minimum": -LARGEST, "maximum": LARGEST},
    "time": {"type": "string", "description": "ISO 8601; empty: now", "examples": ["2026-01-05T09:00:00Z"]},
    "ids": {"type": "string", "description": "a list of ids", "examples": ["[1, 2]"]},
    "strategy": {"enum": ["closest", "prior", ""]},
}
_PAGING: Final = (
    {
        "name": "page",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2**31, "default": 1},
    },
    {
        "name": "page_size",
        "in": "query",
        "description": f"more than {LARGEST_PAGE} are cut to {LARGEST_PAGE}",
        "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST, "default": PAGE_SIZE},
    },
)
_REFUSALS: Final = {
    400: "the body is no JSON object",
    401: "a token is needed, or the one given is unknown or has run out",
    404: "nothing is there",
    408: "the body took too long",
    413: "the body is too long",
    503: "down for maintenance",
}


def describe(operations: Sequence[Operation], *, require_token: bool) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {TOKEN_PATH: {"post": _token_operation()}}
    for operation in operations:
        path = "/api" + operation.path.replace("{id:row_id}", "{id}")
        paths.setdefault(path, {}).setdefault(operation.method.lower(), _operation(operation))
    paths["/api/openapi.json"] = {"get": _own_operation()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Calibration catalogue (simulated)",
            "version": "2",
            "description": "Calibration constants: which there are, under which conditions, valid from when.",
        },
        "security": [{"token": []}] if require_token else [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {
                    "type": "oauth2",
                    "flows": {"clientCredentials": {"tokenUrl": TOKEN_PATH, "scopes": {}}},
                },
                "client": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    parameters = [_parameter(query) for query in operation.query]
    if operation.paged:
        parameters += _PAGING
    if "{id:" in operation.path:
        parameters.insert(0, {"name": "id", "in": "path", "required": True, "schema": _KINDS["integer"]})
    summary = (operation.handler.__doc__ or "").strip().partition("\n")[0]
    described: dict[str, Any] = {
        "operationId": _operation_id(operation),
        "tags": [operation.path.split("/")[1]],
        "parameters": parameters,
        "responses": _responses(operation),
    }
    if summary:
        described["summary"] = summary
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(reference(operation.body))}
    return described


def _operation_id(operation: Operation) -> str:
    words = operation.path.replace("{id:row_id}", "by_id").strip("/").split("/")
    return "_".join([operation.method.lower(), *words])


def _parameter(query: Query) -> dict[str, Any]:
    schema = dict(_KINDS[query.kind])
    if query.required and query.kind == "text":
        schema["minLength"] = 1
    return {"name": query.name, "in": "query", "required": query.required, "schema": schema}


def _responses(operation: Operation) -> dict[str, Any]:
    responses = {str(status): _success(operation) for status in operation.statuses}
    for status, about in _REFUSALS.items():
        if status != 404 or operation.missing or "{id:" in operation.path:
            responses[str(status)] = {"description": about, "content": _json(reference("error"))}
    if operation.query or operation.body or operation.paged or operation.method == "DELETE":
        about = "a field or parameter is wrong; the messages by its name"
        responses["422"] = {"description": about, "content": _json(reference("invalid"))}
    return responses


def _success(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "deleted"}
    schema = reference(operation.answer)
    if operation.many:
        schema = {"type": "array", "items": schema}
    success: dict[str, Any] = {"description": "the answer", "content": _json(schema)}
    if operation.paged:
        header = {"schema": {"type": "integer", "minimum": 0}, "required": True}
        success["headers"] = dict.fromkeys(PAGING_HEADERS, header)
    return success


def _token_operation() -> dict[str, Any]:
    form = {
        "type": "object",
        "properties": {"grant_type": {"const": "client_credentials"}},
        "required": ["grant_type"],
    }
    refused = {"content": _json(reference("token_error"))}
    return {
        "operationId": "post_oauth_token",
        "tags": ["oauth"],
        "summary": "A bearer token for a client that names itself by HTTP Basic.",
        "security": [{"client": []}],
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": {
            "200": {"description": "a token", "content": _json(reference("token"))},
            "400": {"description": "not such a form", **refused},
            "401": {"description": "invalid_client", **refused},
            "408": {"description": _REFUSALS[408], "content": _json(reference("error"))},
            "413": {"description": _REFUSALS[413], "content": _json(reference("error"))},
            "503": {"description": _REFUSALS[503], "content": _json(reference("error"))},
        },
    }


def _own_operation() -> dict[str, Any]:
    refusals = {
        str(status): {"description": _REFUSALS[status], "content": _json(reference("error"))}
        for status in (401, 503)
    }
    answer = {"description": "this document", "content": _json({"type": "object"})}
    return {
        "operationId": "get_openapi",
        "tags": ["openapi"],
        "summary": "This description.",
        "responses": {"200": answer, **refusals},
    }


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
