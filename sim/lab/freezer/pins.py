"""The FT232H beside the freezer: four output pins as a line socket.

`C2 1` raises a pin, `C2 0` lowers it; the answer `OK` comes when it is done. `C2?` answers `C2 0` or `C2 1`. Anything
else is answered with a sentence that begins with `ERR` and changes nothing. How long a key is held is what passes on
the bench's clock between two lines: a client waits there, not on its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

from sim.kernel import NS_PER_S, SimTime
from sim.lab.freezer.panel import Key, Panel
from sim.lab.freezer.text_lines import MAX_LINE, LineTalker
from sim.lab.lines import Talker
from sim.lab.world import PowerPath

MAINS: Final = "C0"
KEYS: Final[Mapping[str, Key]] = {"C1": "set", "C2": "up", "C3": "down"}
MAX_LOGGED: Final = 1_000_000
"""Changes that the log takes; a change of 60 C by keys makes 1200."""

_LINE: Final = re.compile(r"(C[0-3])(?:\s+([01])|(\?))", re.ASCII | re.IGNORECASE)


class PinLog:
    """Every change of a pin as a line `seconds pin level`, seconds on the bench's clock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._logged = 0

    def open(self) -> None:
        """Make the file, so that it can be looked at before anything has happened."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="ascii", buffering=1)

    def note(self, now: SimTime, pin: str, level: bool) -> None:
        """Add a line, as long as there is room."""
        if self._file is None or self._logged > MAX_LOGGED:
            return
        self._logged += 1
        if self._logged > MAX_LOGGED:
            self._file.write(f"# ends after {MAX_LOGGED} changes\n")
            return
        seconds, nanoseconds = divmod(now, NS_PER_S)
        self._file.write(f"{seconds}.{nanoseconds:09d} {pin} {int(level)}\n")

    def close(self) -> None:
        """Close the file; `open` goes on with it."""
        if self._file is not None:
            self._file.close()
            self._file = None


class FreezerPins:
    """C0 switches the mains of the field hub; C1, C2 and C3 press set, up and down of the freezer's panel."""

    def __init__(self, panel: Panel, power: PowerPath, log: PinLog) -> None:
        self._panel, self._power, self._log = panel, power, log
        self._levels = {MAINS: power.mains, **dict.fromkeys(KEYS, False)}

    def connect(self) -> Talker:
        """A new connection; pins stay as they are."""
        return LineTalker(self._handle, "\n", too_long=f"ERR a line is at most {MAX_LINE} bytes long")

    def _handle(self, line: str, now: SimTime) -> str:
        match = _LINE.fullmatch(line)
        if match is None:
            return "ERR lines are: C0 1, C0 0, C0? with pins C0 (mains), C1 (set), C2 (up), C3 (down)"
        pin, wanted = match[1].upper(), match[2]
        if wanted is None:
            return f"{pin} {int(self._levels[pin])}"
        self._put(pin, wanted == "1", now)
        return "OK"

    def _put(self, pin: str, level: bool, now: SimTime) -> None:
        if self._levels[pin] == level:
            return
        self._levels[pin] = level
        self._log.note(now, pin, level)
        if pin == MAINS:
            self._power.set_mains(now, level)
        elif level:
            self._panel.press(KEYS[pin], now)
        else:
            self._panel.release(KEYS[pin], now)
