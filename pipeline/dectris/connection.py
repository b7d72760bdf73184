"""A connection to a control unit: its REST address and its stream, for acquisition after acquisition."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import psutil

from pipeline.dectris.acquisition import Acquisition, TriggerHook
from pipeline.dectris.client import DcuClient
from pipeline.dectris.controller import FORMATS, ActiveController, enable_stream
from pipeline.dectris.engine import Engine, SeriesReport, SeriesStart, Settings
from pipeline.dectris.tune import Choice, Facts, Overrides, Probe, choose
from pipeline.dectris.tuning import facts_of, probe_of
from pipeline.errors import SettingRejected

API_PORT: Final = 80
DATA_PORTS: Final = {"legacy": 9999, "cbor": 31001}
MAX_POSITIONS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class PendingAcquisition:
    """A series that somebody else armed; `Connection.prepare` makes an acquisition of it."""

    start: SeriesStart

    @property
    def series(self) -> int:
        """Number of the series."""
        return self.start.series

    @property
    def nimages(self) -> int:
        """Images of the whole series, over all triggers."""
        return self.start.expected


def connect(
    api_url: str | None = None,
    stream_url: str | None = None,
    *,
    api_host: str | None = None,
    api_port: int = API_PORT,
    data_host: str | None = None,
    data_port: int | None = None,
    stream_format: str | None = None,
    num_slots: int | None = None,
    bytes_per_frame: int | None = None,
    frame_stack_size: int | None = None,
    workers: int | None = None,
    timeout_s: float = 10.0,
) -> Connection:
    """Connect to a control unit, by addresses or by hosts and ports.

    stream_format     legacy or cbor; None: what the unit is set to. It decides the port where none is given
    num_slots, …      sizes of the buffer (pipeline.dectris.tune); None: chosen for each series
    timeout_s         of an ordinary request

    The unit is asked only where the format decides the port. Raises SettingRejected, and the client's errors.
    """
    if stream_format is not None and stream_format not in FORMATS:
        raise SettingRejected("stream_format", stream_format, " or ".join(FORMATS))
    if api_url is None:
        if api_host is None:
            raise SettingRejected("api_url", None, "an address, or api_host a host")
        api_url = f"http://{api_host}:{api_port}"
    given = Overrides(num_slots, bytes_per_frame, frame_stack_size, workers)
    client = DcuClient(api_url, timeout_s=timeout_s)
    try:
        if stream_url is None:
            host = data_host if data_host is not None else api_host
            if host is None:
                raise SettingRejected("stream_url", None, "an address, or data_host a host")
            port = data_port or DATA_PORTS[stream_format or client.get("format", module="stream")]
            stream_url = f"tcp://{host}:{port}"
        return Connection(client, stream_url, stream_format=stream_format, given=given)
    except BaseException:
        client.close()
        raise


class Connection:
    """One receiver of one control unit; a context manager. Connected at once, so that no start message is missed.

    A stream has one receiver: a second one would take every other message. Acquisitions run one after another.
    """

    def __init__(
        self,
        client: DcuClient,
        stream_url: str,
        *,
        stream_format: str | None = None,
        given: Overrides | None = None,
    ) -> None:
        self.client, self.stream_url, self.stream_format = client, stream_url, stream_format
        self._given = given or Overrides()
        self.engine = Engine(stream_url, Settings())
        self.last_probe: Probe | None = None
        """What the last series of this connection showed: the next one is sized by it."""
        self._last_facts: Facts | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect. The detector is left as it is."""
        self.engine.close()
        self.client.close()

    def get_api_client(self) -> DcuClient:
        """The REST client."""
        return self.client

    def get_active_controller(self, trigger_mode: str = "exte", **settings: Any) -> ActiveController:
        """A controller that sets, arms and triggers (ActiveController says what can be set). Raises SettingRejected."""
        known = set(ActiveController.__dataclass_fields__) - {"client", "trigger_mode"}
        if unknown := sorted(set(settings) - known):
            raise SettingRejected("a setting", unknown[0], f"one of {', '.join(sorted(known))}")
        return ActiveController(self.client, trigger_mode, **settings)

    def wait_for_acquisition(self, timeout: float) -> PendingAcquisition | None:
        """Wait until somebody else arms the detector; None after *timeout* s (wall).

        Changes nothing of the detector, only lets it stream. Raises the client's errors, StreamBroken.
        """
        enable_stream(self.client, self.stream_format)
        start = self.engine.wait_for_start(timeout)
        return None if start is None else PendingAcquisition(start)

    def prepare(
        self,
        nav_shape: int | tuple[int, ...],
        *,
        controller: ActiveController | None = None,
        trigger: TriggerHook | None = None,
        pending: PendingAcquisition | None = None,
        frames_per_partition: int | None = None,
        start_timeout_s: float = 10.0,
        idle_timeout_s: float = 10.0,
    ) -> Acquisition:
        """An acquisition of a scan of *nav_shape* positions; nothing happens before its `run`.

        controller            active: the acquisition sets, arms and (in ints and inte) triggers the detector
        trigger               called once the series is armed and received, in a thread of its own, with the
                              acquisition: start the scan here. In ints and inte it replaces our own triggers
        pending               passive: the series that `wait_for_acquisition` found
        frames_per_partition  images from one partial result to the next; None: by time alone
        start_timeout_s       for the start message after arming
        idle_timeout_s        without any message after which a series is given up, besides one frame time

        Raises SettingRejected.
        """
        shape = (nav_shape,) if isinstance(nav_shape, int) else tuple(nav_shape)
        if not shape or any(side < 1 for side in shape) or math.prod(shape) > MAX_POSITIONS:
            raise SettingRejected("nav_shape", nav_shape, "one or more sides from 1 on")
        if (controller is None) == (pending is None):
            raise SettingRejected(
                "an acquisition", "prepared so", "given either a controller (active) or pending (passive)"
            )
        if frames_per_partition is not None and frames_per_partition < 1:
            raise SettingRejected("frames_per_partition", frames_per_partition, "1 or more")
        if controller is not None:
            controller.counts(math.prod(shape))
        return Acquisition(
            self,
            shape,
            controller=controller,
            trigger=trigger,
            pending=None if pending is None else pending.start,
            frames_per_partition=frames_per_partition,
            start_timeout_s=start_timeout_s,
            idle_timeout_s=idle_timeout_s,
        )

    def prepare_from_pending(
        self,
        pending: PendingAcquisition,
        nav_shape: int | tuple[int, ...],
        *,
        frames_per_partition: int | None = None,
    ) -> Acquisition:
        """`prepare` in passive mode, in LiberTEM-live's words."""
        return self.prepare(nav_shape, pending=pending, frames_per_partition=frames_per_partition)

    def choose(self, start: SeriesStart) -> Choice:
        """The sizes for a series: from its start message, from what the last like it showed, and what was given."""
        facts = self.facts(start)
        like_it = self._last_facts is not None and _looks(self._last_facts) == _looks(facts)
        self._last_facts = facts
        return choose(facts, self.last_probe if like_it else None, self._given)

    def facts(self, start: SeriesStart) -> Facts:
        """What is known of a series before its first image, on this machine."""
        return facts_of(start, _cores(), psutil.virtual_memory().available)

    def learn(self, report: SeriesReport, dropped: int | None, choice: Choice) -> Probe:
        """Remember what the series that just ran showed."""
        self.last_probe = probe_of(report.measured, choice, report.missing, dropped)
        return self.last_probe


def _looks(facts: Facts) -> tuple[int, int, int, str, int]:
    """What must be alike for measurements to be of use."""
    return facts.width, facts.height, facts.bit_depth, facts.compression, facts.channels


def _cores() -> int:
    return len(os.sched_getaffinity(0))
