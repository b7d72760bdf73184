"""REST client of a detector control unit (SIMPLON API 1.8.0)."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import httpx

from pipeline.errors import CommandRefused, ControlUnitError, ControlUnitUnreachable

API: Final = "1.8.0"
REASON_LENGTH: Final = 200


class DcuClient:
    """Reads and writes keys of one control unit, and sends commands. A context manager.

    Every method raises ControlUnitUnreachable when nobody answers in time, CommandRefused when the unit answers
    with an error, ControlUnitError when the answer is not what the reference says.
    """

    def __init__(self, api_url: str, *, timeout_s: float = 10.0) -> None:
        self._url = api_url.rstrip("/")
        self._timeout_s = timeout_s
        # The environment's proxies are for the internet, not for the detector's network.
        self._http = httpx.Client(base_url=self._url, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, key: str, *, module: str = "detector") -> Any:
        """Value of a configuration key."""
        return self._value(f"/{module}/api/{API}/config/{key}")

    def set(self, key: str, value: object, *, module: str = "detector") -> list[str]:
        """Write a configuration key. Returns the keys that changed with it."""
        changed = self._request("PUT", f"/{module}/api/{API}/config/{key}", {"value": value}, self._timeout_s)
        if not isinstance(changed, list):
            raise ControlUnitError(
                f"the control unit answered {changed!r} to a write of {key}; a list was expected"
            )
        return [str(name) for name in changed]

    def status(self, key: str, *, module: str = "detector") -> Any:
        """Value of a status key."""
        return self._value(f"/{module}/api/{API}/status/{key}")

    def state(self) -> str:
        """The detector's state: na, idle, configure, ready, acquire, initialize or error."""
        return str(self.status("state"))

    def command(self, name: str, value: object = None, *, timeout_s: float | None = None) -> Any:
        """Send a detector command; returns its JSON answer. *timeout_s* overrides the client's own."""
        body = None if value is None else {"value": value}
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        return self._request("PUT", f"/detector/api/{API}/command/{name}", body, limit_s)

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

    def _series(self, command: str, timeout_s: float) -> int:
        answer = self.command(command, timeout_s=timeout_s)
        number = answer.get("sequence id") if isinstance(answer, dict) else None
        if not isinstance(number, int):
            raise ControlUnitError(
                f"the control unit answered {answer!r} to {command}; a sequence id was expected"
            )
        return number

    def _value(self, path: str) -> Any:
        answer = self._request("GET", path, None, self._timeout_s)
        if not isinstance(answer, dict) or "value" not in answer:
            raise ControlUnitError(
                f"the control unit answered {answer!r} to GET {path}; a value was expected"
            )
        return answer["value"]

    def _request(self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> Any:
        try:
            response = self._http.request(method, path, json=body, timeout=timeout_s)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ControlUnitUnreachable(self._url, f"{method} {path}: {reason}") from error
        if response.status_code != httpx.codes.OK:
            reason = response.text[:REASON_LENGTH] or response.reason_phrase
            raise CommandRefused(f"{method} {path}", response.status_code, reason)
        try:
            return response.json()
        except ValueError:
            raise ControlUnitError(
                f"the control unit answered {method} {path} with something that is not JSON"
            ) from None
