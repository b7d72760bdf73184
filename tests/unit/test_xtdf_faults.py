"""Each fault changes exactly what it says, and nothing else."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.kernel import FaultBoard
from sim.xtdf.agipd.forward import AgipdModule
from sim.xtdf.agipd.truth import ModuleTruth, build_truth
from sim.xtdf.config import AgipdTable, pdu_name
from sim.xtdf.fault_specs import FAULTS
from sim.xtdf.image_faults import spoil_images
from sim.xtdf.layout import AGIPD, block_layout
from sim.xtdf.sender import ModuleSender

TABLE = AgipdTable(modules=2, memory_cells=2)
AT = block_layout(AGIPD.bytes_per_pulse, AGIPD.detector_bytes, 2)
PACKETS = 65
TRAIN = 1_000_000_050


class Tape:
    """A link that keeps what was sent."""

    datagrams_sent = bytes_sent = 0

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []

    def send(self, datagrams: Iterable[Sequence[bytes | memoryview]]) -> int:
        self.datagrams += [b"".join(bytes(part) for part in parts) for parts in datagrams]
        return 0

    def close(self) -> None:
        pass

    @property
    def numbers(self) -> list[int]:
        """Packet numbers in the order of sending."""
        return [struct.unpack("<I", datagram[-4:])[0] & 0x3FFFFFFF for datagram in self.datagrams]

    @property
    def block(self) -> bytes:
        """Payloads in the order of their numbers, each once."""
        payloads = dict(zip(self.numbers, (datagram[:-8] for datagram in self.datagrams), strict=True))
        return b"".join(payloads[number] for number in sorted(payloads))


@pytest.fixture(scope="module")
def truth() -> ModuleTruth:
    return build_truth(TABLE, 1, pdu_name("AGIPD", 0))


@pytest.fixture(scope="module")
def good(truth: ModuleTruth) -> Tape:
    return send(truth, {})


def send(
    truth: ModuleTruth, faults: dict[str, dict[str, object]], *, channel: int = 0, trains: int = 1
) -> Tape:
    board, tape = FaultBoard("agipd", FAULTS), Tape()
    for name, parameters in faults.items():
        board.switch_on(name, **parameters)
    sender = ModuleSender(AgipdModule(truth, 1, channel, 20.0), TABLE, 1, tape, board)
    for train_id in range(TRAIN, TRAIN + trains):
        sender.send_train(train_id, "adaptive", "dark")
    sender.end("adaptive", "dark", TRAIN + trains - 1)
    return tape


def changed(before: bytes, after: bytes) -> set[int]:
    """Offsets at which two blocks of the same size differ."""
    assert len(before) == len(after)
    return {k for k, (a, b) in enumerate(zip(before, after, strict=True)) if a != b}


@pytest.mark.parametrize(
    ("fault", "parameters", "where", "letter", "value"),
    [
        ("wrong_magic", {}, 0, "Q", 2**64 - 1),
        ("wrong_magic", {"where": "trailer"}, AT.trailer + 24, "Q", 2**64 - 1),
        ("wrong_pulse_count", {}, 40, "Q", 3),
        ("wrong_pulse_count", {"by": -2}, 40, "Q", 0),
        ("train_id_jump", {"by": 7}, 16, "Q", TRAIN + 7),
        ("train_id_repeat", {}, 16, "Q", TRAIN - 1),
        ("train_id_zero", {}, 16, "Q", 0),
        ("differing_pulse_ids", {"by": 2}, AT.pulse_id, "QQ", (2, 6)),
        ("bad_status", {"status": 3}, AT.status, "H", 3),
        ("bad_status", {"frame": 1}, AT.status + 2, "H", 1),
        ("bad_status", {"frame": -1, "status": 9}, AT.trailer + 16, "Q", 9),
        ("bad_length", {"frame": 1, "by": -4}, AT.length + 4, "I", 262140),
    ],
)
def test_a_field_is_wrong(
    truth: ModuleTruth,
    good: Tape,
    fault: str,
    parameters: dict[str, object],
    where: int,
    letter: str,
    value: object,
) -> None:
    spoiled = send(truth, {fault: parameters})
    fields = struct.unpack_from(f"<{letter}", spoiled.block, where)
    assert (fields if len(fields) > 1 else fields[0]) == value
    differing = changed(good.block, spoiled.block)
    assert differing
    assert differing <= set(range(where, where + struct.calcsize(f"<{letter}")))
    assert [datagram[-8:] for datagram in spoiled.datagrams] == [datagram[-8:] for datagram in good.datagrams]


def test_a_checksum_is_there_and_wrong(truth: ModuleTruth, good: Tape) -> None:
    spoiled = send(truth, {"wrong_checksum": {}}).block
    (first,) = struct.unpack_from("<Q", spoiled, AT.trailer)
    assert first not in (0, zlib.crc32(spoiled[: AT.trailer]))
    assert changed(good.block, spoiled) <= set(range(AT.trailer, AT.trailer + 8))


@pytest.mark.parametrize(
    ("fault", "parameters", "missing"),
    [
        ("drop_start", {}, {0}),
        ("drop_end", {}, {PACKETS - 1}),
        ("drop_packets", {"numbers": [3, 5, 7, 1000]}, {3, 5, 7}),
    ],
)
def test_datagrams_are_missing(
    truth: ModuleTruth, good: Tape, fault: str, parameters: dict[str, object], missing: set[int]
) -> None:
    spoiled = send(truth, {fault: parameters})
    assert spoiled.datagrams == [
        datagram for number, datagram in enumerate(good.datagrams) if number not in missing
    ]


def test_a_fraction_is_missing_the_same_each_time(truth: ModuleTruth, good: Tape) -> None:
    spoiled, again = (send(truth, {"drop_packets": {"fraction": 0.2}}) for _ in range(2))
    assert spoiled.datagrams == again.datagrams
    assert len(spoiled.datagrams) == PACKETS - 13
    assert {0, PACKETS - 1} <= set(spoiled.numbers)
    assert set(spoiled.datagrams) < set(good.datagrams)


def test_datagrams_come_twice(truth: ModuleTruth, good: Tape) -> None:
    spoiled = send(truth, {"duplicate_packets": {"fraction": 0.1}})
    assert len(spoiled.datagrams) == PACKETS + 6
    assert spoiled.numbers == sorted(spoiled.numbers)
    assert spoiled.block == good.block


def test_datagrams_come_out_of_order(truth: ModuleTruth, good: Tape) -> None:
    spoiled = send(truth, {"reorder_packets": {"distance": 3}})
    assert spoiled.numbers != good.numbers
    assert sorted(spoiled.numbers) == good.numbers
    assert (spoiled.numbers[0], spoiled.numbers[-1]) == (0, PACKETS - 1)
    assert max(abs(number - place) for place, number in enumerate(spoiled.numbers)) <= 2
    assert spoiled.block == good.block


def test_a_truncated_block_ends_early_with_an_end_bit(truth: ModuleTruth, good: Tape) -> None:
    spoiled = send(truth, {"truncate_block": {"bytes": 100_000}})
    assert spoiled.block == good.block[:-100_000]
    ends = [datagram[-1] >> 6 & 1 for datagram in spoiled.datagrams]
    assert ends == [0] * (len(ends) - 1) + [1]


def train_ids(tape: Tape) -> list[int]:
    """Train ids in the order of their first datagrams."""
    return [struct.unpack_from("<Q", datagram, 16)[0] for datagram in tape.datagrams if datagram[-1] & 0x80]


def test_a_late_module_sends_later(truth: ModuleTruth) -> None:
    board, tape = FaultBoard("agipd", FAULTS), Tape()
    sender = ModuleSender(AgipdModule(truth, 1, 0, 20.0), TABLE, 1, tape, board)
    board.switch_on("module_late", trains=2, times=1)
    for train_id in range(5):
        sender.send_train(train_id, "adaptive", "dark")
    assert train_ids(tape) == [1, 2, 0, 3, 4]
    board.switch_on("module_late", trains=9)
    sender.send_train(5, "adaptive", "dark")
    assert train_ids(tape)[-1] == 4
    sender.end("adaptive", "dark", 5)
    assert train_ids(tape)[-1] == 5


def test_a_missing_module_sends_nothing(truth: ModuleTruth) -> None:
    assert send(truth, {"module_missing": {}}).datagrams == []
    assert send(truth, {"module_missing": {}}, channel=1).datagrams


def test_a_fault_strikes_its_module_as_often_as_asked(truth: ModuleTruth) -> None:
    board = FaultBoard("agipd", FAULTS)
    tapes = [Tape(), Tape()]
    senders = [ModuleSender(AgipdModule(truth, 1, k, 20.0), TABLE, 1, tapes[k], board) for k in (0, 1)]
    board.switch_on("train_id_zero", times=2, module=1)
    for train_id in range(10, 14):
        for sender in senders:
            sender.send_train(train_id, "adaptive", "dark")
    assert [train_ids(tape) for tape in tapes] == [[10, 11, 12, 13], [0, 0, 12, 13]]
    assert board.struck() == {"train_id_zero": 2}


def test_faults_add_up(truth: ModuleTruth, good: Tape) -> None:
    spoiled = send(truth, {"drop_start": {}, "bad_status": {}, "duplicate_packets": {}})
    assert 0 not in spoiled.numbers
    assert len(spoiled.numbers) == PACKETS
    assert spoiled.block != good.block[8184:]


def test_a_reset_train_id_counts_from_a_small_number(truth: ModuleTruth) -> None:
    assert train_ids(send(truth, {"train_id_reset": {}})) == [TRAIN % 1_000_000 + 1]


def test_an_unasked_train_comes_after_the_last(truth: ModuleTruth) -> None:
    asked, unasked = send(truth, {}, trains=2), send(truth, {"unasked_train": {}}, trains=2)
    assert train_ids(unasked) == [TRAIN, TRAIN + 1, TRAIN + 1]
    assert unasked.datagrams[: len(asked.datagrams)] == asked.datagrams
    assert unasked.datagrams[len(asked.datagrams) :] == asked.datagrams[PACKETS:]


def images(tape: Tape) -> NDArray[np.uint16]:
    """(frames, planes, slow, fast)."""
    return np.frombuffer(tape.block, "<u2", TABLE.frames * 2 * 512 * 128, 64).reshape(-1, 2, 512, 128)


def test_a_dead_asic_reads_zero_and_the_others_do_not(truth: ModuleTruth, good: Tape) -> None:
    spoiled, whole = images(send(truth, {"dead_asic": {"asic": 5}})), images(good)
    asic = np.zeros((512, 128), np.bool_)
    asic[128:192, 64:] = True  # the third row of two
    assert not spoiled[:, 0, asic].any()
    assert np.array_equal(spoiled[:, 0, ~asic], whole[:, 0, ~asic])
    assert np.array_equal(spoiled[:, 1], whole[:, 1])


def test_a_noisy_module_has_more_noise_the_same_each_time(truth: ModuleTruth, good: Tape) -> None:
    spoiled = images(send(truth, {"noisy_module": {"adu": 12.0}}))
    assert np.array_equal(spoiled, images(send(truth, {"noisy_module": {"adu": 12.0}})))
    more = spoiled[:, 0].astype(int) - images(good)[:, 0]
    assert abs(more.mean()) < 0.1
    assert abs(more.std() - 12) < 0.2


def test_a_clipped_converter_ends_early(truth: ModuleTruth, good: Tape) -> None:
    spoiled, whole = images(send(truth, {"clipped_adc": {"adu": 3500}})), images(good)
    assert np.array_equal(spoiled[:, 0], np.minimum(whole[:, 0], 3500))


def test_swapped_gain_tells_medium_for_low_and_low_for_medium(truth: ModuleTruth) -> None:
    frames = np.zeros((1, 2, 512, 128), np.uint16)
    frames[0, 1, :3, 0] = 5000, 7000, 8600
    assert spoil_images(frames, "AGIPD", {"swapped_gain": {}}, 1, truth.serial, TRAIN)
    assert frames[0, 1, :3, 0].tolist() == [5000, 8600, 7000]
    lpd = np.array([[700 | stage << 12 for stage in range(4)] + [0] * 65532], np.uint16)
    assert spoil_images(lpd, "LPD", {"swapped_gain": {}}, 1, truth.serial, TRAIN)
    assert (lpd[0, :4] >> 12).tolist() == [0, 2, 1, 3]
    assert (lpd[0, :4] & 0xFFF).tolist() == [700] * 4


def test_an_illness_of_images_leaves_the_gain_bits_of_an_lpd(truth: ModuleTruth) -> None:
    frames = np.full((1, 65536), 700 | 2 << 12, np.uint16)
    faults = {"noisy_module": {"adu": 500.0}, "dead_asic": {"asic": 15}}
    assert spoil_images(frames, "LPD", faults, 1, truth.serial, TRAIN)
    assert set(frames[0] >> 12) == {2}
    assert not (frames.reshape(256, 256)[224:, 128:] & 0xFFF).any()
    assert not spoil_images(frames, "LPD", {"drop_start": {}}, 1, truth.serial, TRAIN)


def test_every_fault_is_tested_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [fault.name for fault in FAULTS if f'"{fault.name}"' not in source] == []
