"""Chamber protocols and the monitor, without sockets: golden exchanges assembled by hand.

The exchanges are written down from the tables of commands and replies in the three chambers' public descriptions
(pymeasure's Thermotron3800, Julabo's interface commands, ESPEC's SCP-220 commands) and Lake Shore's (pymeasure's
LakeShore224 and 211), not from our code.
"""

from __future__ import annotations

import pytest

from sim.kernel import NS_PER_S, FaultBoard, SimTime
from sim.lab.figures import ColdFigures, FreezerFigures
from sim.lab.freezer import FAULTS
from sim.lab.freezer.building import CHAMBERS
from sim.lab.freezer.freezer import Freezer
from sim.lab.freezer.lake_shore import LakeShore, ohms_of
from sim.lab.freezer.text_lines import MAX_LINE, decimal, number
from sim.lab.lines import Instrument, Talker
from sim.lab.world import ColdPath

T0 = SimTime(0)
HOUR = 3600 * NS_PER_S


class Rig:
    """One freezer, and an instrument that controls or watches it."""

    def __init__(self, kind: str, **figures: object) -> None:
        self.cold = ColdPath(ColdFigures())
        part = "lake_shore" if kind in {"224", "211"} else "chamber"
        self.faults = FaultBoard(part, FAULTS[part])
        figures_ = FreezerFigures.model_validate(figures)
        self.instrument: Instrument
        if part == "lake_shore":
            model = "224" if kind == "224" else "211"
            self.instrument = LakeShore(self.cold, model, figures_, self.faults)  # type: ignore[arg-type]
        else:
            self.instrument = CHAMBERS[kind](Freezer(self.cold, ColdFigures()), figures_, self.faults)
        self.talker = self.instrument.connect()

    def say(self, data: bytes, now: int = 0, talker: Talker | None = None) -> bytes:
        answers = (talker or self.talker).receive(data, SimTime(now))
        return b"".join(answer.data for answer in answers)


GOLDEN = {
    "thermotron": [
        (b"IDEN?\n", b"3800\n"),
        (b"PVAR1?\n", b"20.000\n"),
        (b"MODE?\n", b"16\n"),
        (b"SETP1,-40\n", b""),
        (b"SETP1?\n", b"20.000\n"),  # waits for RUNM
        (b"RUNM\n", b""),
        (b"SETP1?\n", b"-40.000\n"),
        (b"STOP\n", b""),
        (b"MODE?\n", b"2\n"),
        (b"SETP1,-55.1\n", b""),  # out of range: -55..150
        (b"SETP1,cold\n", b""),
        (b"NONE?\n", b""),  # an unknown query answers nothing
        (b"RUNM\n", b""),
        (b"SETP1?\n", b"-40.000\n"),
        (b"SETP1,-30\nINIT\nRUNM\nSETP1?\n", b"-40.000\n"),
        (b"MODE?\n", b"16\n"),
    ],
    "julabo": [
        (b"version\r", b"JULABO HIGHTECH FL SL VERSION 4.2\r\n"),
        (b"status\r", b"03 REMOTE START\r\n"),
        (b"in_pv_00\r", b"20.00\r\n"),
        (b"in_sp_00\r", b"20.00\r\n"),
        (b"out_sp_00 -40.25\r", b""),
        (b"in_sp_00\r", b"-40.25\r\n"),
        (b"out_mode_05 0\r", b""),
        (b"in_mode_05\r", b"0\r\n"),
        (b"status\r", b"02 REMOTE STOP\r\n"),
        (b"OUT_MODE_05 1\r", b""),
        (b"out_sp_00 -99\r", b""),
        (b"status\r", b"-10 VALUE TOO SMALL\r\n"),
        (b"status\r", b"03 REMOTE START\r\n"),
        (b"out_sp_00 200\r", b""),
        (b"status\r", b"-11 VALUE TOO LARGE\r\n"),
        (b"in_pv_99\r", b""),
        (b"status\r", b"-08 INVALID COMMAND\r\n"),
        (b"out_sp_00\rstatus\r", b"-08 INVALID COMMAND\r\n"),
        (b"out_mode_05 2\rstatus\r", b"-08 INVALID COMMAND\r\n"),
        (b"in_sp_00\r", b"-40.25\r\n"),
    ],
    "espec": [
        (b"TEMP?\r\n", b"20.0,20.0,100.0,-75.0\r\n"),
        (b"MON?\r\n", b"20.0,45,CONSTANT,0\r\n"),
        (b"TEMP, S-40.0\r\n", b"OK:TEMP, S-40.0\r\n"),
        (b"TEMP?\r\n", b"20.0,-40.0,100.0,-75.0\r\n"),
        (b"MODE, STANDBY\r\n", b"OK:MODE, STANDBY\r\n"),
        (b"MODE?\r\n", b"STANDBY\r\n"),
        (b"POWER,OFF\r\n", b"OK:POWER,OFF\r\n"),
        (b"MON?\r\n", b"20.0,45,OFF,0\r\n"),
        (b"MODE, CONSTANT\r\n", b"OK:MODE, CONSTANT\r\n"),
        (b"MODE?\r\n", b"CONSTANT\r\n"),
        (b"HUMI?\r\n", b"45,OFF,100,0\r\n"),
        (b"TYPE?\r\n", b"T,T,SCP-220,100.0\r\n"),
        (b"TENMP?\r\n", b"NA:CMD ERR\r\n"),
        (b"TEMP\r\n", b"NA:PARA ERR\r\n"),
        (b"TEMP, X-40\r\n", b"NA:PARA ERR\r\n"),
        (b"TEMP, S-80.0\r\n", b"NA:DATA OUT OF RANGE\r\n"),
        (b"TEMP, L-30.0\r\n", b"NA:DATA OUT OF RANGE\r\n"),
        (b"TEMP, L-45.0\r\n", b"OK:TEMP, L-45.0\r\n"),
        (b"TEMP, S-50.0\r\n", b"NA:DATA OUT OF RANGE\r\n"),  # beyond the alarm
        (b"HUMI, S50\r\n", b"NA:CONT NOT READY-1\r\n"),
        (b"MODE, RUN1\r\n", b"NA:DATA NOT READY\r\n"),
        (b"TEMP?\r\n", b"20.0,-40.0,100.0,-45.0\r\n"),
    ],
    "224": [
        (b"*IDN?\r\n", b"LSCI,MODEL224,LSA23DF,1.0\r\n"),
        (b"CRDG? A\n", b"+020.000\r\n"),
        (b"KRDG? B\n", b"+293.150\r\n"),
        (b"FRDG? C1\n", b"+071.600\r\n"),
        (b"SRDG? C1\n", b"+108.570\r\n"),  # Pt100 at 22 C by the tables of IEC 60751: 108.57 ohm
        (b"CRDG? D5\n", b"+000.000\r\n"),
        (b"RDGST? D5;RDGST? A\n", b"001;000\r\n"),
        (b"CRDG? 0\n", b"+020.000,+020.000,+022.000" + b",+000.000" * 9 + b"\r\n"),
        (b"CRDG? E\n", b""),
        (b"*ESR?\n", b"16\r\n"),
        (b"HELLO?\n", b""),
        (b"*ESR?\n", b"32\r\n"),
        (b"*ESR?;*OPC?\n", b"0;1\r\n"),
    ],
    "211": [
        (b"*IDN?\n", b"LSCI,MODEL211,LSA23DF,1.0\r\n"),
        (b"CRDG?\n", b"+020.00\r\n"),
        (b"KRDG?\n", b"+293.15\r\n"),
    ],
}


@pytest.mark.parametrize("kind", GOLDEN)
def test_golden_exchanges(kind: str) -> None:
    rig = Rig(kind)
    for command, answer in GOLDEN[kind]:
        assert rig.say(command) == answer, command


@pytest.mark.parametrize("kind", GOLDEN)
def test_the_same_byte_by_byte_and_all_at_once(kind: str) -> None:
    everything = b"".join(command for command, _ in GOLDEN[kind])
    due = b"".join(answer for _, answer in GOLDEN[kind])
    assert Rig(kind).say(everything) == due
    rig = Rig(kind)
    assert b"".join(rig.say(bytes([byte])) for byte in everything) == due


@pytest.mark.parametrize(
    ("kind", "cool", "read", "stop"),
    [
        ("thermotron", b"SETP1,-40\nRUNM\n", b"PVAR1?\n", b"STOP\n"),
        ("julabo", b"out_sp_00 -40\r", b"in_pv_00\r", b"out_mode_05 0\r"),
        ("espec", b"TEMP, S-40.0\r\n", b"TEMP?\r\n", b"MODE, STANDBY\r\n"),
    ],
)
def test_the_box_follows_as_by_the_formula(kind: str, cool: bytes, read: bytes, stop: bytes) -> None:
    rig = Rig(kind)
    rig.say(cool)
    # By hand: -40 + 60 exp(-10 h / 3 h) = -37.86
    assert float(rig.say(read, 10 * HOUR).split(b",")[0]) == pytest.approx(-37.86, abs=0.06)
    rig.say(stop, 10 * HOUR)
    # Back to the laboratory's 22 C: 22 - 59.86 exp(-9 h / 3 h) = 19.02
    assert float(rig.say(read, 19 * HOUR).split(b",")[0]) == pytest.approx(19.02, abs=0.06)


def test_the_glass_lags_behind_the_air() -> None:
    monitor = Rig("224")
    monitor.cold.set_freezer(T0, -40)
    air, glass = (float(text) for text in monitor.say(b"CRDG? A;CRDG? B\n", 3 * HOUR).split(b";"))
    # After one lag: air -40 + 60/e = -17.93; glass with the same lag -40 + 60 * 2/e = 4.15
    assert air == pytest.approx(-17.93, abs=0.01)
    assert glass == pytest.approx(4.15, abs=0.1)


def test_a_set_point_of_one_client_waits_for_another_to_run() -> None:
    rig = Rig("thermotron")
    rig.say(b"SETP1,-20\n")
    rig.say(b"RUNM\n", talker=rig.instrument.connect())
    assert rig.cold.set_point == -20


@pytest.mark.parametrize(
    ("kind", "first", "second", "gap"),
    [("thermotron", b"SETP1,-40\n", b"RUNM\n", 1.0), ("julabo", b"in_pv_00\r", b"out_sp_00 -40\r", 0.25)],
)
def test_hasty_messages_are_taken_unless_the_fault_is_on(
    kind: str, first: bytes, second: bytes, gap: float
) -> None:
    rig = Rig(kind)
    rig.say(first + second)
    assert rig.cold.set_point == -40

    rig = Rig(kind)
    rig.faults.switch_on("miss_hasty_writes")
    rig.say(first, HOUR)
    rig.say(second, HOUR + round(0.9 * gap * NS_PER_S))
    assert rig.cold.set_point == 20
    assert rig.faults.struck() == {"miss_hasty_writes": 1}
    rig.say(second, HOUR + round(gap * NS_PER_S))
    assert rig.cold.set_point == -40


def test_a_frozen_and_a_drifting_reading() -> None:
    rig = Rig("julabo")
    rig.faults.switch_on("freeze_value")
    rig.say(b"in_pv_00\rout_sp_00 -40\r")
    assert rig.say(b"in_pv_00\r", 10 * HOUR) == b"20.00\r\n"
    rig.faults.switch_off("freeze_value")
    rig.faults.switch_on("drift_value", per_hour=0.5)
    drifting = float(rig.say(b"in_pv_00\r", 40 * HOUR))
    assert float(rig.say(b"in_pv_00\r", 44 * HOUR)) - drifting == pytest.approx(2.0, abs=0.02)
    assert rig.cold.air(SimTime(44 * HOUR)) == pytest.approx(-40, abs=0.01)


def test_a_line_that_is_too_long_is_dropped_as_a_whole() -> None:
    rig = Rig("espec")
    long = b"TEMP, S-40.0" + b" " * MAX_LINE
    assert rig.say(long) == b""
    assert rig.say(b"TEMP?" + b"\r\nMODE?\r\n") == b"NA:CMD ERR\r\nCONSTANT\r\n"
    assert rig.cold.set_point == 20
    assert rig.say(b"TYPE?".ljust(MAX_LINE) + b"\r") == b"T,T,SCP-220,100.0\r\n"


def test_a_julabo_may_end_with_lf() -> None:
    assert Rig("julabo", julabo_ending="lf").say(b"in_sp_00\r") == b"20.00\n"


def test_numbers() -> None:
    assert [number(text) for text in ("-40", "+1.5", ".5", "2.", "1e2")] == [-40, 1.5, 0.5, 2, 100]
    assert [number(text) for text in ("", "nan", "inf", "1_0", "1e999", "--1", "0x10")] == [None] * 7
    assert decimal(-0.04, 1) == "0.0"


def test_ohms_of_a_pt100() -> None:
    # IEC 60751: -40 C 84.27, 0 C 100.00, 100 C 138.51 ohm
    assert [round(ohms_of(t), 2) for t in (-40, 0, 100)] == [84.27, 100.0, 138.51]
