"""Reference numbers of the XTDF block: computed from the public struct sizes, not from our code."""

import numpy as np
import pytest

from sim.xtdf.layout import AGIPD, DSSC, LPD, WireFormat, block_layout, last_payload, packet_count
from sim.xtdf.packets import EOF, SOF, plan

REFERENCE = [
    # wire, frames, cellId, pulseId, status, length, det. specific, trailer, total, packets, last payload
    (AGIPD, 352, 92274752, 92275456, 92278272, 92278976, 92280384, 92285792, 92285824, 11277, 3040),
    (AGIPD, 250, 65536064, 65536576, 65538592, 65539104, 65540128, 65545536, 65545568, 8009, 8096),
    (AGIPD, 64, 16777280, 16777408, 16777920, 16778048, 16778304, 16783712, 16783744, 2051, 6544),
    (AGIPD, 4, 1048640, 1048672, 1048704, 1048736, 1048768, 1054176, 1054208, 129, 6656),
    (LPD, 512, 67108928, 67109952, 67114048, 67115072, 67117120, 67117536, 67117568, 8202, 584),
    (LPD, 300, 39321664, 39322272, 39324672, 39325280, 39326496, 39326912, 39326944, 4806, 2824),
    (LPD, 1, 131136, 131168, 131200, 131232, 131264, 131680, 131712, 17, 768),
    (DSSC, 800, 104857664, 104859264, 104865664, 104867264, 104870464, 104870880, 104870912, 12815, 1136),
    (DSSC, 400, 52428864, 52429664, 52432864, 52433664, 52435264, 52435680, 52435712, 6408, 824),
    (DSSC, 2, 262208, 262240, 262272, 262304, 262336, 262752, 262784, 33, 896),
]


@pytest.mark.parametrize("row", REFERENCE, ids=lambda row: f"{row[0].detector}-{row[1]}")
def test_reference_numbers(row: tuple[WireFormat, int, *tuple[int, ...]]) -> None:
    wire, frames, cell_id, pulse_id, status, length, detector, trailer, total, packets, last = row
    at = block_layout(wire.bytes_per_pulse, wire.detector_bytes, frames)
    assert (at.image, at.cell_id, at.pulse_id, at.status) == (64, cell_id, pulse_id, status)
    assert (at.length, at.detector, at.trailer, at.total) == (length, detector, trailer, total)
    assert (packet_count(total), last_payload(total)) == (packets, last)


def test_only_dssc_with_678_cells_fills_its_last_datagram() -> None:
    full = [
        (wire.detector, frames)
        for wire in (AGIPD, LPD, DSSC)
        for frames in range(1, wire.max_cells + 1)
        if last_payload(block_layout(wire.bytes_per_pulse, wire.detector_bytes, frames).total) == 8184
    ]
    assert full == [("DSSC", 678)]


def test_empty_train_has_no_lists() -> None:
    at = block_layout(AGIPD.bytes_per_pulse, AGIPD.detector_bytes, 0)
    assert at.detector == at.image == 64
    assert at.total == 64 + 5408 + 32


def test_block_of_one_datagram_sets_both_flags() -> None:
    (only,) = plan(8184)
    assert only.flags == SOF | EOF
    assert [packet.flags for packet in plan(8185)] == [SOF, EOF]


def test_negative_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="-1 images"):
        block_layout(AGIPD.bytes_per_pulse, AGIPD.detector_bytes, -1)


def test_image_size_is_two_planes_of_a_module() -> None:
    assert np.zeros((2, 512, 128), np.uint16).nbytes == AGIPD.bytes_per_pulse
