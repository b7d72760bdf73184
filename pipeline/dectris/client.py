"""REST client of a detector control unit (SIMPLON API 1.8.0)."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx
from numpy.typing import NDArray

from pipeline.dectris.darray import from_darray, to_darray
from pipeline.errors import CommandRefused, ControlUnitError, ControlUnitUnreachable

API: Final = "1.8.0"
REASON_LENGTH: Final = 200
CHUNK_BYTES: Final = 1 << 20
RUNNING: Final = ("configure", "ready", "acquire")
"""States of a detector that has a series armed."""


class DcuClient:
    """Reads and writes keys of one control unit, and sends commands. A context manager; several threads may use it.

    A key belongs to a module: detector, stream, filewriter, monitor or system.
    Every method raises ControlUnitUnreachable when nobody answers in time, CommandRefused when the unit answers
    with an error, ControlUnitError when the answer is not what the reference says.
    """

    def __init__(self, api_url: str, *, timeout_s: float = 10.0) -> None:
        self._url = api_url.rstrip("/")
        self._timeout_s = timeout_s
        # The environment's proxies are for the internet, not for the detector's network.
        # Certificates take a twentieth of a second to load.
        verify = not self._url.startswith("http:")
        self._http = httpx.Client(base_url=self._url, timeout=timeout_s, trust_env=False, verify=verify)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The unit's address."""
        return self._url

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def another(self, *, timeout_s: float | None = None) -> DcuClient:
        """A second client of the same unit, for another thread: a trigger may block for hours."""
        return DcuClient(self._url, timeout_s=self._timeout_s if timeout_s is None else timeout_s)

    def get(self, key: str, *, module: str = "detector") -> Any:
        """Value of a configuration key."""
        return self._value(f"/{module}/api/{API}/config/{key}")

    def set(self, key: str, value: object, *, module: str = "detector") -> list[str]:
        """Write a configuration key. Returns the keys that changed with it."""
        changed = self._request("PUT", f"/{module}/api/{API}/config/{key}", {"value": value}, self._timeout_s)
        if not isinstance(changed, list):
            raise ControlUnitError(
                f"the control unit answered {_shown(changed)} to a write of {key}; a list was expected"
            )
        return [str(name) for name in changed]

    def get_array(self, key: str) -> NDArray[Any]:
        """An array of the detector's configuration, (height, width): pixel_mask (uint32), flatfield (float32)."""
        return from_darray(self.get(key), key)

    def set_array(self, key: str, array: NDArray[Any]) -> list[str]:
        """Write an array, (height, width); series that are armed later apply it. Returns the keys that changed."""
        return self.set(key, to_darray(array))

    def keys(self, task: str, *, module: str = "detector") -> list[str]:
        """Names of the keys of a task: config, status or command."""
        names = self._request("GET", f"/{module}/api/{API}/{task}/keys", None, self._timeout_s)
        if not isinstance(names, list):
            raise ControlUnitError(
                f"the control unit answered {_shown(names)} to a question for keys; a list was expected"
            )
        return [str(name) for name in names]

    def status(self, key: str, *, module: str = "detector") -> Any:
        """Value of a status key."""
        return self._value(f"/{module}/api/{API}/status/{key}")

    def state(self, *, module: str = "detector") -> str:
        """A module's state; of the detector: na, idle, configure, ready, acquire, initialize or error."""
        return str(self.status("state", module=module))

    def command(
        self, name: str, value: object = None, *, module: str = "detector", timeout_s: float | None = None
    ) -> Any:
        """Send a command; returns its JSON answer. *timeout_s* overrides the client's own."""
        body = None if value is None else {"value": value}
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        return self._request("PUT", f"/{module}/api/{API}/command/{name}", body, limit_s)

    def initialize(self, *, timeout_s: float = 240.0) -> None:
        """Reset the detector; hardware takes up to two minutes."""
        self.command("initialize", timeout_s=timeout_s)

    def arm(self, *, timeout_s: float = 120.0) -> int:
        """Arm; returns the number of the new series."""
        return self._series("arm", timeout_s)

    def trigger(self, value: float | None = None, *, timeout_s: float) -> None:
        """Send a software trigger. In `ints` this returns when its images are done: *timeout_s* must allow it."""
        self.command("trigger", value, timeout_s=timeout_s)

    def disarm(self) -> int:
        """End the series; does nothing when none is armed."""
        return self._series("disarm", self._timeout_s)

    def cancel(self) -> int:
        """End the series after the current image."""
        return self._series("cancel", self._timeout_s)

    def abort(self) -> int:
        """End the series at once; images that were not sent yet are lost."""
        return self._series("abort", self._timeout_s)

    def restart(self, *, timeout_s: float = 240.0) -> None:
        """Restart the unit's software; afterwards the detector wants to be initialized."""
        self.command("restart", module="system", timeout_s=timeout_s)

    def files(self) -> list[str]:
        """Names of the files that the unit's file writer holds."""
        names = self._request("GET", f"/filewriter/api/{API}/files/", None, self._timeout_s)
        if not isinstance(names, list):
            raise ControlUnitError(
                f"the control unit answered {_shown(names)} to a question for files; a list was expected"
            )
        return [str(name) for name in names]

    def fetch(self, name: str, folder: Path) -> Path:
        """Copy a file of the file writer to *folder*; it has its name once it is whole. Returns its path.

        Raises OSError when the folder cannot be written.
        """
        target = folder / Path(name).name
        part = target.with_name(target.name + ".part")
        try:
            with self._http.stream("GET", f"/data/{quote(name)}") as answer, part.open("wb") as file:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise CommandRefused(f"GET /data/{name}", answer.status_code, answer.text[:REASON_LENGTH])
                for chunk in answer.iter_bytes(CHUNK_BYTES):
                    file.write(chunk)
            part.replace(target)
        except httpx.HTTPError as error:
            raise self._unreachable(f"GET /data/{name}", error) from error
        finally:
            part.unlink(missing_ok=True)
        return target

    def delete_file(self, name: str) -> None:
        """Delete a file of the file writer."""
        answer = self._send("DELETE", f"/data/{quote(name)}", None, self._timeout_s)
        if answer.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT):
            raise CommandRefused(f"DELETE /data/{name}", answer.status_code, answer.text[:REASON_LENGTH])

    def monitor_image(self, which: str = "monitor", *, wait_ms: int | None = None) -> bytes:
        """An image of the monitor as a TIFF: the newest (`monitor`), the oldest (`next`), or `SERIES/IMAGE`."""
        path = f"/monitor/api/{API}/images/{which}"
        path += f"?timeout={wait_ms}" if wait_ms is not None else ""
        return self._checked("GET", path, None, self._timeout_s + (wait_ms or 0) / 1000).content

    def _series(self, command: str, timeout_s: float) -> int:
        answer = self.command(command, timeout_s=timeout_s)
        number = answer.get("sequence id") if isinstance(answer, dict) else None
        if not isinstance(number, int):
            raise ControlUnitError(
                f"the control unit answered {_shown(answer)} to {command}; a sequence id was expected"
            )
        return number

    def _value(self, path: str) -> Any:
        answer = self._request("GET", path, None, self._timeout_s)
        if not isinstance(answer, dict) or "value" not in answer:
            raise ControlUnitError(
                f"the control unit answered {_shown(answer)} to GET {path}; a value was expected"
            )
        return answer["value"]

    def _request(self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> Any:
        response = self._checked(method, path, body, timeout_s)
        try:
            return response.json()
        # A body nested too deeply ends in the recursion limit.
        except (ValueError, RecursionError):
            raise ControlUnitError(
                f"the control unit answered {method} {path} with something that is not JSON"
            ) from None

    def _checked(
        self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float
    ) -> httpx.Response:
        response = self._send(method, path, body, timeout_s)
        if response.status_code != httpx.codes.OK:
            reason = response.text[:REASON_LENGTH] or response.reason_phrase
            raise CommandRefused(f"{method} {path}", response.status_code, reason)
        return response

    def _send(self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body, timeout=timeout_s)
        except httpx.HTTPError as error:
            raise self._unreachable(f"{method} {path}", error) from error

    def _unreachable(self, request: str, error: httpx.HTTPError) -> ControlUnitUnreachable:
        reason = str(error) or type(error).__name__
        return ControlUnitUnreachable(self._url, f"{request}: {reason}")


def _shown(answer: object) -> str:
    """The beginning of an answer: it may be anything, and of any length."""
    text = repr(answer)
    return text if len(text) <= REASON_LENGTH else text[:REASON_LENGTH] + "…"
