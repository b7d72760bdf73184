"""The REST interface: `/{module}/api/{version}/{task}/{key}`, with and without a trailing slash.

Source: SIMPLON API reference 1.8. The reference names few error codes; ours stand in docs/dectris.md, Errors.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sim.dectris.keys import Registry
from sim.dectris.messages import HeaderArrays
from sim.dectris.old_unit import Answer, ControlUnit, Resolve, iso_time
from sim.dectris.refusal import Refused, unknown
from sim.dectris.unit.states import Command, State
from sim.kernel import FaultBoard

VERSION: Final = "1.8.0"
MAX_BODY: Final = 1 << 20
Ask: TypeAlias = Callable[[Callable[[Resolve], None]], Awaitable[Answer]]
"""Puts a request to the unit at the present simulated time, and waits for its answer."""


class RestInterface:
    """Answers HTTP requests from the unit's registries, and asks the unit to change things."""

    def __init__(
        self,
        unit: ControlUnit,
        registries: dict[tuple[str, str], Registry],
        arrays: HeaderArrays,
        faults: FaultBoard,
        dropped: Callable[[], int],
        unix_ns: Callable[[], int],
        ask: Ask,
    ) -> None:
        self._unit, self._registries, self._faults = unit, registries, faults
        self._dropped, self._unix_ns, self._ask = dropped, unix_ns, ask
        self._arrays: dict[str, NDArray[Any]] = {"countrate_correction_table": arrays.countrate_table}
        for prefix in ("", "threshold/1/", "threshold/2/"):
            self._arrays[f"{prefix}flatfield"] = arrays.flatfield
            self._arrays[f"{prefix}pixel_mask"] = arrays.pixel_mask

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[Route("/{path:path}", self._serve, methods=["GET", "HEAD", "PUT", "DELETE"])]
        )

    async def _serve(self, request: Request) -> Response:
        slow = self._faults.strike("slow_http")
        if slow is not None:
            await self._ask(lambda resolve: self._unit.answer_later(slow.parameters["delay_s"], resolve))
        error = self._faults.strike("http_error")
        if error is not None:
            return PlainTextResponse(
                "internal error (a fault that is switched on)", error.parameters["status"]
            )
        try:
            return JSONResponse(await self._answer(request))
        except Refused as refused:
            return PlainTextResponse(refused.reason, refused.status)

    async def _answer(self, request: Request) -> Any:
        path = request.path_params["path"].strip("/")
        module, version, task, key = _split(path)
        if request.method in ("GET", "HEAD"):
            return self._get(module, version, task, key)
        if request.method != "PUT":
            raise Refused(405, f"{request.method} is not possible on {path}")
        if version != VERSION:
            raise unknown(path)
        value = _value(await _body(request), required=task == "config", what=path)
        return await self._put(module, task, key, value, path)

    def _get(self, module: str, version: str, task: str, key: str) -> Any:
        if version == "version" and not task:
            self._check_module(module)
            return {"value": VERSION, "value_type": "string"}
        if version != VERSION:
            raise unknown(f"{module}/api/{version}")
        if task == "keys" and not key:
            self._check_module(module)
            return ["command", "config", "status"]
        if task == "command" and key == "keys":
            return sorted(COMMANDS.get(module, ()))
        registry = self._registry(module, task)
        if task == "config" and module == "detector" and self._unit.state in (State.NA, State.INITIALIZE):
            raise unknown(key)
        if key == "keys":
            return registry.listed()
        if task == "status":
            registry.update(self._present_status(module))
        if not key:
            return {name: registry.describe(name) for name in registry.listed()}
        if module == "detector" and task == "config" and key in self._arrays:
            return _array_object(self._arrays[key])
        return registry.describe(key)

    async def _put(self, module: str, task: str, key: str, value: object, path: str) -> Any:
        if task == "command":
            if key not in COMMANDS.get(module, ()):
                raise unknown(path)
            command = Command(key)
            return await self._ask_unit(lambda resolve: self._unit.command(command, value, resolve))
        registry = self._registry(module, task)
        if task == "status":
            registry.key(key)
            raise Refused(403, f"{key} is a status key: it is read-only")
        if module == "detector":
            if key in self._arrays:
                raise Refused(403, f"{key} is read-only in this control unit")
            return await self._ask_unit(lambda resolve: self._unit.configure(key, value, resolve))
        return await self._ask_unit(
            lambda resolve: self._unit.configure_stream(registry, key, value, resolve)
        )

    async def _ask_unit(self, request: Callable[[Resolve], None]) -> Any:
        answer = await self._ask(request)
        if isinstance(answer, Refused):
            raise answer
        return answer

    def _check_module(self, module: str) -> None:
        if (module, "config") not in self._registries:
            raise unknown(module)

    def _registry(self, module: str, task: str) -> Registry:
        registry = self._registries.get((module, task))
        if registry is None:
            raise unknown(f"{module}/{task}")
        return registry

    def _present_status(self, module: str) -> dict[str, Any]:
        if module == "stream":
            return {"state": self._unit.stream_state, "dropped": self._dropped()}
        return {
            "state": str(self._unit.state),
            "time": iso_time(self._unix_ns()),
            "series_unique_id": self._unit.unique_id,
        }


COMMANDS: Final[dict[str, frozenset[str]]] = {"detector": frozenset(Command), "stream": frozenset()}
"""Commands by module."""


def _split(path: str) -> tuple[str, str, str, str]:
    """Module, version, task and key of a path; what is not there is empty. Raises Refused (404)."""
    parts = path.split("/", 4)
    if len(parts) < 3 or parts[1] != "api":
        raise unknown(path or "/")
    module, _, version, task, key = [*parts, "", ""][:5]
    return module, version, task, key


async def _body(request: Request) -> bytes:
    """The request's body. Raises Refused (413) before more than MAX_BODY is held."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refused(413, f"the body is longer than {MAX_BODY} bytes")
    return body


def _value(body: bytes, *, required: bool, what: str) -> object:
    """What stands under "value" in a JSON body; None for an empty body where none is required. Raises Refused."""
    if not body.strip() and not required:
        return None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, f"the body of {what} is not JSON") from None
    if not isinstance(fields, dict):
        raise Refused(400, f"the body of {what} must be a JSON object")
    if "value" not in fields and required:
        raise Refused(400, f'the body of {what} has no "value"')
    return fields.get("value")


def _array_object(array: NDArray[Any]) -> dict[str, Any]:
    """The JSON object of an array key: `shape` is [width, height], data row by row."""
    value = {
        "__darray__": [1, 0, 0],
        "type": np.dtype(array.dtype).newbyteorder("<").str,
        "shape": list(array.shape[::-1]),
        "filters": ["base64"],
        "data": base64.b64encode(array.tobytes()).decode(),
    }
    value_type = "float[][]" if array.dtype.kind == "f" else "uint[][]"
    return {"value": value, "value_type": value_type, "access_mode": "r"}
