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

MOST_BYTES: Final = 64 << 20
REMEMBERED_TRAINS: Final = 128
MOST_KEYS: Final = 256


@dataclass(frozen=True, slots=True)
class SlowData:
    """What control sources brought for one train."""

    control: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Numbers and texts by device and key."""
    instrument: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    """Arrays by output channel (a name with a colon) and key `data.…`."""


NOTHING: Final = SlowData()


def slow_data(sources: Mapping[str, BridgeSource], wanted: Sequence[str] = ("*",)) -> SlowData:
    """Sort what came into control values and arrays of output channels.

    wanted  patterns of the sources that are recorded, as shells match file names
    """
    control: dict[str, dict[str, Any]] = {}
    instrument: dict[str, dict[str, NDArray[Any]]] = {}
    for name, source in sources.items():
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted):
            continue
        if ":" in name:
            arrays = {key: value for key, value in source.arrays.items() if key.startswith("data.")}
            instrument[name] = dict(list(arrays.items())[:MOST_KEYS])
        else:
            values = {
                key: _control_value(value) for key, value in source.values.items() if _is_control(value)
            }
            control[name] = dict(list(values.items())[:MOST_KEYS])
    return SlowData(
        {name: values for name, values in control.items() if values},
        {name: arrays for name, arrays in instrument.items() if arrays},
    )


def _is_control(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return -(1 << 63) <= value < 1 << 63
    return isinstance(value, bool | float | str)


def _control_value(value: Any) -> Any:
    return value if isinstance(value, str) else np.asarray(value)[()]


class ControlSources:
    """Keeps what came of the last trains, by train id."""

    def __init__(self, address: str, mode: Mode) -> None:
        self._client = BridgeClient("control sources", address, mode, self._take, MOST_BYTES)
        self._lock = threading.Lock()
        self._trains: OrderedDict[int, dict[str, BridgeSource]] = OrderedDict()
        self._last: dict[str, BridgeSource] = {}
        self.wanted: tuple[str, ...] = ("*",)
        self.counters: Final[Counter[str]] = Counter()

    def start(self) -> None:
        """Connect. Raises SettingRejected."""
        self._client.start()

    def stop(self) -> None:
        """End; may be called twice."""
        self._client.stop()

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
            self._trains[train_id] = own
            self._last.update(own)
            while len(self._trains) > REMEMBERED_TRAINS:
                self._trains.popitem(last=False)

    def _note_changes(self, sources: Mapping[str, BridgeSource]) -> None:
        """Count arrays whose form is not that of the train before: files cannot hold them."""
        for name, source in sources.items():
            before = self._last.get(name)
            for key, array in source.arrays.items():
                known = before.arrays.get(key) if before is not None else None
                if known is not None and (known.dtype != array.dtype or known.shape != array.shape):
                    self.counters["forms_changed"] += 1


def _copied(source: BridgeSource) -> BridgeSource:
    """Without the message's memory, which is larger than what is kept."""
    arrays = {key: array.copy() for key, array in source.arrays.items()}
    return BridgeSource(source.metadata, arrays, source.values)
