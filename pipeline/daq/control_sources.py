"""Control sources: slow and small data that arrive over a bridge and are recorded beside the detector's."""

from __future__ import annotations

import fnmatch
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.daq.bridge_client import BridgeClient, Mode
from pipeline.daq.bridge_messages import BridgeSource
from pipeline.daq.storable import arrays_that_fit, is_key, is_source, is_value, same_kind

MOST_BYTES: Final = 64 << 20
REMEMBERED_TRAINS: Final = 128
MOST_KEYS: Final = 256
MOST_SOURCES: Final = 512
"""Names that are remembered; a bridge that makes new ones for ever does not fill the memory."""
REMEMBERED_BYTES: Final = 512 << 20
"""Arrays of the remembered trains, together; the newest train is always kept."""


@dataclass(frozen=True, slots=True)
class SlowData:
    """What control sources brought for one train."""

    control: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Numbers and texts by device and key."""
    instrument: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    """Arrays by output channel (a name with a colon) and key `data.…`."""


NOTHING: Final = SlowData()


def slow_data(sources: Mapping[str, BridgeSource], wanted: Sequence[str] = ("*",)) -> SlowData:
    """Sort what came into control values and arrays of output channels; what no file can hold is left out.

    wanted  patterns of the sources that are recorded, as shells match file names
    """
    control: dict[str, dict[str, Any]] = {}
    instrument: dict[str, dict[str, NDArray[Any]]] = {}
    for name, source in sources.items():
        if not is_source(name) or not any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted):
            continue
        if ":" in name:
            instrument[name] = dict(list(arrays_that_fit(source.arrays).items())[:MOST_KEYS])
        else:
            values = {k: _control_value(v) for k, v in source.values.items() if is_key(k) and is_value(v)}
            control[name] = dict(list(values.items())[:MOST_KEYS])
    return SlowData(
        {name: values for name, values in control.items() if values},
        {name: arrays for name, arrays in instrument.items() if arrays},
    )


def left_out(sources: Mapping[str, BridgeSource]) -> int:
    """Sources, values and arrays that no file can hold."""
    count = 0
    for name, source in sources.items():
        if not is_source(name):
            count += 1
        elif ":" in name:
            count += len(source.arrays) - len(arrays_that_fit(source.arrays))
        else:
            count += sum(not is_key(key) or not is_value(value) for key, value in source.values.items())
    return count


def _control_value(value: Any) -> Any:
    return value if isinstance(value, str) else np.asarray(value)[()]


class ControlSources:
    """Keeps what came of the last trains, by train id."""

    def __init__(self, address: str, mode: Mode) -> None:
        self._client = BridgeClient("control sources", address, mode, self._take, MOST_BYTES)
        self._lock = threading.Lock()
        self._trains: OrderedDict[int, dict[str, BridgeSource]] = OrderedDict()
        self._last: OrderedDict[str, BridgeSource] = OrderedDict()
        self._bytes: dict[int, int] = {}
        self.wanted: tuple[str, ...] = ("*",)
        self.counters: Final[Counter[str]] = Counter()

    def start(self) -> None:
        """Connect. Raises SettingRejected."""
        self._client.start()

    def stop(self) -> None:
        """End; may be called twice."""
        self._client.stop()

    def has(self, train_id: int) -> bool:
        """Whether something came for a train."""
        with self._lock:
            return train_id in self._trains

    def at(self, train_id: int) -> SlowData:
        """What came for a train; counted as missing when nothing did."""
        with self._lock:
            sources = self._trains.get(train_id)
        if sources is None:
            self.counters["trains_missing"] += 1
            return NOTHING
        return slow_data(sources, self.wanted)

    def latest(self) -> SlowData:
        """What every source brought last."""
        with self._lock:
            return slow_data(self._last, self.wanted)

    def describe(self) -> dict[str, Any]:
        """Sources and counters for the control system."""
        with self._lock:
            names = sorted(self._last)
        return {
            "sources": names,
            **self._client.counters,
            **self.counters,
            "last_problem": self._client.problem,
        }

    def _take(self, sources: dict[str, BridgeSource]) -> None:
        ids = {source.train_id for source in sources.values()}
        if len(ids) != 1 or 0 in ids:
            self.counters["trains_without_one_id"] += 1
            return
        train_id = ids.pop()
        own = {name: _copied(source) for name, source in sources.items()}
        with self._lock:
            previous = next(reversed(self._trains), 0)
            if train_id in self._trains:
                self.counters["trains_repeated"] += 1
            elif previous and train_id != previous + 1:
                self.counters["train_id_gaps"] += 1
            self._note_changes(own)
            self.counters["sources_missing"] += len(set(self._last) - set(own))
            self._remember(train_id, own)

    def _remember(self, train_id: int, sources: dict[str, BridgeSource]) -> None:
        """Keep a train and the newest of each source, within the limits."""
        self._trains[train_id] = sources
        self._bytes[train_id] = sum(a.nbytes for source in sources.values() for a in source.arrays.values())
        while len(self._trains) > REMEMBERED_TRAINS or (
            len(self._trains) > 1 and sum(self._bytes.values()) > REMEMBERED_BYTES
        ):
            oldest, _ = self._trains.popitem(last=False)
            self._bytes.pop(oldest, None)
        for name, source in sources.items():
            self._last[name] = source
            self._last.move_to_end(name)
        while len(self._last) > MOST_SOURCES:
            self._last.popitem(last=False)

    def _note_changes(self, sources: Mapping[str, BridgeSource]) -> None:
        """Count what is not of the form of the train before, or that no file can hold."""
        self.counters["left_out"] += left_out(sources)
        for name, source in sources.items():
            before = self._last.get(name)
            for key, array in source.arrays.items():
                known = before.arrays.get(key) if before is not None else None
                if known is not None and (known.dtype != array.dtype or known.shape != array.shape):
                    self.counters["forms_changed"] += 1
            for key, value in source.values.items():
                if before is not None and key in before.values and is_value(value):
                    self.counters["forms_changed"] += not same_kind(before.values[key], value)


def _copied(source: BridgeSource) -> BridgeSource:
    """Without the message's memory, which is larger than what is kept."""
    arrays = {key: array.copy() for key, array in source.arrays.items()}
    return BridgeSource(source.metadata, arrays, source.values)
