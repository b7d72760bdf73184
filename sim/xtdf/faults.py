"""What each fault changes. Pure: the same fault, module and train give the same change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sim.kernel.faults import FaultBoard
from sim.xtdf.codec import BlockFields
from sim.xtdf.keys import generator
from sim.xtdf.packets import Packet, plan

RESET_EVERY: Final = 1_000_000
"""Train ids that were reset are the true ones modulo this."""
WRONG_MAGIC: Final = 0xFFFFFFFF_FFFFFFFF

Struck = Mapping[str, Mapping[str, Any]]
"""The faults that strike one module's train, with their parameters."""


def strike(board: FaultBoard, channel: int) -> Struck:
    """Ask the board which faults strike the train of the module at *channel* now; each is counted."""
    struck: dict[str, Mapping[str, Any]] = {}
    for name, parameters in board.active().items():
        if name == "unasked_train":
            continue  # strikes at the end of an acquisition, not at a train
        if parameters["module"] in (-1, channel):
            fault = board.strike(name)
            if fault is not None:
                struck[name] = fault.parameters
    return struck


def spoil_fields(fields: BlockFields, struck: Struck) -> BlockFields:
    """Apply the faults that change what a block says. A frame that the train does not have changes nothing."""
    if not struck:
        return fields
    if "train_id_jump" in struck:
        fields = replace(fields, train_id=_u64(fields.train_id + struck["train_id_jump"]["by"]))
    if "train_id_repeat" in struck:
        fields = replace(fields, train_id=_u64(fields.train_id - 1))
    if "train_id_reset" in struck:
        fields = replace(fields, train_id=fields.train_id % RESET_EVERY + 1)
    if "train_id_zero" in struck:
        fields = replace(fields, train_id=0)
    if "wrong_magic" in struck:
        if struck["wrong_magic"]["where"] == "trailer":
            fields = replace(fields, magic_end=WRONG_MAGIC)
        else:
            fields = replace(fields, magic_begin=WRONG_MAGIC)
    if "wrong_pulse_count" in struck:
        fields = replace(fields, image_count=_u64(fields.image_count + struck["wrong_pulse_count"]["by"]))
    if "differing_pulse_ids" in struck:
        by = struck["differing_pulse_ids"]["by"]
        fields = replace(fields, pulse_id=[_u64(pulse + by) for pulse in fields.pulse_id])
    if "bad_status" in struck:
        status, frame = struck["bad_status"]["status"] & 0xFFFF, struck["bad_status"]["frame"]
        if frame < 0:
            fields = replace(fields, trailer_status=status)
        else:
            fields = replace(fields, status=_with(fields.status, frame, status))
    if "bad_length" in struck:
        frame = struck["bad_length"]["frame"]
        wrong = (
            fields.length[min(max(frame, 0), len(fields.length) - 1)] + struck["bad_length"]["by"]
        ) & 0xFFFFFFFF
        fields = replace(fields, length=_with(fields.length, frame, wrong))
    return fields


@dataclass(frozen=True, slots=True)
class Sending:
    """How a block leaves: how much of it, in which datagrams."""

    block_bytes: int
    packets: Sequence[Packet]


def spoil_sending(whole: Sending, struck: Struck, seed: int, serial: str, train_id: int) -> Sending:
    """Apply the faults that change datagrams. *whole* is returned itself when none does."""
    sending = whole
    if "truncate_block" in struck:
        kept = max(1, whole.block_bytes - max(0, struck["truncate_block"]["bytes"]))
        sending = Sending(kept, plan(kept))
    packets = list(sending.packets)
    last = len(packets) - 1
    if "drop_packets" in struck:
        numbers = struck["drop_packets"]["numbers"]
        dropped = (
            {number for number in numbers if isinstance(number, int)}
            if numbers
            else _chosen(struck, "drop_packets", last + 1, seed, serial, train_id)
        )
        packets = [packet for packet in packets if packet.number not in dropped]
    if "drop_start" in struck:
        packets = [packet for packet in packets if packet.number != 0]
    if "drop_end" in struck:
        packets = [packet for packet in packets if packet.number != last]
    if "duplicate_packets" in struck:
        twice = _chosen(struck, "duplicate_packets", last + 1, seed, serial, train_id)
        packets = [packet for packet in packets for _ in range(2 if packet.number in twice else 1)]
    if "reorder_packets" in struck:
        packets = _shuffled(packets, struck["reorder_packets"]["distance"], seed, serial, train_id)
    if packets == list(sending.packets):
        return sending
    return Sending(sending.block_bytes, packets)


def _chosen(struck: Struck, name: str, count: int, seed: int, serial: str, train_id: int) -> set[int]:
    """A keyed fraction of the packets between the first and the last, at least one where there is one."""
    inner = max(0, count - 2)
    wanted = min(inner, max(1, round(count * min(1.0, max(0.0, struck[name]["fraction"])))))
    rng = generator(seed, serial, name, train_id)
    return {int(number) + 1 for number in rng.choice(inner, wanted, replace=False)} if inner else set()


def _shuffled(packets: list[Packet], distance: int, seed: int, serial: str, train_id: int) -> list[Packet]:
    """Reverse windows of *distance* packets from a keyed phase on."""
    width = min(max(2, distance), len(packets) + 1)
    phase = int(generator(seed, serial, "reorder_packets", train_id).integers(width))
    inner = packets[1:-1]
    turned = inner[:phase]
    for start in range(phase, len(inner), width):
        turned += reversed(inner[start : start + width])
    return packets[:1] + turned + packets[-1:] if len(packets) > 1 else packets


def _with(values: Sequence[int], at: int, value: int) -> Sequence[int]:
    return [value if k == at else old for k, old in enumerate(values)]


def _u64(value: int) -> int:
    return value & 0xFFFFFFFF_FFFFFFFF
