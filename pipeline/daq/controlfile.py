"""RAW sequence files of control data, DA01: the detector's operating conditions, and what control sources bring.

Paths, shapes and dtypes: EXtra-data, docs/data_format.rst.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.daq.conditions import Devices
from pipeline.daq.control_sources import NOTHING, SlowData
from pipeline.daq.growing import (
    Growing,
    RunIdentity,
    TrainIndex,
    create_file,
    touch_update_date,
    write_metadata,
)
from pipeline.daq.storable import same_kind

TEXT: Final = h5py.string_dtype()


class ControlFile:
    """One sequence file of control data.

    conditions  values of the detector's control devices, the same for all trains unless a source brings them
    known       what the sources brought last before the file began: sources and keys of the file
    """

    def __init__(
        self,
        path: Path,
        conditions: Devices,
        known: SlowData,
        identity: RunIdentity,
        sequence: int,
        begin_ns: int,
    ) -> None:
        self._file = create_file(path)
        devices = conditions | {name: dict(values) for name, values in known.control.items()}
        channels = known.instrument
        sources = [("CONTROL", device) for device in devices]
        sources += [("INSTRUMENT", f"{source}/data") for source in channels]
        write_metadata(self._file, identity, sequence, sources)
        self._groups = {source: f"{source}/data" for source in channels}
        self._index = TrainIndex(self._file, [*devices, *self._groups.values()])
        self._devices = list(devices)
        self._last: dict[tuple[str, str], Any] = {}
        self._values: dict[tuple[str, str], tuple[Growing, Growing]] = {}
        for device, keys in devices.items():
            for key, value in keys.items():
                self._add_control(device, key, value, begin_ns)
        self._arrays = {
            source: {key: self._add_array(source, key, value) for key, value in keys.items()}
            for source, keys in channels.items()
        }

    def _add_control(self, device: str, key: str, value: Any, begin_ns: int) -> None:
        path = f"{device}/{key.replace('.', '/')}"
        dtype = TEXT if isinstance(value, str) else np.asarray(value).dtype
        self._file.create_dataset(f"RUN/{path}/value", data=np.array([value], dtype))
        self._file.create_dataset(f"RUN/{path}/timestamp", data=np.array([begin_ns], "u8"))
        values = Growing(self._file, f"CONTROL/{path}/value", (), dtype)
        timestamps = Growing(self._file, f"CONTROL/{path}/timestamp", (), "u8")
        self._values[device, key] = values, timestamps
        self._last[device, key] = value

    def _add_array(self, source: str, key: str, value: NDArray[Any]) -> tuple[Growing, tuple[int, ...], Any]:
        path = f"INSTRUMENT/{source}/{key.replace('.', '/')}"
        return Growing(self._file, path, value.shape, value.dtype, 1), value.shape, value.dtype

    def append(self, train_id: int, timestamp_ns: int, data: SlowData = NOTHING) -> None:
        """Append one train. A control value that did not come stays what it was; an array that did not is not there."""
        for (device, key), (values, timestamps) in self._values.items():
            value = data.control.get(device, {}).get(key, self._last[device, key])
            if not same_kind(self._last[device, key], value):
                value = self._last[device, key]  # the column cannot hold it
            self._last[device, key] = value
            values.append(value)
            timestamps.append(timestamp_ns)
        counts = dict.fromkeys(self._devices, 1)
        for source, keys in self._arrays.items():
            if self._append_arrays(keys, data.instrument.get(source, {})):
                counts[self._groups[source]] = 1
        self._index.append(train_id, timestamp_ns, counts)
        self._file.flush()

    def _append_arrays(
        self, keys: Mapping[str, tuple[Growing, tuple[int, ...], Any]], arrays: Mapping[str, NDArray[Any]]
    ) -> bool:
        """Append all arrays of a source, or none when one lacks or has another form than in the file."""
        for key, (_, shape, dtype) in keys.items():
            if key not in arrays or arrays[key].shape != shape or arrays[key].dtype != dtype:
                return False
        for key, (growing, _, _) in keys.items():
            growing.append(arrays[key][np.newaxis] if arrays[key].shape else arrays[key])
        return True

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file:
            touch_update_date(self._file)
            self._file.close()
