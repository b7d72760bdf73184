"""Bytes of charge stamps and records, against bytes assembled by hand.

Origin: peripherals.md (14 bytes, u16 discriminator, 48-bit time with two more bits in byte 0, float32 charge; record
0x82: header, time, charge stamp, pattern, samples shifted left by 2, two footer words) and the bit positions that the
public decoders of these records read (`mDOMChargeStamp`, `test_waveform`).
"""

from typing import Any

import numpy as np

from sim.degg.channel import Trigger
from sim.degg.digitiser import layout, records
from sim.degg.digitiser.recording.kernels import integral, write
from sim.degg.photomultiplier import layout as state


def test_charge_stamps_are_those_assembled_by_hand() -> None:
    # Time 0x3_1122_3344_5566: bits 49 and 48 are 11. 75 counts x samples of 0.075 mV / 240 MHz / 36.96 ohm are
    # 6.34131e-13 C, as float32 0x2b3280a5.
    ticks = np.array([0x3_1122_3344_5566, 0x0_0000_0000_0001], np.int64)
    charge = 6.3413e-13
    counts = np.array([75.0, 0.0])
    data = records.stamps(1, ticks, counts)
    assert data[:10] == bytes.fromhex("d0 01 0000 665544332211")
    assert abs(np.frombuffer(data[10:14], "<f4")[0] - charge) < 1e-16
    assert data[14:] == bytes.fromhex("10 01 0000 010000000000 00000000")
    assert len(data) == 28


def made_record(threshold: float) -> list[int]:
    p, r = np.zeros(state.SEGMENT), np.zeros(layout.RECORD, np.int64)
    p[state.BASELINE], p[state.THRESHOLD] = 8000.5, threshold
    r[[layout.SAMPLES, layout.CHANNEL, layout.MODE]] = 16, 1, layout.BY_LEVEL
    r[[layout.FROM, layout.TO]] = 1, 2
    adc = np.array([9, 9, *range(8000, 8010), 8047, 8020, 8001, 8000, 7999, 8000, 9], np.int32)
    words = np.zeros(records.words_of_record(16), np.uint16)
    total, peak = integral(2, p, r, adc)
    assert peak == 10
    assert total == 8009 + 8047 + 8020 + 8001 - 4 * 8000.5
    write(2, 0x2_8001_0004_0006, 0x1_2345_6789, total, p, r, adc, words)
    return [int(word) for word in words]


def test_a_waveform_record_is_that_assembled_by_hand() -> None:
    # Baseline 8000.5 x 2^8 = 0x1f4080 in each of four 23-bit pattern fields behind a valid bit:
    # 1 00111110100000010000000 four times, padded to 96 bits.
    pattern = "1" + f"{0x1F4080:023b}" * 4 + "000"
    by_hand = [
        *(35, 0),  # u32 count of the words that follow: 17 + 16 + 2
        0x8201,  # version 0x82, channel 1
        16,  # samples
        0x100 | 2 << 6,  # sync ready, time bits 1..0
        *(0xA000, 0x4001, 0x0001),  # time bits 49..34, 33..18, 17..2
        *(0, 75),  # charge stamp: 75 counts over the baseline
        *(0x2345, 0x6789),  # its time, the lowest 32 bits
        8,  # the pattern's sums are over 2^8
        *(int(pattern[n : n + 16], 2) for n in range(0, 96, 16)),
        *(adc << 2 for adc in range(8000, 8010)),
        8047 << 2 | 2,  # over the threshold: bit 1
        *(adc << 2 for adc in (8020, 8001, 8000, 7999, 8000)),
        *(0, 0),  # footer
    ]
    assert made_record(8040) == by_hand


def test_a_block_of_waveforms_is_filled_with_records_then_zeros(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    channel.arm(degg.level(channel, 25), degg.at(60))
    size = 4 + 2 * (17 + 128 + 2)
    assert size == 298
    for n_bytes, fit in ((66_000, 221), (298, 1), (297, 0), (299, 1), (0, 0)):
        block = channel.waveform_block(n_bytes, degg.at(60))
        assert len(block.data) == n_bytes
        times, _ = degg.waveforms(block.data)
        assert len(times) == fit
        assert not any(block.data[fit * size :])
    assert np.shape(degg.waveforms(channel.waveform_block(3000, degg.at(60)).data)[1]) == (10, 128)


def test_a_threshold_crosses_at_the_sixteenth_sample(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    trigger = degg.level(channel, 25)
    channel.arm(trigger, degg.at(60))
    _, samples = degg.waveforms(channel.waveform_block(66_000, degg.at(60)).data)
    assert (samples[:, 16] >= trigger.threshold_counts).all()
    assert (samples[:, 12:16] < trigger.threshold_counts).all()


def test_the_first_half_of_a_word_count_is_low(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    channel.arm(Trigger("software", samples=1000, period_ms=1), degg.at(60))
    assert channel.waveform_block(5000, degg.at(60)).data[:4] == (1019).to_bytes(4, "little")


def test_a_streamed_record_is_one_record(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    channel.arm(degg.level(channel, 25), degg.at(60))
    block = channel.waveform_record(degg.at(60))
    assert block.complete
    assert len(block.data) == 298
    assert block.data[:4] == (147).to_bytes(4, "little")
