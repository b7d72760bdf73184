"""Module trains from a bridge instead of datagrams, such as EXtra-data's `karabo-bridge-serve-files` sends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.config import FeedTable
from pipeline.daq.bridge_client import BridgeClient
from pipeline.daq.bridge_messages import BridgeSource
from pipeline.daq.xtdf import DetectorFormat
from pipeline.model import ModuleTrain, TrainFlag

MOST_BYTES: Final = 2 << 30
_MODULE: Final = re.compile(r"/DET/([0-9]{1,2})CH0:xtdf$")


def module_train(name: str, source: BridgeSource, form: DetectorFormat) -> ModuleTrain | None:
    """A module's raw source as a train; None when it is none of this detector's type.

    Keys are those of raw files: image.data, image.cellId, image.pulseId and, where they come, status and length.
    """
    match = _MODULE.search(name)
    data = source.arrays.get("image.data")
    if match is None or data is None or data.dtype != np.uint16 or not source.train_id:
        return None
    frames = len(data)
    if data.size != frames * int(np.prod(form.frame_shape)) or frames > form.max_cells:
        return None
    lists = {
        key: _list(source.arrays, f"image.{key}", frames, dtype)
        for key, dtype in (("cellId", np.uint16), ("pulseId", np.uint64), ("status", np.uint16))
    }
    length = np.full(frames, form.frame_bytes, np.uint32)
    return ModuleTrain(
        module=int(match[1]),
        train_id=source.train_id,
        data=data.reshape(frames, *form.frame_shape),
        cell_id=lists["cellId"],
        pulse_id=lists["pulseId"],
        status=lists["status"],
        length=length,
        header=bytes(64),
        detector=np.zeros(form.detector_bytes, np.uint8),
        trailer=bytes(32),
        flags=TrainFlag(0),
    )


def _list(arrays: Mapping[str, NDArray[Any]], key: str, frames: int, dtype: type) -> NDArray[Any]:
    """One entry for each frame; where the source has no such list, 0, 1, 2 …"""
    found = arrays.get(key)
    if found is None or found.size != frames:
        return np.arange(frames).astype(dtype) if key != "image.status" else np.zeros(frames, dtype)
    return found.reshape(frames).astype(dtype)


class Feed:
    """Takes trains from a bridge and hands each module's part on."""

    def __init__(
        self,
        table: FeedTable,
        detector: str,
        form: DetectorFormat,
        modules: tuple[int, ...],
        on_train: Callable[[ModuleTrain], None],
    ) -> None:
        self._detector, self._form, self._modules = detector, form, frozenset(modules)
        self._on_train = on_train
        self._client = BridgeClient("feed", table.address, table.mode, self._take, MOST_BYTES)
        self.counters: Final[Counter[str]] = Counter()

    def start(self) -> None:
        """Connect. Raises SettingRejected."""
        self._client.start()

    def stop(self) -> None:
        """End; may be called twice."""
        self._client.stop()

    def describe(self) -> dict[str, int]:
        """Trains and module parts that came, and what was left out."""
        return {**self._client.counters, **self.counters}

    def _take(self, sources: dict[str, BridgeSource]) -> None:
        for name, source in sources.items():
            if not name.startswith(f"{self._detector}/"):
                self.counters["other_sources"] += 1
                continue
            train = module_train(name, source, self._form)
            if train is None or train.module not in self._modules:
                self.counters["parts_unusable"] += 1
                continue
            self.counters["parts"] += 1
            self._on_train(train)
