"""The online pipeline's devices, over its control interface (docs/architecture.md, Devices of the pipeline)."""

from __future__ import annotations

import time
from typing import Any, Final

from fat.errors import BenchError
from fat.instruments.http import JsonPeer

IDLE_POLL_S: Final = 0.002


class OnlinePipeline(JsonPeer):
    """Reads states and properties, sets properties, calls slots."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__("the pipeline", url, token=token)

    def devices(self) -> dict[str, Any]:
        """Every device with state, properties and slots."""
        return dict(self.request("GET", "/devices"))

    def device(self, name: str) -> dict[str, Any]:
        """One device."""
        return dict(self.request("GET", f"/devices/{name}"))

    def configure(self, device: str, **properties: Any) -> dict[str, Any]:
        """Set properties; return all of them."""
        return dict(self.request("PUT", f"/devices/{device}", properties))

    def call(self, device: str, slot: str, **arguments: Any) -> dict[str, Any]:
        """Call a slot and wait for its result."""
        return dict(self.request("POST", f"/devices/{device}/{slot}", arguments) or {})

    def wait_idle(self, timeout_s: float = 20.0) -> dict[str, Any]:
        """Wait, on wall time, until everything that was sent has been received and worked off.

        Raises BenchError after *timeout_s*: then the pipeline is stuck.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            state = self.call("daq", "idle")
            if state["idle"]:
                return state
            if time.monotonic() > deadline:
                raise BenchError(f"the pipeline still has work after {timeout_s:.0f} s: {state}")
            time.sleep(IDLE_POLL_S)
