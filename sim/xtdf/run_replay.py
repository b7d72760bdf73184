"""Send an existing raw run again as datagrams: blocks are put together from what the files hold.

Paths and dtypes: EXtra-data, docs/data_format.rst and tests/mockdata/detectors.py.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.errors import SimError
from sim.xtdf.layout import AGIPD, DSSC, HEADER_BYTES, LPD, TRAILER_BYTES, WireFormat, block_layout, padded
from sim.xtdf.link import UdpLink
from sim.xtdf.packets import datagrams, plan

FORMATS: Final[Mapping[str, WireFormat]] = {"AGIPD": AGIPD, "LPD": LPD, "DSSC": DSSC}
_NAME: Final = re.compile(r"RAW-R\d{4}-(AGIPD|LPD|DSSC)(\d{2})-S\d{5}\.h5")
_SOURCE: Final = re.compile(r"/DET/(\d+)CH0:xtdf$")


@dataclass(frozen=True, slots=True)
class StoredTrain:
    """One module's train in a file."""

    train_id: int
    module: int
    block: NDArray[np.uint8]


def modules_of(run: Path) -> list[int]:
    """Modules of a raw run. Raises SimError when it has none."""
    found = {int(match[2]) for path in run.glob("RAW-*.h5") if (match := _NAME.fullmatch(path.name))}
    if not found:
        raise SimError(f"{run} holds no files RAW-R….-AGIPD..-S…..h5 (or LPD, DSSC); is it a raw run?")
    return sorted(found)


def read_run(run: Path, module: int) -> Iterator[StoredTrain]:
    """The trains of a module in order, each as the block that once was sent. Raises SimError."""
    for path in sorted(run.glob(f"RAW-*{module:02d}-S*.h5")):
        match = _NAME.fullmatch(path.name)
        if match is None or int(match[2]) != module:
            continue
        try:
            with h5py.File(path, "r") as file:
                yield from _trains(file, FORMATS[match[1]], module)
        except (OSError, KeyError, ValueError, StopIteration) as error:
            raise SimError(f"{path}: cannot be replayed ({error!r})") from None


def _trains(file: h5py.File, wire: WireFormat, module: int) -> Iterator[StoredTrain]:
    detector = next(
        name for name in file["INSTRUMENT"] if f"DET/{module}CH0:xtdf" in file["INSTRUMENT"][name]
    )
    source = f"{detector}/DET/{module}CH0:xtdf"
    data, index = file[f"INSTRUMENT/{source}"], file[f"INDEX/{source}"]
    first, count = index["image/first"][:], index["image/count"][:]
    sections, present = index["header/first"][:], index["header/count"][:]
    for row, train_id in enumerate(file["INDEX/trainId"][:]):
        if train_id and present[row]:
            frames = slice(int(first[row]), int(first[row] + count[row]))
            yield StoredTrain(int(train_id), module, _block(data, frames, int(sections[row]), wire))


def _block(data: h5py.Group, frames: slice, row: int, wire: WireFormat) -> NDArray[np.uint8]:
    images = data["image/data"][frames]
    at = block_layout(wire.bytes_per_pulse, wire.detector_bytes, len(images))
    block = np.zeros(at.total, np.uint8)
    block[:HEADER_BYTES] = np.frombuffer(_header(data["header"], row, wire), np.uint8)
    block[at.image : at.cell_id] = np.ascontiguousarray(images, "<u2").view(np.uint8).reshape(-1)
    for key, dtype, start in (
        ("cellId", "<u2", at.cell_id),
        ("pulseId", "<u8", at.pulse_id),
        ("status", "<u2", at.status),
        ("length", "<u4", at.length),
    ):
        values = np.ascontiguousarray(data[f"image/{key}"][frames].reshape(-1), dtype).view(np.uint8)
        assert len(values) <= padded(len(values))
        block[start : start + len(values)] = values
    if "detector/data" in data:
        block[at.detector : at.trailer] = data["detector/data"][row]
    block[at.trailer :] = np.frombuffer(_trailer(data["trailer"], row), np.uint8)
    return block


def _bytes_of(group: h5py.Group, key: str, row: int, dtype: str) -> bytes:
    value: Any = group[key][row]
    return bytes(np.asarray(value).astype(dtype).tobytes())


def _header(group: h5py.Group, row: int, wire: WireFormat) -> bytes:
    fields = (
        _bytes_of(group, "magicNumberBegin", row, "i1"),
        _bytes_of(group, "majorTrainFormatVersion", row, "<u4"),
        _bytes_of(group, "minorTrainFormatVersion", row, "<u4"),
        *(_bytes_of(group, key, row, "<u8") for key in ("trainId", "dataId", "linkId", "pulseCount")),
    )
    # The files' 16 reserved bytes begin with the sizes of the last two sections; those of mock-ups are zeros.
    return b"".join(fields) + struct.pack("<II8x", wire.detector_bytes, 0)


def _trailer(group: h5py.Group, row: int) -> bytes:
    whole = b"".join(
        (
            _bytes_of(group, "checksum", row, "i1"),
            _bytes_of(group, "status", row, "<u8"),
            _bytes_of(group, "magicNumberEnd", row, "i1"),
        )
    )
    assert len(whole) == TRAILER_BYTES
    return whole


def replay_run(
    run: Path,
    to: Mapping[int, str],
    trains: slice = slice(None),
    rate_hz: float | None = 10.0,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Send the trains of a run in the order of their ids, every module to its address; how many trains.

    trains   which of them, by position in the run
    rate_hz  trains in each second; None: as fast as the receivers read
    Raises SimError.
    """
    links = {module: UdpLink(address) for module, address in to.items()}
    try:
        sent = 0
        began = time.monotonic()
        for parts in _by_train([read_run(run, module) for module in links], trains):
            if rate_hz is not None:
                wait_s = sent / rate_hz - (time.monotonic() - began)
                if wait_s > 0:
                    time.sleep(wait_s)  # the pace of the machine
            for part in parts:
                view = memoryview(part.block.data)
                links[part.module].send(datagrams(view, part.train_id, plan(len(view))))
            sent += 1
            progress(sent)
        return sent
    finally:
        for link in links.values():
            link.close()


def _by_train(modules: Sequence[Iterator[StoredTrain]], trains: slice) -> Iterator[list[StoredTrain]]:
    """Put modules together by train id; trains that a module lacks come without it."""
    waiting = [next(module, None) for module in modules]
    number, stop = 0, trains.stop
    while any(waiting) and (stop is None or number < stop):
        lowest = min(part.train_id for part in waiting if part is not None)
        now = [part for part in waiting if part is not None and part.train_id == lowest]
        if number >= (trains.start or 0):
            yield now
        for position, part in enumerate(waiting):
            if part is not None and part.train_id == lowest:
                waiting[position] = next(modules[position], None)
        number += 1
