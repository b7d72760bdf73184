"""Clients of the instruments against exchanges assembled by hand, and the files and rules of the station."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from fat.degg.station import (
    InstrumentRefused,
    InstrumentSilent,
    MeasurementFailed,
    Module,
    Station,
    Waveforms,
)
from fat.degg.station.bench_time import BenchTime
from fat.degg.station.data_files import DataFileBroken, file_name, read, write
from fat.degg.station.freezer import FreezerKeys
from fat.degg.station.generator import FunctionGenerator
from fat.degg.station.humidity import HumiditySensors
from fat.degg.station.jobs import each, group_of
from fat.degg.station.rapcal import ClockRelation, Exchange, read_packet
from fat.degg.station.thermometer import readings
from fat.degg.station.wire_pair import WirePair
from fat.errors import UsageError

Make = Callable[[Any], Any]
WELL = b'1;0,"No error"\n'


def scpi(message: str, answer: bytes = WELL) -> tuple[bytes, bytes]:
    """A command as it is sent, with the questions behind it, and what they are answered with."""
    return f"*CLS;:{message};*OPC?;:SYST:ERR?\n".encode(), answer


def test_the_generator_gives_pulses_and_stops(scripted: Make) -> None:
    instrument = scripted(
        [
            scpi("OUTP1:STAT OFF"),
            scpi("SOUR1:BURS:STAT OFF"),
            scpi("SOUR1:FUNC:SHAP SQU"),
            scpi("SOUR1:FREQ 1.000000E+02"),
            scpi("SOUR1:VOLT:UNIT VPP"),
            scpi("SOUR1:VOLT:AMPL 3VPP"),
            scpi("SOUR1:VOLT:OFFS 0"),
            scpi("OUTP1:STAT ON"),
            (b"OUTP1:STAT?\n", b"1\n"),
            (b"SOUR1:FREQ?\n", b"1.0000000000E+02\n"),
            scpi("OUTP1:STAT OFF"),
            (b"OUTP1:STAT?\n", b"1\n"),
            scpi("SOUR1:FREQ 9.000000E+09", b'1;-222,"Data out of range"\n'),
        ]
    )
    with FunctionGenerator(instrument.address) as generator:
        generator.pulses(100.0)
        assert generator.frequency() == 100.0
        with pytest.raises(InstrumentRefused, match="output stays on"):
            generator.off()
        with pytest.raises(InstrumentRefused, match="-222"):
            generator.do("SOUR1:FREQ 9.000000E+09")
    assert instrument.done


def test_keys_are_pressed_for_each_tenth_of_a_degree(scripted: Make) -> None:
    held: list[float] = []
    press = [(b"C3 1\n", b"OK\n"), (b"C3 0\n", b"OK\n")]
    keys = [(f"C1 {level}\n".encode(), b"OK\n") for level in (0, 1, 0)]
    panel = scripted([*keys, *press * 3, *keys[1:], (b"C1 0\n", b"ERR no such pin\n")])
    client = FreezerKeys(panel.address, held.append)
    assert client.change(-39.7, -0.3) == -40.0  # int(0.3 / 0.1) would press twice
    assert held == [0.2, 4.0, 0.2, *[0.1, 0.3] * 3, 0.2, 4.0]
    with pytest.raises(InstrumentRefused, match="ERR no such pin"):
        client.change(20.0, 1.0)
    client.close()
    assert panel.done


def test_words_of_the_thermometer() -> None:
    sent = b"95\r\x0241011100000395\r\x0242010200002051\r\x0243020100000680\r\x02440100000"
    assert readings(sent) == {1: -39.5, 2: 20.51, 3: 20.0}


def test_humidity_files(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "temperature").write_text("30.05\n")
    (tmp_path / "0" / "humidity").write_text("35.02\n")
    sensors = HumiditySensors(str(tmp_path))
    assert (sensors.read(0).celsius, sensors.read(0).percent) == (30.05, 35.02)
    with pytest.raises(InstrumentSilent, match=r"humidity sensor 1 at .*1/temperature"):
        sensors.read_all()


@pytest.fixture
def command_port() -> Iterator[tuple[str, list[Any], list[bytes]]]:
    """A REP socket: what it was asked, and what it answers next (nothing: it stays silent)."""
    context = zmq.Context()
    port = context.socket(zmq.REP)
    number = port.bind_to_random_port("tcp://127.0.0.1")
    asked: list[Any] = []
    answers: list[bytes] = []

    def serve() -> None:
        while (request := port.recv_json()) != "end":
            asked.append(request)
            if not answers:
                break
            port.send(answers.pop(0))
        port.close(0)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"tcp://127.0.0.1:{number}", asked, answers
    with context.socket(zmq.REQ) as last:
        last.setsockopt(zmq.LINGER, 0)
        last.connect(f"tcp://127.0.0.1:{number}")
        last.send_json("end")
        thread.join(10)
    context.term()


def test_a_wire_pair_s_commands(command_port: tuple[str, list[Any], list[bytes]]) -> None:
    address, asked, answers = command_port
    answers += [
        b'{"status": "OK"}',
        b'{"status": "OK", "value": [0, 1, 8]}',
        b'{"status": "OK", "value": "0x001c"}',
        b'{"status": "?NOCONN"}',
        b"no json",
    ]
    with WirePair(5000, address, timeout_s=0.3) as pair:
        assert pair.probe() == [0, 1, 8]
        assert pair.register(2, "CTRL2") == "0x001c"
        with pytest.raises(InstrumentRefused, match=r"wire pair 5000 refuses 'pmt_hv_enable 3': \?NOCONN"):
            pair.permit_hv(device=3)
        with pytest.raises(InstrumentRefused, match="no answer in JSON"):
            pair.volts()
        with pytest.raises(InstrumentSilent, match=r"wire pair 5000 at .* does not answer 'wp_off 8'"):
            pair.power(on=False)
        with pytest.raises(InstrumentSilent):  # and once more: silence does not spoil the port
            pair.power(on=False)
    assert asked[:2] == [{"command": "probe"}, {"command": "devlist"}]
    assert asked[2] == {"command": "read", "device": "2", "register": "CTRL2"}


def packet(times: tuple[int, int, int, int], edges: tuple[int, int]) -> bytes:
    """Four times and two pulses that fall from 600 to 200 counts, crossing 400 at a sample of each; sent backwards."""
    parts = [tick.to_bytes(6, "big") for tick in times]
    for edge in edges:
        levels = [400] * 64
        for n in range(-2, 3):
            levels[edge + n] = 400 - 100 * n
        fired = edge + 2
        words = [level | 0x8000 if n >= fired else level for n, level in enumerate(levels)]
        parts.append(struct.pack(">64H", *reversed(words)))
    return b"".join(parts)


def test_a_calibration_packet_tells_a_moment_of_both_clocks() -> None:
    found = read_packet(packet((1000, 5000, 5601, 1700), (30, 30)))
    # Received four samples (8 ticks) before the time that is told: two to the discriminator, two behind it.
    assert found.hub + found.hub_part == pytest.approx((1000 + 1700 - 8) / 2)
    assert found.module + found.module_part == pytest.approx((5000 - 8 + 5601) / 2)


def test_clocks_are_related_without_losing_digits() -> None:
    far = 1 << 47
    first = Exchange(far, 0.25, far // 2, 0.5)
    second = Exchange(far + 600_000_000, 0.25, far // 2 + 600_000_600, 0.5)
    relation = ClockRelation.between(first, second)
    ticks = np.array([4 * (far // 2) + 2, 4 * (far // 2) + 2 + 240_000_240])
    seconds = relation.seconds(ticks, far)
    assert seconds[0] == pytest.approx(0.25 / 60e6, abs=1e-13)
    assert seconds[1] - seconds[0] == pytest.approx(1.0, abs=1e-12)
    with pytest.raises(ValueError, match="different moments"):
        ClockRelation.between(first, first)


def test_one_job_at_a_wire_pair_and_all_failures_are_told() -> None:
    modules = [Module(port, "tcp://127.0.0.1:1") for port in (5000, 5001, 5004, 5005, 5008)]
    busy: dict[int, int] = {}
    together = threading.Barrier(3)

    def work(module: Module) -> int:
        base = group_of(module.port, (5000, 5004, 5008))
        busy[base] = busy.get(base, 0) + 1
        assert busy[base] == 1, "two jobs at one wire pair"
        if module.port in (5000, 5004, 5008):
            together.wait(20)  # same address, all pairs at a time
        busy[base] -= 1
        if module.port in (5001, 5004):
            raise ValueError(f"no light at {module.port}")
        return module.port

    with pytest.raises(MeasurementFailed, match=r"no light at 5001.*no light at 5004") as failed:
        each(modules, work, (5000, 5004, 5008))
    assert sorted(failed.value.failures) == ["degg.5001", "degg.5004"]
    assert busy == {5000: 0, 5004: 0, 5008: 0}


def test_a_station_without_a_module_of_the_run() -> None:
    endpoints = {
        "degg.5000": "tcp://127.0.0.1:1",
        "icm.6000": "tcp://127.0.0.1:2",
        "degg.10007": "tcp://127.0.0.1:3",
    }
    with pytest.raises(UsageError, match=r"no address degg.5003 for DEgg2021-3-133; .* 5000"):
        Station(endpoints, lambda _: None, {5003: "DEgg2021-3-133"})
    with Station(endpoints, lambda _: None) as station:
        assert list(station.modules) == [5000]
        assert station.tabletop.port == 10007
        with pytest.raises(UsageError, match=r"lab.function_generator"):
            _ = station.generator


class HandClock:
    """A clock that waits at once, and passes by itself when a test says so."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns

    def wait_until(self, t_ns: int) -> int:
        self.ns = max(self.ns, t_ns)
        return self.ns


def test_time_that_data_span_is_spent_once() -> None:
    clock = HandClock()
    time = BenchTime(clock)
    time.wait(40.0)
    time.spend(10.0)  # blocks came at once: the clock has stood
    assert clock.ns == 50e9
    clock.ns += 10_500_000_000  # the wall's: the last event of the block has happened by now
    time.spend(10.0)
    assert clock.ns == 60.5e9
    clock.ns += 4_000_000_000
    time.spend(10.0)
    assert clock.ns == 70.5e9


def test_files_of_measurements(tmp_path: Path) -> None:
    waveforms = Waveforms(np.arange(3), np.arange(24, dtype=np.uint16).reshape(3, 8))
    about = {"hv": 1450.0, "threshold": [8025, 8030], "temperature_c": None, "serial": "SQ0657", "fir": True}
    path = write(tmp_path / file_name("SQ0657", 1450.3), waveforms, about)
    assert path.name == "SQ0657_1450V.hdf5"
    found = read(path)
    assert found.attributes == about
    assert (found.waveforms.samples == waveforms.samples).all()
    with pytest.raises(DataFileBroken, match="charge"):
        _ = found.stamps
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataFileBroken, match=r"SQ0657_1450V.hdf5: no file of measurements"):
        read(path)
    assert list(tmp_path.iterdir()) == [path]
