"""The detector's control system, as the bench offers it at `{detector}.control` (docs/architecture.md, Trains)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fat.instruments.http import JsonPeer


@dataclass(frozen=True, slots=True)
class TrainSpan:
    """Trains that the detector has been told to send; both ends belong to it."""

    first: int
    last: int


class DetectorControl(JsonPeer):
    """Sets gain and illumination, starts and stops trains."""

    def __init__(self, url: str) -> None:
        super().__init__("the detector control", url)

    def state(self) -> dict[str, Any]:
        """State, settings, operating conditions, counters."""
        return dict(self.request("GET", "/"))

    def configure(self, *, gain_mode: str, illumination: str, transmission: float = 1.0) -> None:
        """Set gain mode, illumination, and the transmission of the attenuator in the light, from 0 to 1.

        Raises Refused while trains are being sent.
        """
        settings = {"gain_mode": gain_mode, "illumination": illumination, "transmission": transmission}
        self.request("PUT", "/", settings)

    def start(self, trains: int) -> TrainSpan:
        """Send so many trains, the first at the next tick."""
        span = self.request("POST", "/start", {"trains": trains})
        return TrainSpan(int(span["first_train_id"]), int(span["last_train_id"]))

    def stop(self) -> None:
        """Stop after the current train."""
        self.request("POST", "/stop", {})
