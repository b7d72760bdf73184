"""Blocks of events to arrays: waveforms (records 0x82) and charge stamps, without a loop over the records.

The layouts are those of the public decoders. A waveform: u32 word count; then 16-bit words, little-endian: format and
channel, number of samples, two low bits of the time, three words of it, charge stamp and its time (4), baseline
pattern (7), the samples shifted left by two, two of footer. A count of 0 ends a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.station.errors import AnswerMalformed

TICKS_PER_S: Final = 240e6
FORMAT: Final = 0x82
HEADER_WORDS: Final = 17
FOOTER_WORDS: Final = 2
COUNT_WORDS: Final = 2
STAMP: Final = np.dtype(
    [
        ("version", "u1"),
        ("channel", "u1"),
        ("discriminator", "<u2"),
        ("low", "<u4"),
        ("high", "<u2"),
        ("charge", "<f4"),
    ]
)
STAMP_BYTES: Final = STAMP.itemsize
_DEGG: Final = 0x10
_BAD: Final = 0xE0
"""Flags of a charge stamp: any of them means that it is bad."""


@dataclass(frozen=True, slots=True, eq=False)
class Waveforms:
    """Waveforms of one channel, in the order of their times."""

    ticks: NDArray[np.int64]
    """(n) time of the trigger, 240 MHz."""
    samples: NDArray[np.uint16]
    """(n, samples) ADC counts, 14 bits, baseline included."""

    @property
    def span_s(self) -> float:
        """Seconds between the first and the last trigger; what the bench's clock has to be given by `Station.spend`."""
        return _span_s(self.ticks)

    def __len__(self) -> int:
        return int(self.ticks.size)


@dataclass(frozen=True, slots=True, eq=False)
class ChargeStamps:
    """Charge stamps of one channel, in the order of their times."""

    ticks: NDArray[np.int64]
    """(n) time of the trigger, 240 MHz, whole ticks."""
    charge: NDArray[np.float32]
    """(n) charge in picocoulomb: what the record holds, in coulomb, times 1e12."""

    @property
    def span_s(self) -> float:
        """Seconds between the first and the last trigger; what the bench's clock has to be given by `Station.spend`."""
        return _span_s(self.ticks)

    def __len__(self) -> int:
        return int(self.ticks.size)


def _span_s(ticks: NDArray[np.int64]) -> float:
    return float(ticks[-1] - ticks[0]) / TICKS_PER_S if ticks.size > 1 else 0.0


def record_bytes(samples: int) -> int:
    """Bytes of one waveform in a block, its word count included."""
    return 2 * (COUNT_WORDS + HEADER_WORDS + samples + FOOTER_WORDS)


def read_waveforms(block: bytes, samples: int, who: str = "module") -> dict[int, Waveforms]:
    """Waveforms by channel. Raises AnswerMalformed.

    block    bytes that `readDEggWfmBlock` sent
    samples  of each record, as `setDEggConstReadout` was told
    who      whose they are, for errors
    """
    size = record_bytes(samples)
    words = np.frombuffer(block, "<u2", len(block) // size * (size // 2)).reshape(-1, size // 2)
    counts = words[:, 0].astype(np.int64) | words[:, 1].astype(np.int64) << 16
    ends = np.flatnonzero(counts == 0)
    words = words[: int(ends[0]) if ends.size else len(words)]
    wrong = np.flatnonzero(counts[: len(words)] != size // 2 - COUNT_WORDS)
    if wrong.size:
        raise AnswerMalformed(
            who,
            "readDEggWfmBlock",
            f"has a record of {counts[wrong[0]]} words and not {size // 2 - COUNT_WORDS}",
        )
    kinds = words[:, 2] >> 8
    if (kinds != FORMAT).any():
        raise AnswerMalformed(
            who,
            "readDEggWfmBlock",
            f"has records of format {kinds[kinds != FORMAT][0]:#x}; this client reads 0x82",
        )
    times = (
        (words[:, 4].astype(np.int64) >> 6 & 3)
        | words[:, 7].astype(np.int64) << 2
        | words[:, 6].astype(np.int64) << 18
        | words[:, 5].astype(np.int64) << 34
    )
    channels = words[:, 2] & 0xFF
    adc = words[:, COUNT_WORDS + HEADER_WORDS : -FOOTER_WORDS] >> 2
    return {int(ch): Waveforms(times[channels == ch], adc[channels == ch]) for ch in np.unique(channels)}


def read_stamps(block: bytes, who: str = "module") -> dict[int, ChargeStamps]:
    """Charge stamps by channel; those that the board marked as bad are left out. Raises AnswerMalformed."""
    records = np.frombuffer(block, STAMP, len(block) // STAMP_BYTES)
    version = records["version"]
    if ((version & 0x0F) != 0).any() or ((version & _DEGG) == 0).any():
        raise AnswerMalformed(
            who, "readDEggChargeBlock", "has charge stamps that are not of version 0 of a D-Egg"
        )
    records = records[(records["channel"] & _BAD) == 0]
    ticks = (
        records["low"].astype(np.int64)
        | records["high"].astype(np.int64) << 32
        | (records["version"] >> 6).astype(np.int64) << 48
    )
    charge = records["charge"] * np.float32(1e12)
    channels = records["channel"]
    return {
        int(ch): ChargeStamps(ticks[channels == ch], charge[channels == ch]) for ch in np.unique(channels)
    }


def joined_waveforms(parts: list[Waveforms], most: int, samples: int) -> Waveforms:
    """The first *most* of several."""
    if not parts:
        return Waveforms(np.zeros(0, np.int64), np.zeros((0, samples), np.uint16))
    return Waveforms(
        np.concatenate([part.ticks for part in parts])[:most],
        np.concatenate([part.samples for part in parts])[:most],
    )


def joined_stamps(parts: list[ChargeStamps], most: int) -> ChargeStamps:
    """The first *most* of several."""
    if not parts:
        return ChargeStamps(np.zeros(0, np.int64), np.zeros(0, np.float32))
    return ChargeStamps(
        np.concatenate([part.ticks for part in parts])[:most],
        np.concatenate([part.charge for part in parts])[:most],
    )
