"""Clients of a bench that is up: its clock, its control API."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fat.errors import BenchError, BenchNotUp, UsageError
from scheduler.errors import ClockLost

JOIN_TIMEOUT_S: Final = 10.0


class ClockClient:
    """A participant of the bench's clock, busy whenever it does not wait. Any thread may ask; one at a time waits."""

    def __init__(self, clock_url: str, participant: str) -> None:
        url = f"{clock_url.replace('http', 'ws', 1)}/participate?name={quote(participant)}"
        try:
            connection = connect(
                url, open_timeout=JOIN_TIMEOUT_S, ping_interval=None, compression=None, proxy=None
            )
            # Entered here and left in `close`: newer releases of websockets connect in a `with` only.
            self._leaving = contextlib.ExitStack()
            self._socket = self._leaving.enter_context(connection)
        except (OSError, TimeoutError) as error:
            raise BenchNotUp(
                f"the bench's clock at {clock_url}", f"is the bench running? ({error})"
            ) from None
        self._ids = count(1)
        self._answers: dict[int, Future[int]] = {}
        self._waiting: int | None = None
        self._reader = threading.Thread(target=self._read, name="bench clock", daemon=True)
        self._reader.start()

    def now_ns(self) -> int:
        """Simulated nanoseconds since the bench's epoch. Raises ClockLost."""
        return self._ask(next(self._ids), {"now": True})

    def wait_until(self, t_ns: int) -> int:
        """Be idle until then, or until interrupted. Returns the simulated time. Raises ClockLost."""
        number = next(self._ids)
        self._waiting = number
        try:
            return self._ask(number, {"wait": t_ns})
        finally:
            self._waiting = None

    def interrupt(self) -> None:
        """End the wait in progress early; without one, do nothing."""
        waiting = self._waiting
        if waiting is not None:
            with contextlib.suppress(ConnectionClosed):
                self._socket.send(json.dumps({"id": next(self._ids), "cancel": waiting}))

    def _ask(self, number: int, question: Mapping[str, Any]) -> int:
        answer: Future[int] = Future()
        self._answers[number] = answer
        try:
            self._socket.send(json.dumps({"id": number, **question}))
            if not self._reader.is_alive():
                raise ClockLost("the bench's clock went away: the bench has ended")
            return answer.result()
        except ConnectionClosed:
            raise ClockLost("the bench's clock went away: the bench has ended") from None
        finally:
            self._answers.pop(number, None)

    def _read(self) -> None:
        try:
            for message in self._socket:
                body = json.loads(message)
                answer = self._answers.get(body["id"])
                if answer is not None and not answer.done():
                    answer.set_result(int(body["now"]))
        except ConnectionClosed:
            pass  # whoever still waits is told below
        for answer in list(self._answers.values()):
            if not answer.done():
                answer.set_exception(ClockLost("the bench's clock went away: the bench has ended"))

    def close(self) -> None:
        """Leave the clock."""
        self._leaving.close()
        self._reader.join()

    def __enter__(self) -> ClockClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ControlClient:
    """The control API of a bench that is up."""

    def __init__(self, control_url: str, token: str) -> None:
        self._http = httpx.Client(
            base_url=control_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30.0,
            trust_env=False,
            verify=not control_url.startswith("http:"),  # certificates take a twentieth of a second to load
        )

    def status(self) -> dict[str, Any]:
        """Clock, processes, faults and problems."""
        return self._send("GET", "/status")

    def switch_fault(
        self, device: str, fault: str, *, on: bool = True, times: int | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Switch a fault of a simulated device. Raises BenchError with the reason of a refusal."""
        body = {"device": device, "fault": fault, "on": on, "times": times, "parameters": parameters}
        return self._send("POST", "/faults", body)

    def advance(self, by_ns: int) -> int:
        """Move a manual clock; returns the simulated time when everybody waits again."""
        return int(self._send("POST", "/clock/advance", {"by_ns": by_ns})["now_ns"])

    def stop(self) -> None:
        """Ask the bench to stop; it does so after it has answered."""
        self._send("POST", "/stop")

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise BenchNotUp(f"the bench at {self._http.base_url}", f"no answer ({error})") from None
        if answer.is_error:
            raise BenchError(answer.json().get("error", answer.text))
        return dict(answer.json())

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def running_bench(data_dir: Path) -> dict[str, Any]:
    """What the bench of a data folder left for its owner: pid, token, endpoints. Raises BenchNotUp."""
    path = data_dir / "bench.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BenchNotUp(f"the bench of {data_dir}", "start it with `stellwerk up BENCH.toml`") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None
