"""An instrument on a GPIB bus: it holds its answer until it is addressed to talk (IEEE 488.2, chapter 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.kernel import SimTime
from sim.lab.scpi.session import MAX_MESSAGE

if TYPE_CHECKING:
    from sim.lab.scpi.instrument import ScpiInstrument


class BusSession:
    """Input and output buffer of an instrument as one controller sees them."""

    def __init__(self, instrument: ScpiInstrument) -> None:
        self._instrument = instrument
        self._input = bytearray()
        self._output = b""

    def listen(self, data: bytes, end: bool, now: SimTime) -> None:
        """Bytes that the controller sends; *end* is EOI with the last one. An LF at the end ends a message as well."""
        self._input += data
        if len(self._input) > MAX_MESSAGE:
            self.overrun()
        elif end or data.endswith(b"\n"):
            message = self._input.decode("latin-1")
            self._input.clear()
            if message.strip():
                self._carry_out(message, now)

    def overrun(self) -> None:
        """More was sent than the input buffer holds: it is forgotten."""
        self._input.clear()
        self._instrument.status.note(-363)

    def _carry_out(self, message: str, now: SimTime) -> None:
        if self._output:
            self._output = b""
            self._instrument.status.note(-410)
        if answer := self._instrument.execute(message, now):
            self._output = answer.encode("latin-1") + b"\n"

    def talk(self, until: int | None = None) -> bytes:
        """What the controller reads: the whole answer, or up to a byte. Nothing if there is none, which is an error.

        Bytes of the answer that are not read stay for the next time.
        """
        if not self._output:
            self._instrument.status.note(-420)
            return b""
        end = -1 if until is None else self._output.find(until)
        taken = self._output if end < 0 else self._output[: end + 1]
        self._output = self._output[len(taken) :]
        return taken

    def clear(self) -> None:
        """Device clear: both buffers are emptied, settings and status stay."""
        self._input.clear()
        self._output = b""

    @property
    def requests_service(self) -> bool:
        """Whether the instrument pulls SRQ."""
        return self._instrument.status.requests_service(bool(self._output))

    def poll(self) -> int:
        """Serial poll: the status byte."""
        return self._instrument.status.poll(bool(self._output))

    def trigger(self, now: SimTime) -> None:
        """Group execute trigger."""
        self._instrument.execute("*TRG", now)
