"""The freezer: by the keys of its panel, which pins of an FT232H press, or by a climate chamber's protocol.

Nothing tells whether a key press was seen, and the set-point is never read back: whoever changes it must know where it
stands, and looks at a photograph of the display afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from fat.degg.station.errors import InstrumentRefused, InstrumentSilent
from fat.degg.station.text_line import TextLine
from fat.files import write_bytes_atomically

LOWEST_C: Final = -57.0
HIGHEST_C: Final = 30.0
STEP_C: Final = 0.1
"""One press of up or down."""
MAINS, SET, UP, DOWN = "C0", "C1", "C2", "C3"
REST_S: Final = 0.2
ENTER_S: Final = 4.0
"""The key `set` held so long begins set mode."""
PRESS_S: Final = 0.1
BETWEEN_S: Final = 0.3
CONFIRM_S: Final = 0.2
SETTLE_S: Final = 4.0
"""After which the display shows the new set-point."""
CHAMBER_PAUSE_S: Final = 1.0
"""A Thermotron wants it between two messages."""
MAX_PICTURE: Final = 16 << 20
PICTURE_TIMEOUT_S: Final = 10.0
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_END: Final = b"IEND\xaeB`\x82"


def goal_of(current_c: float, delta_c: float) -> float:
    """The new set-point. Raises ValueError when the freezer cannot do it."""
    goal = round(current_c + delta_c, 1)
    if not LOWEST_C <= goal <= HIGHEST_C:
        raise ValueError(f"the freezer does {LOWEST_C:g} to {HIGHEST_C:g} C, not {goal:g}")
    return goal


class FreezerKeys:
    """The keys of the panel. Time between the lines holds the keys: it is the bench's.

    wait_s  lets time pass on the bench's clock
    """

    def __init__(self, address: str, wait_s: Callable[[float], None]) -> None:
        self._line = TextLine("the freezer's key pins", address)
        self._wait_s = wait_s

    def change(
        self,
        current_c: float,
        delta_c: float,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
        confirming: Callable[[], None] = lambda: None,
    ) -> float:
        """Set mode, a press for each 0.1 C, confirm, and wait until the display shows it; returns the new set-point.

        confirming  called before the key that makes the change valid: until then it can be begun anew
        """
        goal = goal_of(current_c, delta_c)
        presses = round(abs(delta_c) / STEP_C)
        key = UP if delta_c > 0 else DOWN
        self._hold(SET, False, REST_S)
        self._hold(SET, True, ENTER_S)
        self._hold(SET, False, REST_S)
        for done in range(presses):
            self._hold(key, True, PRESS_S)
            self._hold(key, False, BETWEEN_S)
            progress(done + 1, presses)
        confirming()
        self._hold(SET, True, CONFIRM_S)
        self._hold(SET, False, SETTLE_S)
        return goal

    def pressed(self) -> bool:
        """Whether the key `set` is held. Raises InstrumentRefused."""
        said = self._line.ask(f"{SET}?")
        if said not in (f"{SET} 0", f"{SET} 1"):
            raise InstrumentRefused(self._line.name, f"{SET}?", said)
        return said.endswith("1")

    def mains(self, on: bool) -> None:
        """The field hub's mains."""
        self._hold(MAINS, on, 0.0)

    def close(self) -> None:
        """Leave the pins as they are."""
        self._line.close()

    def _hold(self, pin: str, high: bool, seconds: float) -> None:
        command = f"{pin} {int(high)}"
        said = self._line.ask(command)
        if said != "OK":
            raise InstrumentRefused(self._line.name, command, said)
        if seconds:
            self._wait_s(seconds)


class FreezerChamber:
    """A climate chamber, Thermotron 3800. It takes no message within a second of the last one."""

    def __init__(self, address: str, wait_s: Callable[[float], None]) -> None:
        self._line = TextLine("the freezer's chamber", address)
        self._wait_s = wait_s

    def change(self, current_c: float, delta_c: float) -> float:
        """Set and run; reads the set-point back and returns it. Raises InstrumentRefused when it is another."""
        goal = goal_of(current_c, delta_c)
        self._say(f"SETP1,{goal:g}")
        self._say("RUNM")
        self._pause()
        is_now = self.set_point()
        if abs(is_now - goal) > STEP_C / 2:
            raise InstrumentRefused(self._line.name, f"SETP1,{goal:g}", f"the set-point is {is_now:g} C")
        return goal

    def reach(self) -> None:
        """Connect, and say nothing: between two messages bench time must pass. Raises InstrumentSilent."""
        self._line.connect()

    def temperature(self) -> float:
        """Of the air, C."""
        return self._number("PVAR1?")

    def set_point(self) -> float:
        """C."""
        return self._number("SETP1?")

    def close(self) -> None:
        """Leave it running."""
        self._line.close()

    def _say(self, message: str) -> None:
        self._pause()
        self._line.say(message)

    def _pause(self) -> None:
        self._wait_s(CHAMBER_PAUSE_S)

    def _number(self, query: str) -> float:
        self._pause()
        said = self._line.ask(query)
        try:
            return float(said)
        except ValueError:
            raise InstrumentRefused(self._line.name, query, said) from None


class FreezerCamera:
    """The camera in front of the display."""

    name = "the freezer's camera"

    def __init__(self, url: str) -> None:
        self.url = url

    def photograph(self, path: Path) -> Path:
        """Take a picture, a PNG, and keep it. Raises InstrumentSilent when none comes whole."""
        body = bytearray()
        try:
            with httpx.stream("GET", self.url, timeout=PICTURE_TIMEOUT_S, trust_env=False) as answer:
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MAX_PICTURE:
                        raise InstrumentSilent(self.name, self.url, f"sends more than {MAX_PICTURE} bytes")
        except httpx.HTTPError as error:
            raise InstrumentSilent(self.name, self.url, f"gives no picture ({error})") from None
        if not body.startswith(_PNG) or not body.endswith(_PNG_END):
            raise InstrumentSilent(self.name, self.url, "gives no whole PNG picture")
        write_bytes_atomically(path, bytes(body))
        return path
