"""Slack's Web API over HTTP, for the calls that slack_sdk makes (api.slack.com/methods; slack_sdk, web/client.py)."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sim.kernel.device import Problem, Surroundings
from sim.kernel.http import HttpServer
from sim.remote.workspace import MAX_FILE_BYTES, Workspace

MAX_BODY: Final = 1 << 20
MAX_TEXT: Final = 40_000
"""Slack cuts messages at 40 000 characters (api.slack.com, chat.postMessage)."""

Call = Callable[[Request, dict[str, Any]], Awaitable[dict[str, Any]]]


class TooLarge(Exception):
    """A body beyond the bounds."""


async def _body(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise TooLarge
    return bytes(data)


def _arguments(request: Request, body: bytes) -> dict[str, Any] | None:
    """Arguments from a JSON or form body and the query; None when the body is neither."""
    arguments: dict[str, Any] = dict(request.query_params)
    if "json" in request.headers.get("content-type", ""):
        try:
            given = json.loads(body) if body else {}
        except (ValueError, RecursionError):
            return None
        if not isinstance(given, dict):
            return None
        return arguments | given
    form = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True)
    return arguments | {key: values[-1] for key, values in form.items()}


class SlackServer:
    """Serves one workspace."""

    def __init__(
        self, surroundings: Surroundings, host: str, port: int, team: str, keep_messages: int
    ) -> None:
        self._surroundings, self._team = surroundings, team
        self._workspace = Workspace(keep_messages)
        self._base = ""
        self._http = HttpServer(
            surroundings.name, self._app(), host=host, port=port, transcript=surroundings.transcript
        )

    async def start(self) -> str:
        """Bind; returns `http://host:port/api/`. Raises AddressTaken."""
        self._base = await self._http.start()
        return f"{self._base}/api/"

    async def stop(self) -> None:
        """Close."""
        await self._http.stop()

    def problems(self) -> Sequence[Problem]:
        """None of its own."""
        return ()

    def _app(self) -> Starlette:
        calls: dict[str, Call] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "files.getUploadURLExternal": self._announce_upload,
            "files.completeUploadExternal": self._complete_upload,
        }
        return Starlette(
            routes=[
                Route("/", self._page, methods=["GET"]),
                Route("/messages", self._messages, methods=["GET"]),
                Route("/files/{file_id}", self._file, methods=["GET"]),
                Route("/upload/v1/{file_id}", self._upload, methods=["POST"]),
                *(
                    Route(f"/api/{name}", self._wrapped(call), methods=["POST", "GET"])
                    for name, call in calls.items()
                ),
            ]
        )

    def _wrapped(self, call: Call) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            trouble = await self._trouble()
            if trouble is not None:
                return trouble
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                return JSONResponse({"ok": False, "error": "not_authed"})
            try:
                arguments = _arguments(request, await _body(request, MAX_BODY))
            except TooLarge:
                return JSONResponse({"ok": False, "error": "request_too_large"}, 413)
            if arguments is None:
                return JSONResponse({"ok": False, "error": "invalid_json"})
            return JSONResponse(
                await call(request, arguments), headers={"x-oauth-scopes": "chat:write,files:write"}
            )

        return answer

    async def _trouble(self) -> Response | None:
        """What a fault answers instead; None when all is well."""
        faults = self._surroundings.faults
        if (slow := faults.strike("slow_answer")) is not None:
            await asyncio.sleep(float(slow.parameters["delay_s"]))  # a network's delay is wall time
        if (limited := faults.strike("rate_limit")) is not None:
            after = str(limited.parameters["retry_after_s"])
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers={"Retry-After": after})
        if (refused := faults.strike("refuse_message")) is not None:
            return JSONResponse({"ok": False, "error": str(refused.parameters["error"])})
        if faults.strike("server_error") is not None:
            return PlainTextResponse("internal error", 500)
        return None

    async def _auth_test(self, _: Request, __: dict[str, Any]) -> dict[str, Any]:
        return {
            "ok": True,
            "url": f"{self._base}/",
            "team": self._team,
            "user": "stellwerk",
            "team_id": "T00000001",
            "user_id": "U00000001",
            "bot_id": "B00000001",
        }

    async def _post(self, channel: str, text: str, **options: Any) -> dict[str, Any]:
        clock = self._surroundings.clock
        now = await clock.read()
        message = self._workspace.post(channel, text, unix_ns=clock.unix_ns(now), at_ns=now, **options)
        body = {"type": "message", "text": message.text, "ts": message.ts, "bot_id": "B00000001"}
        return {"ok": True, "channel": channel, "ts": message.ts, "message": body}

    async def _post_message(self, _: Request, arguments: dict[str, Any]) -> dict[str, Any]:
        channel, text = arguments.get("channel"), arguments.get("text")
        if not isinstance(channel, str) or not channel:
            return {"ok": False, "error": "channel_not_found"}
        if not isinstance(text, str) or not (text or arguments.get("blocks")):
            return {"ok": False, "error": "no_text"}
        thread = arguments.get("thread_ts")
        return await self._post(
            channel, text[:MAX_TEXT], thread_ts=thread if isinstance(thread, str) else None
        )

    async def _update(self, _: Request, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._workspace.find(str(arguments.get("channel")), str(arguments.get("ts")))
        if message is None:
            return {"ok": False, "error": "message_not_found"}
        message.text = str(arguments.get("text", ""))[:MAX_TEXT]
        return {"ok": True, "channel": message.channel, "ts": message.ts, "text": message.text}

    async def _announce_upload(self, _: Request, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            length = int(arguments.get("length", -1))
        except (TypeError, ValueError):
            length = -1
        file = self._workspace.announce(str(arguments.get("filename", "file")), length)
        if file is None:
            return {"ok": False, "error": "invalid_arguments"}
        return {"ok": True, "upload_url": f"{self._base}/upload/v1/{file.id}", "file_id": file.id}

    async def _complete_upload(self, _: Request, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            given = json.loads(arguments.get("files", "[]"))
            ids = [str(entry["id"]) for entry in given]
        except (ValueError, TypeError, KeyError):
            return {"ok": False, "error": "invalid_arguments"}
        if not ids or any(file_id not in self._workspace.files for file_id in ids):
            return {"ok": False, "error": "file_not_found"}
        for entry in given:
            self._workspace.files[str(entry["id"])].title = str(entry.get("title", ""))
        channel = str(arguments.get("channel_id") or arguments.get("channel") or "")
        if channel:
            thread, comment = arguments.get("thread_ts"), str(arguments.get("initial_comment", ""))
            await self._post(channel, comment, files=ids, thread_ts=thread)
        return {"ok": True, "files": [{"id": i, "title": self._workspace.files[i].title} for i in ids]}

    async def _upload(self, request: Request) -> Response:
        file = self._workspace.files.get(request.path_params["file_id"])
        if file is None:
            return PlainTextResponse("no such upload", 404)
        try:
            file.content = await _body(request, MAX_FILE_BYTES)
        except TooLarge:
            return PlainTextResponse("too large", 413)
        return PlainTextResponse(f"OK - {len(file.content)}")

    async def _messages(self, _: Request) -> Response:
        return JSONResponse({"messages": [message.as_json() for message in self._workspace.messages]})

    async def _file(self, request: Request) -> Response:
        file = self._workspace.files.get(request.path_params["file_id"])
        if file is None:
            return PlainTextResponse("no such file", 404)
        # Never as a page of this origin: an upload may hold scripts.
        kind = "image/png" if file.content.startswith(b"\x89PNG") else "application/octet-stream"
        return Response(file.content, media_type=kind, headers={"X-Content-Type-Options": "nosniff"})

    async def _page(self, _: Request) -> Response:
        rows = "".join(
            f"<li><b>{html.escape(m.channel)}</b> <time>{m.at_ns / 1e9:.1f} s</time>"
            f"<pre>{html.escape(m.text)}</pre>"
            + "".join(f'<p><a href="/files/{i}">{html.escape(self._title(i))}</a></p>' for i in m.files)
            for m in self._workspace.messages
        )
        style = (
            "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;"
            "color-scheme:light dark}li{list-style:none;margin:0 0 1rem}pre{white-space:pre-wrap;margin:0}"
            "time{opacity:.6}"
        )
        page = f"<!doctype html><meta charset=utf-8><title>{html.escape(self._team)}</title><style>{style}</style>"
        return HTMLResponse(f"{page}<h1>{html.escape(self._team)}</h1><ul>{rows}</ul>")

    def _title(self, file_id: str) -> str:
        file = self._workspace.files.get(file_id)
        return "a file that is gone" if file is None else file.title or file.name
