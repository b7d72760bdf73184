"""One JSON-over-HTTP peer of the bench, whose errors become sentences."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from fat.errors import BenchError, BenchNotUp


class Refused(BenchError):
    """A peer answered a request with an error."""

    def __init__(self, peer: str, request: str, status: int, reason: str) -> None:
        self.peer, self.request, self.status, self.reason = peer, request, status, reason
        super().__init__(f"{peer} refused {request} ({status}): {reason}")


class JsonPeer:
    """Requests to one base address."""

    def __init__(
        self, peer: str, base_url: str, *, token: str | None = None, timeout_s: float = 120.0
    ) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._peer = peer
        # No proxy settings of the environment: a bench is on this machine or on the laboratory's own network.
        self._http = httpx.Client(
            base_url=base_url,
            headers=headers,
            timeout=timeout_s,
            trust_env=False,
            verify=not base_url.startswith("http:"),  # certificates take a tenth of a second to load
        )

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request; return the JSON of its answer. Raises Refused or BenchNotUp."""
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise BenchNotUp(f"{self._peer} at {self._http.base_url}", f"no answer ({error})") from None
        if answer.is_error:
            raise Refused(self._peer, f"{method} {path}", answer.status_code, _reason(answer))
        return answer.json()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _reason(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:300]
    return str(body.get("error", body)) if isinstance(body, dict) else str(body)
