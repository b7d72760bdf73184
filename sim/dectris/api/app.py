"""The REST interface as one ASGI application: `/{module}/api/{version}/{task}/{key}`, `/data`, `/docs`, `/logs`.

Every path is answered with and without a trailing slash, and answers have few and short headers. The reference names
few error codes; ours stand in docs/dectris-rest.md, Errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from sim.dectris.api import faults
from sim.dectris.api.call import Call, path_of, split
from sim.dectris.api.detector import DetectorModule
from sim.dectris.api.documents import docs_page, log_archive
from sim.dectris.api.files import serve_file
from sim.dectris.api.module import Module
from sim.dectris.api.others import FilewriterModule, MonitorModule, StreamModule, SystemModule
from sim.dectris.api.ports import Ask, DetectorPort, FileStore, MonitorStore, StreamPort
from sim.dectris.configuration import (
    DetectorConfiguration,
    FilewriterSettings,
    MonitorSettings,
    StreamSettings,
    SystemSettings,
)
from sim.dectris.conformance import ConformanceLog
from sim.dectris.keys import VERSIONS
from sim.dectris.refusal import Refused, unknown
from sim.kernel import FaultBoard

_SLASHES: Final = ("version", "config", "status", "keys", "files", "images", "docs", "data")
"""Last words of paths that the reference or a vendor's client writes with a slash behind."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The control unit behind the interface."""

    detector: DetectorPort
    configuration: DetectorConfiguration
    stream: StreamPort
    stream_settings: StreamSettings
    files: FileStore
    filewriter_settings: FilewriterSettings
    monitor: MonitorStore
    monitor_settings: MonitorSettings
    system_settings: SystemSettings


@dataclass(slots=True)
class _Seen:
    """What the conformance log will hold of a request."""

    remarks: list[str] = field(default_factory=list)
    shape: str = "empty"


class RestInterface:
    """Answers HTTP requests. *drop* cuts a client's connection off, by its address and port."""

    def __init__(
        self,
        parts: Parts,
        board: FaultBoard,
        log: ConformanceLog,
        unix_ns: Callable[[], int],
        ask: Ask,
        drop: Callable[[tuple[str, int]], None],
    ) -> None:
        self._parts, self._board, self._log, self._ask, self._drop = parts, board, log, ask, drop
        self._version = parts.configuration.model.version
        detector = parts.detector
        modules: list[Module] = [
            DetectorModule(detector, parts.configuration, ask, unix_ns),
            StreamModule(parts.stream, parts.stream_settings, detector),
            FilewriterModule(parts.files, parts.filewriter_settings, detector, unix_ns),
            MonitorModule(parts.monitor, parts.monitor_settings, detector),
            SystemModule(parts.system_settings, detector, ask),
        ]
        self._modules = {module.name: module for module in modules}

    def forget(self) -> None:
        """At a restart of the unit: the other modules begin anew. The unit sees to the detector's configuration."""
        parts = self._parts
        for settings in (parts.stream_settings, parts.filewriter_settings, parts.monitor_settings):
            settings.boot()
        parts.system_settings.boot()
        parts.stream.initialize()
        parts.files.initialize()
        # A real unit keeps its files in memory: they end with the service.
        parts.files.clear()
        parts.monitor.initialize()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        seen = _Seen()
        response = await self._struck(request) or await self._answer(request, seen)
        if response is None:
            await self._never_answered(request)
            return
        self._note(request, response.status_code, seen)
        await response(scope, receive, send)

    async def _struck(self, request: Request) -> Response | None:
        """The answer of a fault that stands in for the true one."""
        path = path_of(request)
        slow = faults.strike(self._board, "slow_http", path)
        if slow is not None:
            delay_s = slow.parameters["delay_s"]
            await self._ask(lambda resolve: self._parts.detector.answer_later(delay_s, resolve))
        return faults.error(self._board, request)

    async def _answer(self, request: Request, seen: _Seen) -> Response | None:
        """The true answer; None where a fault wants none."""
        path = path_of(request)
        if faults.strike(self._board, "hang_http", path) is not None:
            return None
        if faults.strike(self._board, "close_http", path) is not None:
            client = request.client
            if client is not None:
                self._drop((client.host, client.port))
            return None
        try:
            answer = await self._routed(request, seen)
        except Refused as refused:
            seen.remarks.append(refused.reason)
            return PlainTextResponse(refused.reason, refused.status)
        return answer if isinstance(answer, Response) else faults.answered(self._board, request, answer)

    async def _routed(self, request: Request, seen: _Seen) -> Any:
        self._judge_path(path_of(request), seen)
        first, _, rest = path_of(request).strip("/").partition("/")
        if first == "data":
            return serve_file(self._parts.files, rest, request)
        if first == "docs" and request.method in ("GET", "HEAD"):
            return docs_page(self._parts.configuration.model, self._modules)
        if first == "logs" and request.method in ("GET", "HEAD"):
            return log_archive(rest, self._log)
        call = split(request)
        call.remarks = seen.remarks
        try:
            return await self._asked_of(self._module(call), call)
        finally:
            seen.shape = call.shape

    async def _asked_of(self, module: Module, call: Call) -> Any:
        reads = call.request.method in ("GET", "HEAD")
        if call.version == "version" and not call.task:
            if not reads:
                raise Refused(405, f"{call.request.method} is not possible on {call.path}")
            return {"value": self._version, "value_type": "string"}
        if call.version not in VERSIONS:
            raise unknown(f"{call.module}/api/{call.version}")
        if call.version != self._version:
            call.remarks.append(f"version {call.version} asked of a unit that tells {self._version}")
        if reads:
            return await module.get(call)
        if call.request.method == "PUT":
            return await module.put(call)
        if call.request.method == "DELETE":
            return await module.delete(call)
        raise Refused(405, f"{call.request.method[:20]} is not possible on {call.path}")

    def _module(self, call: Call) -> Module:
        module = self._modules.get(call.module)
        if module is None:
            raise unknown(call.module)
        return module

    @staticmethod
    def _judge_path(path: str, seen: _Seen) -> None:
        if path.endswith("/") and path.rstrip("/").rpartition("/")[2] not in _SLASHES:
            seen.remarks.append("a slash behind the key is undocumented")

    def _note(self, request: Request, status: int, seen: _Seen) -> None:
        client = request.client.host if request.client is not None else "?"
        agent = request.headers.get("user-agent", "")
        path = path_of(request)
        if request.scope["query_string"]:
            path += f"?{request.scope['query_string'].decode('latin-1')}"
        self._log.request(client, agent, request.method[:20], path, seen.shape, status, seen.remarks)

    async def _never_answered(self, request: Request) -> None:
        """Wait until the client goes, or is cut off."""
        self._note(request, 0, _Seen(["never answered (a fault that is switched on)"]))
        while (await request.receive())["type"] != "http.disconnect":
            pass
