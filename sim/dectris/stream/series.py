"""One series on one stream: its messages, one by one in Python or a run at a time in a kernel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.dectris.stream import cbor, legacy
from sim.dectris.stream.legacy import Parts
from sim.dectris.stream.native import addresses
from sim.dectris.stream.settings import Settings
from sim.dectris.stream.spoiling import EXTRA_PART, HONEST, Spoiled

if TYPE_CHECKING:
    from types import ModuleType

INT64_LIMIT: Final = 1 << 62


class SeriesMessages(ABC):
    """Messages of a series in one format. The image appendix is that of arm."""

    def __init__(self, series: ArmedSeries, settings: Settings) -> None:
        self.series, self._settings = series, settings
        self._appendix = settings.image_appendix

    @abstractmethod
    def start(self) -> Parts:
        """The start message, with the detail that is configured now."""

    @abstractmethod
    def end(self, number: int) -> Parts:
        """The end message of this series, or, with another number, a stale one."""

    @abstractmethod
    def image(self, number: int, run: ImageRun, spoiled: Spoiled = HONEST) -> Parts:
        """The message of one image of a run."""

    @abstractmethod
    def send(
        self, kernels: ModuleType, socket: int, run: ImageRun, *, waits: bool, keep: bool
    ) -> tuple[int, int]:
        """Send a run through the C socket at this address.

        With *waits*, it stops at the first image that nobody takes at once; otherwise such images are skipped. *keep*
        says that the ring outlives the socket. Returns how many images were handled and how many were sent.
        """


class LegacyMessages(SeriesMessages):
    """Stream 1."""

    def __init__(self, series: ArmedSeries, settings: Settings) -> None:
        super().__init__(series, settings)
        self._tail = legacy.appendix_bytes(self._appendix)
        self._prepared: _LegacyArrays | None = None

    def start(self) -> Parts:
        """1, 2 or 8 parts, and an appendix."""
        return legacy.start(self.series, self._settings)

    def end(self, number: int) -> Parts:
        """One part."""
        return legacy.end(number)

    def image(self, number: int, run: ImageRun, spoiled: Spoiled = HONEST) -> Parts:
        """Four parts, and an appendix."""
        return legacy.image(self.series.number, number, self.series.ring, run, self._tail, spoiled)

    def send(
        self, kernels: ModuleType, socket: int, run: ImageRun, *, waits: bool, keep: bool
    ) -> tuple[int, int]:
        """See SeriesMessages."""
        if self._prepared is None:
            self._prepared = _LegacyArrays(self.series, self._tail)
        ready = self._prepared
        handled, sent = kernels.send_legacy(
            addresses(), socket, run.first, run.count, run.start_ns, run.period_ns, run.exposure_ns, waits,
            ready.texts, ready.cuts, ready.hashes, ready.shapes, ready.shape_cuts,
            ready.pool, ready.offsets, ready.lengths, keep,
        )  # fmt: skip
        return int(handled), int(sent)


class _LegacyArrays:
    """What `kernels.send_legacy` needs of a series."""

    def __init__(self, series: ArmedSeries, tail: bytes) -> None:
        channel, layout = series.ring.channels[0], series.ring.layout
        skipped = legacy.skipped(layout)
        self.pool = channel.pool
        self.offsets = channel.offsets + skipped
        self.lengths = channel.lengths - skipped
        self.hashes = np.frombuffer("".join(channel.md5).encode(), np.uint8).reshape(-1, 32)
        texts = (
            f'{{"htype":"dimage-1.0","series":{series.number},"frame":'.encode(),
            b',"hash":"',
            b'"}',
            b'{"htype":"dconfig-1.0","start_time":',
            b',"stop_time":',
            b',"real_time":',
            b"}",
            tail,
        )
        self.texts, self.cuts = _joined(texts)
        self.shapes, self.shape_cuts = _joined([legacy.described(layout, int(size)) for size in self.lengths])


class CborMessages(SeriesMessages):
    """Stream 2."""

    def __init__(self, series: ArmedSeries, settings: Settings) -> None:
        super().__init__(series, settings)
        self._texts: tuple[tuple[int, int], tuple[bytes, bytes, bytes, bytes, bytes]] | None = None
        self._prepared: _CborArrays | None = None

    def start(self) -> Parts:
        """One part."""
        return (cbor.start(self.series, self._settings),)

    def end(self, number: int) -> Parts:
        """One part."""
        return (cbor.end(number, self.series.unique_id),)

    def image(self, number: int, run: ImageRun, spoiled: Spoiled = HONEST) -> Parts:
        """One part with all channels."""
        channels = 0 if spoiled.missing_part else len(self.series.ring.channels)
        texts = self._texts_of(run)
        if spoiled.series_offset or not channels:
            identity = self.series.number + spoiled.series_offset, self.series.unique_id
            texts = cbor.image_texts(*identity, channels, run, self._appendix)
        message = cbor.image(texts, number, run, self._data(number, spoiled) if channels else b"")
        return (message, EXTRA_PART) if spoiled.extra_part else (message,)

    def _data(self, number: int, spoiled: Spoiled) -> bytes:
        """Heads and blobs of all channels."""
        ring = self.series.ring
        blobs = [
            (channel.name, spoiled.blob(channel.blob(number), hashed=False)) for channel in ring.channels
        ]
        return b"".join(
            cbor.data_head(name, ring.layout, len(blob), height_error=spoiled.size_error) + blob
            for name, blob in blobs
        )

    def send(
        self,
        kernels: ModuleType,
        socket: int,
        run: ImageRun,
        *,
        waits: bool,
        keep: bool,  # noqa: ARG002
    ) -> tuple[int, int]:
        """See SeriesMessages. A message is one part, so its data are copied whatever *keep* says."""
        if self._prepared is None:
            self._prepared = _CborArrays(self.series)
        ready = self._prepared
        texts, cuts = _joined(self._texts_of(run))
        handled, sent = kernels.send_cbor(
            addresses(), socket, run.first, run.count, run.start_ns, run.period_ns, run.exposure_ns, waits,
            texts, cuts, ready.heads, ready.head_cuts, ready.pools, ready.offsets, ready.lengths, cbor.TICK_NS,
        )  # fmt: skip
        return int(handled), int(sent)

    def _texts_of(self, run: ImageRun) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """Runs of a series differ in their exposure only, and seldom."""
        key = run.exposure_ns, run.series_date_unix_ns
        if self._texts is None or self._texts[0] != key:
            identity = self.series.number, self.series.unique_id
            texts = cbor.image_texts(*identity, len(self.series.ring.channels), run, self._appendix)
            self._texts = key, texts
        return self._texts[1]


class _CborArrays:
    """What `kernels.send_cbor` needs of a series."""

    def __init__(self, series: ArmedSeries) -> None:
        ring = series.ring
        self._alive = [channel.pool for channel in ring.channels]
        self.pools = np.array([pool.ctypes.data for pool in self._alive], np.int64)
        self.offsets = np.stack([channel.offsets for channel in ring.channels])
        self.lengths = np.stack([channel.lengths for channel in ring.channels])
        heads = [
            cbor.data_head(channel.name, ring.layout, int(size))
            for channel in ring.channels
            for size in channel.lengths
        ]
        self.heads, self.head_cuts = _joined(heads)


def _joined(texts: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The texts one after another, and where each begins, with the end of the last."""
    cuts: NDArray[Any] = np.cumsum([0, *(len(text) for text in texts)], dtype=np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), cuts


def messages_of(series: ArmedSeries, settings: Settings) -> SeriesMessages:
    """The messages of a series in the format that is configured."""
    return CborMessages(series, settings) if settings.format == "cbor" else LegacyMessages(series, settings)
