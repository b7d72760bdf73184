"""Acquisition from a control unit's stream, passive (somebody else arms) and active (we arm and trigger)."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

import zmq

from pipeline.dectris.client import DcuClient
from pipeline.dectris.messages import HeaderMessage, Message, decode
from pipeline.dectris.series import SeriesSum, SeriesSummary
from pipeline.errors import ControlUnitError, StreamBroken

POLL_S: Final = 0.1
"""How long a wait goes on after `close` from another thread."""
MAX_USELESS: Final = 10_000
"""Messages in a row without use after which a sender is given up."""


class NothingCame(ControlUnitError):
    """No start message came in time: arm the detector, enable its stream, or look for another receiver."""

    def __init__(self, stream_url: str, timeout_s: float) -> None:
        self.stream_url, self.timeout_s = stream_url, timeout_s
        super().__init__(
            f"no series started on {stream_url} for {timeout_s:g} s; is the detector armed, its stream enabled, "
            "and nobody else pulling?"
        )


class Acquisition:
    """One receiver of a stream. It connects at once, so that nothing of a later series is missed.

    A series has one receiver: a second one on the same stream would take every other message. A context manager.
    Waits end after *timeout_s* without a message, in wall time.
    """

    def __init__(self, stream_url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url, self._monotonic = stream_url, monotonic
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(stream_url)
        self._series: SeriesSum | None = None
        self._running: Future[SeriesSummary] | None = None
        self._thread: Thread | None = None
        self._closing = Event()
        self.armed = Event()
        """Set when the start message of the series has come."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop collecting and disconnect."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._context.destroy(linger=0)

    def wait_for_armed(self, timeout_s: float) -> HeaderMessage:
        """Wait for the start message of a series; what comes before it is passed over and counted as stale.

        Raises NothingCame after *timeout_s* without any message, StreamBroken when the start message is unusable
        or the sender sends nothing else but messages without use.
        """
        stale = 0
        while True:
            parts = self._receive(timeout_s)
            if parts is None:
                raise NothingCame(self._url, timeout_s)
            try:
                message: Message | None = decode(parts)
            except StreamBroken:
                if b"dheader" in parts[0][:64]:
                    raise
                message = None
            if isinstance(message, HeaderMessage):
                self._series = SeriesSum(message, stale)
                self.armed.set()
                return message
            stale += 1
            if stale > MAX_USELESS:
                raise StreamBroken(f"{stale} messages came on {self._url}, and none of them starts a series")

    def collect(self, timeout_s: float) -> SeriesSummary:
        """Add up the armed series until its end message, or until *timeout_s* pass without a message.

        Raises StreamBroken when the sender sends far more than the series has.
        """
        series = self._series
        if series is None:
            raise ControlUnitError("there is no armed series to collect; call wait_for_armed first")
        self._series = None
        limit = series.expected + MAX_USELESS
        while not series.ended and limit > 0:
            parts = self._receive(timeout_s)
            if parts is None:
                break
            limit -= 1
            try:
                series.take(decode(parts), self._monotonic())
            except StreamBroken as error:
                series.take_broken(error)
        if limit == 0 and not series.ended:
            raise StreamBroken(f"series {series.series} of {series.expected} frames does not end")
        self.armed.clear()
        return series.summary()

    def start(self, *, arm_timeout_s: float, timeout_s: float) -> None:
        """Wait for a series and collect it in a thread; `join` gives what came."""
        if self._thread is not None:
            raise ControlUnitError("this acquisition already collects; join it first")
        running: Future[SeriesSummary] = Future()

        def work() -> None:
            try:
                self.wait_for_armed(arm_timeout_s)
                running.set_result(self.collect(timeout_s))
            # A thread's border: whatever it was goes to whoever joins.
            except BaseException as error:  # noqa: BLE001
                running.set_exception(error)

        self._running = running
        self._thread = Thread(target=work, name="dectris acquisition", daemon=True)
        self._thread.start()

    def join(self) -> SeriesSummary:
        """Wait for the thread of `start`. Raises what it met: NothingCame, StreamBroken."""
        if self._running is None or self._thread is None:
            raise ControlUnitError("nothing is being collected; call start first")
        thread, self._thread = self._thread, None
        thread.join()
        return self._running.result()

    def _receive(self, timeout_s: float) -> list[bytes] | None:
        """The parts of the next message, or None after *timeout_s* or close."""
        left_s = timeout_s
        while left_s > 0 and not self._closing.is_set():
            step_s = min(POLL_S, left_s)
            if self._socket.poll(round(step_s * 1000) or 1):
                return self._socket.recv_multipart()
            left_s -= step_s
        return None


def run_series(
    client: DcuClient,
    acquisition: Acquisition,
    *,
    nimages: int,
    ntrigger: int = 1,
    frame_time_s: float,
    timeout_s: float = 10.0,
) -> SeriesSummary:
    """Active acquisition with software triggers (`ints`): configure, arm, trigger, collect, disarm.

    The count time is the frame time less the detector's readout time. *timeout_s* is allowed beyond the time that the
    images take. Raises the client's and the acquisition's errors; the detector is disarmed in any case.
    """
    client.set("trigger_mode", "ints")
    client.set("nimages", nimages)
    client.set("ntrigger", ntrigger)
    # Both to the same value, count time first: the second write makes room for the readout.
    client.set("count_time", frame_time_s)
    client.set("frame_time", frame_time_s)
    acquisition.start(arm_timeout_s=timeout_s, timeout_s=timeout_s + frame_time_s)
    try:
        client.arm()
        for _ in range(ntrigger):
            client.trigger(timeout_s=nimages * frame_time_s + timeout_s)
        return acquisition.join()
    finally:
        client.disarm()
