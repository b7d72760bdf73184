"""The faults that an XTDF simulator can make: on the wire, and, at the end, in the images themselves.

Each names the `TrainFlag` or counter of the pipeline that shows it (pipeline/model.py). A strike is one module's part
of one train. `module` −1 means every module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sim.kernel.faults import FaultSpec

FAULTS: Final[Sequence[FaultSpec]] = (
    FaultSpec(
        "drop_packets",
        "Datagrams are never sent: those of the given numbers, else a keyed random fraction, at least one, "
        "which spares the first and the last.",
        "TrainFlag.INCOMPLETE",
        {"module": -1, "fraction": 0.01, "numbers": []},
    ),
    FaultSpec(
        "drop_start",
        "The datagram with the start-of-frame bit is never sent.",
        "TrainFlag.NO_START and INCOMPLETE",
        {"module": -1},
    ),
    FaultSpec(
        "drop_end",
        "The datagram with the end-of-frame bit is never sent.",
        "TrainFlag.NO_END and INCOMPLETE",
        {"module": -1},
    ),
    FaultSpec(
        "duplicate_packets",
        "A keyed random fraction of the datagrams, at least one, is sent twice in a row.",
        "TrainFlag.DUPLICATES",
        {"module": -1, "fraction": 0.01},
    ),
    FaultSpec(
        "reorder_packets",
        "Windows of `distance` datagrams leave in reverse order; the first and the last stay.",
        "TrainFlag.REORDERED",
        {"module": -1, "distance": 4},
    ),
    FaultSpec(
        "wrong_magic",
        "The magic number of the `header` or the `trailer` is all ones.",
        "TrainFlag.BAD_MAGIC",
        {"module": -1, "where": "header"},
    ),
    FaultSpec(
        "truncate_block",
        "The block ends `bytes` early; its last datagram still carries the end-of-frame bit.",
        "TrainFlag.TRUNCATED",
        {"module": -1, "bytes": 100_000},
    ),
    FaultSpec(
        "wrong_pulse_count",
        "The header's image count is wrong by `by`.",
        "TrainFlag.BAD_COUNT",
        {"module": -1, "by": 1},
    ),
    FaultSpec(
        "train_id_jump",
        "The header's train id is ahead by `by`.",
        "TrainFlag.TRAIN_ID_JUMP, then TRAIN_ID_BACKWARD when it ends",
        {"module": -1, "by": 100},
    ),
    FaultSpec(
        "train_id_repeat",
        "The header holds the train id of the train before.",
        "TrainFlag.TRAIN_ID_REPEATED",
        {"module": -1},
    ),
    FaultSpec(
        "train_id_reset",
        "The header's train id counts from 1 again, as after a restart of the time server.",
        "TrainFlag.TRAIN_ID_BACKWARD",
        {"module": -1},
    ),
    FaultSpec(
        "unasked_train",
        "At the end of an acquisition the module sends its last train once more, though nobody asked.",
        "TrainFlag.TRAIN_ID_REPEATED while recording; the counter trains_ignored otherwise",
        {"module": 0},
    ),
    FaultSpec("train_id_zero", "The header's train id is 0.", "TrainFlag.TRAIN_ID_ZERO", {"module": -1}),
    FaultSpec(
        "module_late",
        "The module's train is sent `trains` trains later, or right after the last one.",
        "TrainFlag.TRAIN_ID_BACKWARD; the matcher's counter of late modules",
        {"module": 0, "trains": 2},
    ),
    FaultSpec(
        "module_missing",
        "The module sends nothing.",
        "the matcher's counter of incomplete trains",
        {"module": 0},
    ),
    FaultSpec(
        "differing_pulse_ids",
        "The module's pulse ids are all higher by `by` than those of the others.",
        "TrainFlag.PULSES_DIFFER",
        {"module": 0, "by": 1},
    ),
    FaultSpec(
        "bad_status",
        "The status of frame `frame` is `status`; frame −1: the trailer's status.",
        "TrainFlag.BAD_STATUS",
        {"module": -1, "frame": 0, "status": 1},
    ),
    FaultSpec(
        "wrong_checksum",
        "The trailer holds a checksum that does not fit the block, also where none is sent otherwise.",
        "TrainFlag.BAD_CHECKSUM",
        {"module": -1},
    ),
    FaultSpec(
        "bad_length",
        "The length list says that frame `frame` is `by` bytes longer than it is.",
        "TrainFlag.BAD_LENGTH",
        {"module": -1, "frame": 0, "by": 2},
    ),
    FaultSpec(
        "dead_asic",
        "An ASIC of the module reads zero; AGIPD and DSSC have 16 of 64 × 64 pixels, LPD 16 tiles of 32 × 128.",
        "BadPixelsDark: offset out of threshold in a sixteenth of the module",
        {"module": 0, "asic": 0},
    ),
    FaultSpec(
        "noisy_module",
        "All analogue values of the module have `adu` (rms) more noise.",
        "Noise of the darks",
        {"module": 0, "adu": 12.0},
    ),
    FaultSpec(
        "swapped_gain",
        "The module tells low gain where it is in medium gain, and the other way round; a DSSC has no stages.",
        "AGIPD: the separation of the gain levels; LPD: the signal in adaptive gain",
        {"module": 0},
    ),
    FaultSpec(
        "clipped_adc",
        "No analogue value of the module is above `adu`.",
        "the linearity of the signal with the light",
        {"module": 0, "adu": 8400},
    ),
)
