"""RAPCal packets, read as the published reader and paper (arXiv:1612.05093, 3.2) do: nothing of ours is used."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from sim.degg.icm_figures import RapcalFigures, WirePairFigures
from sim.kernel import NS_PER_S, SimTime

ICM_HZ = 60_000_000


def read_event(data: bytes) -> tuple[float, Fraction, Fraction]:
    """Tick of sending and corrected tick of receiving, as midpoints (module, hub), and the round trip in ticks."""
    magic, status = struct.unpack(">HH", data[:4])
    assert (magic, status >> 9, len(data)) == (0x5243, 0, 284)
    assert not status & 0x30
    sent, at_module, answered, at_hub = (
        int.from_bytes(data[4 + 6 * i : 10 + 6 * i], "big") for i in range(4)
    )
    module_lag, hub_lag = (fine_lag(data[28 + 128 * i : 156 + 128 * i]) for i in range(2))
    received_module = Fraction(at_module) - 2 * Fraction(module_lag)
    received_hub = Fraction(at_hub) - 2 * Fraction(hub_lag)
    round_trip = float(received_hub - sent - (answered - received_module))
    return round_trip, (received_module + answered) / 2, (received_hub + sent) / 2


def fine_lag(data: bytes) -> float:
    """Samples from the crossing of the falling edge to the sample that the time of reception belongs to.

    A straight line through three samples around the crossing, as the published ALGO_LINEAR_FIT.
    """
    words = np.frombuffer(data, ">u2")[::-1].astype(int)
    flagged = int(np.flatnonzero(words & 0x8000)[0])
    samples = (words & 0x7FFF) - np.mean(words[1:21] & 0x7FFF)
    crossing = next(i for i in range(flagged, 1, -1) if samples[i - 1] > 0 >= samples[i])
    at = np.arange(crossing - 2, crossing + 1)
    slope, intercept = np.polyfit(at - crossing, samples[at], 1)
    return flagged + 2 - (crossing - intercept / slope)


def calibrate(lab: Any, port: int, at: int) -> tuple[float, Fraction, Fraction]:
    lab.now = SimTime(at)
    lab.boards[port].sent.clear()
    assert lab.ask("rapcal_all") == {"status": "OK"}
    return read_event(bytes(lab.boards[port].sent))


@pytest.mark.parametrize("port", [5000, 5001, 5002, 5003])
@pytest.mark.parametrize("start", [0, 3_600 * NS_PER_S + 17, 5 * 86_400 * NS_PER_S + 123_456_789])
def test_offset_and_rate_of_a_module_are_recovered_below_a_nanosecond(
    lab: Any, port: int, start: int
) -> None:
    first, second = calibrate(lab, port, start), calibrate(lab, port, start + 10 * NS_PER_S)
    rate = (second[2] - first[2]) / (second[1] - first[1])
    # A time stamp of the mainboard, 240 MHz, between the two exchanges, against the hub's clock at the same moment.
    at = start + 4 * NS_PER_S
    stamp = lab.clocks[port].exact(SimTime(at))
    on_hub_ns = (first[2] + rate * (stamp / 4 - first[1])) * 1_000_000_000 / ICM_HZ
    true_ns = Fraction(lab.pair.hub_clock.start * 1_000_000_000, ICM_HZ) + at
    assert abs(float(on_hub_ns - true_ns)) < 1.0
    assert float((rate - 1) * 1_000_000) == pytest.approx(-lab.clocks[port].ppm, abs=2e-4)


def test_errors_of_many_calibrations_have_no_bias(lab: Any) -> None:
    errors = []
    for i in range(60):
        at = i * NS_PER_S + 12_345 * i
        _, module, hub = calibrate(lab, 5001, at)
        # The module's clock at the midpoint, from its definition; the midpoint on the hub is the same moment.
        moment = (hub - lab.pair.hub_clock.start) * 1_000_000_000 / ICM_HZ
        errors.append(float(module - lab.clocks[5001].exact(moment) / 4) * 1_000_000_000 / ICM_HZ)
    assert abs(np.mean(errors)) < 0.1
    assert np.std(errors) < 0.2


def test_the_cable_is_measured(make_lab: Any) -> None:
    lab = make_lab(figures=WirePairFigures(rapcal=RapcalFigures(cable_min_ns=70.0, cable_max_ns=70.0)))
    delays = [calibrate(lab, 5002, i * NS_PER_S)[0] / 2 / ICM_HZ * 1e9 for i in range(20)]
    # The published reader takes eight cycles of 30 MHz off for the receivers' pipeline.
    cable_ns = np.mean(delays) - 8 / 30e6 * 1e9
    assert cable_ns == pytest.approx(70.0, abs=0.3)
    assert np.std(delays) < 0.5


def test_one_module_is_calibrated_by_name(lab: Any) -> None:
    assert lab.ask("rapcal 3") == {"status": "OK"}
    assert [len(board.sent) for board in lab.boards.values()] == [0, 0, 0, 284]
    assert lab.boards[5003].sent[3] & 0x0F == 3


def test_a_missed_pulse_is_a_header_without_a_packet(lab: Any) -> None:
    lab.faults.switch_on("miss_rapcal_pulse", times=1)
    lab.ask("rapcal 1")
    assert bytes(lab.boards[5001].sent) == bytes.fromhex("52430021")
    lab.ask("rapcal 1")
    assert len(lab.boards[5001].sent) == 4 + 284


def test_same_seed_same_packets(make_lab: Any) -> None:
    packets = []
    for _ in range(2):
        lab = make_lab()
        lab.ask("rapcal_all")
        packets.append([bytes(board.sent) for board in lab.boards.values()])
    assert packets[0] == packets[1]
    assert len(set(packets[0])) == 4
