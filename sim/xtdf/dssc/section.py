"""The detector-specific section of a DSSC train: 160 bytes of board words, then 16 trailers of the ASICs.

Layout: `DsscTrainData.hh` and `DsscTrainDataTypes.hh` (Heidelberg DSSC software).
"""

from __future__ import annotations

import struct
from typing import Final

ASICS: Final = 16
SEND_DUMMY: Final = 1 << 2
SEND_CONVERTED: Final = 1 << 4
"""Data modes: a test picture, values after conversion; the modes follow each other from sort_asic_wise = 1 on."""
BOARD_SERIAL: Final = 0x5357_0100
"""Of the simulated boards; the module's channel is added."""
NORMAL: Final = 5
READOUT_DUMMY: Final = 1
"""Test patterns of an ASIC's trailer: none, and the dummy readout."""
_BOARD: Final = struct.Struct("<8H")
_ASIC: Final = struct.Struct("<HHII2xH")
assert (_BOARD.size, _ASIC.size) == (16, 16)
SENSOR_BOARD_BYTES: Final = 144


def detector_section(
    channel: int, vetoes: int, temperatures: tuple[int, int] = (300, 310), *, dummy: bool = False
) -> bytes:
    """The 416 bytes for a module.

    vetoes        pulses that were not kept, as the module's board counted them
    temperatures  of every ASIC, in steps of its Gray-coded counter
    dummy         whether the images are the dummy readout
    """
    serial = BOARD_SERIAL + channel
    mode = (channel & 0xF) | (SEND_DUMMY if dummy else SEND_CONVERTED) << 8
    board = _BOARD.pack(vetoes & 0xFFFF, 0, 0, 0, 0, mode, serial & 0xFFFF, serial >> 16)
    coded = [step ^ (step >> 1) for step in temperatures]
    asics = b"".join(_ASIC.pack(*coded, vetoes, 0, READOUT_DUMMY if dummy else NORMAL) for _ in range(ASICS))
    return board + bytes(SENSOR_BOARD_BYTES) + asics
