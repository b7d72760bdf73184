"""The mainboard's console without a line: exchanges assembled by hand from the reference's table "D-Egg mainboard"."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sim.degg.board_figures import BoardFigures
from sim.degg.channel import Block, Trigger
from sim.degg.clock import DomClock
from sim.degg.console import Console, Session, Word, table_of
from sim.degg.console.lines import MAX_LINE
from sim.degg.console.vocabulary import WORDS
from sim.degg.faults import MODULE_FAULTS
from sim.degg.module import Identity, Module
from sim.degg.refusal import Refused
from sim.kernel import NS_PER_MS, NS_PER_S, FaultBoard, SimTime

PROMPT = b"\r\n> "
SPACING_NS = 10 * NS_PER_MS


class StubSupply:
    """High voltage that is there at once."""

    def __init__(self) -> None:
        self.enabled, self.volts = False, 0.0

    def enable(self, on: bool, now: SimTime) -> None:
        self.enabled = on

    def set(self, volts: float, now: SimTime) -> None:
        if volts > 2000:
            raise Refused("high voltage must be 0..2000 V")
        self.volts = volts

    def forbid(self, now: SimTime) -> None:
        self.enabled = False

    def read_volts(self, now: SimTime) -> float:
        return self.volts if self.enabled else 0.0

    def read_current_ua(self, now: SimTime) -> float:
        return self.read_volts(now) / 100.0


class StubChannel:
    """An event each 10 ms from `arm` on, channel 1 five milliseconds after channel 0; it notes what it was told."""

    def __init__(self, number: int, spacing_ns: int = SPACING_NS) -> None:
        self.number, self.spacing_ns = number, spacing_ns
        self.told: list[tuple[Any, ...]] = []
        self.trigger: Trigger | None = None
        self.cursor = 0

    @property
    def overflown(self) -> bool:
        return False

    @property
    def armed(self) -> bool:
        return self.trigger is not None

    def set_dac(self, value: int) -> None:
        self.told.append(("dac", value))

    def baseline_counts(self) -> float:
        return next(0.25 * value for what, value in reversed(self.told) if what == "dac")

    def arm(self, trigger: Trigger, now: SimTime) -> None:
        self.trigger = trigger
        self.cursor = now + 5 * NS_PER_MS * self.number
        self.told.append(("arm", trigger))

    def disarm(self, now: SimTime) -> None:
        self.trigger = None
        self.told.append(("disarm",))

    def charge_block(self, n: int, now: SimTime, *, backward: int = 10, forward: int = 15) -> Block:
        self.told.append(("charges", n, backward, forward))
        stamps = b""
        for _ in range(n):
            self.cursor += self.spacing_ns
            ticks = self.cursor * 240 // 1000
            stamps += bytes([0x10, self.number]) + struct.pack("<H", 0) + ticks.to_bytes(6, "little")
            stamps += struct.pack("<f", 1.602e-12)
        return Block(stamps, SimTime(self.cursor), self.spacing_ns > 0)

    def charge_block_fixed(self, n: int, first: int, last: int, now: SimTime) -> Block:
        return self.charge_block(n, now, backward=first, forward=last)

    def waveform_record(self, now: SimTime) -> Block:
        self.cursor += self.spacing_ns
        words = [0x8200 | self.number, *range(19)]
        return Block(struct.pack(f"<I{len(words)}H", len(words), *words), SimTime(self.cursor))

    def waveform_block(self, n_bytes: int, now: SimTime) -> Block:
        data = b""
        while len(data) + 44 <= n_bytes:
            block = self.waveform_record(now)
            data += block.data
        return Block(data + bytes(n_bytes - len(data)), SimTime(self.cursor))

    def set_discriminator(self, trigger: Trigger | None) -> None:
        self.told.append(("discriminator", trigger))

    def enable_scaler(self, period_us: int, dead_cycles: int, now: SimTime) -> None:
        self.told.append(("scaler", period_us, dead_cycles))

    def scaler_count(self, now: SimTime) -> int:
        return 123

    def flash(self, mask: int, bias: int, period_us: float | None, now: SimTime) -> None:
        self.told.append(("flash", mask, bias, period_us))

    def reset(self, now: SimTime) -> None:
        self.trigger = None
        self.told.append(("reset",))


class StubRoom:
    """20 C on the board, power from the beginning."""

    powered = True

    def board_temperature(self, at: SimTime) -> float:
        return 20.0

    def powered_since(self, at: SimTime) -> SimTime | None:
        return SimTime(0) if self.powered else None


class StubSensors:
    def pressure(self, now: SimTime) -> float:
        return 512.25

    def b_field(self, now: SimTime) -> tuple[float, float, float]:
        return (1e-5, -2e-5, 4e-5)

    def acceleration(self, now: SimTime) -> tuple[float, float, float]:
        return (0.01, -0.02, 9.81)


class StubCamera:
    def __init__(self) -> None:
        self.camera_id = "0x0123456789abcdef"
        self.light: Callable[[SimTime], float] = lambda _: 1.0
        self.taken: list[tuple[int, int]] = []

    def capture(self, gain: int, exposure_ms: int, now: SimTime) -> None:
        self.taken.append((gain, exposure_ms))

    def image_bytes(self) -> bytes:
        return b"\r\n> image"


@dataclass
class Bench:
    """A board of stubs with a client."""

    channels: list[StubChannel] = field(default_factory=lambda: [StubChannel(0), StubChannel(1)])
    supplies: list[StubSupply] = field(default_factory=lambda: [StubSupply(), StubSupply()])
    cameras: dict[int, StubCamera] = field(default_factory=lambda: {n: StubCamera() for n in (1, 2, 3)})
    waits: bool = False
    bright: bool = False
    now: int = NS_PER_S

    def __post_init__(self) -> None:
        self.faults = FaultBoard("degg.5000", MODULE_FAULTS)
        self.board = Module(
            5000,
            7,
            Identity("DEgg2021-3-100", "a400000f18a1722d", "00" * 16, "ffffffffffffffff", "01" * 8),
            self.channels,
            self.supplies,
            StubRoom(),  # type: ignore[arg-type]
            self.faults,
            DomClock(0, 0.0),
            BoardFigures(),
            StubSensors(),
            self.cameras,
            waits=self.waits,
            lit=lambda: self.bright,
        )
        self.console = Console(self.board, WORDS)
        self.session: Session = self.console.connect()

    def ask_raw(self, data: bytes) -> bytes:
        return b"".join(said.data for said in self.session.receive(data, SimTime(self.now)))

    def ask(self, command: str) -> str:
        """The answer as the public client takes it: the echo cut off by its length, the prompt from the end."""
        line = command.encode() + b"\r\n"
        answer = self.ask_raw(line)
        assert answer.startswith(line), answer
        assert answer.endswith(PROMPT), answer
        return answer[len(line) : -len(PROMPT)].decode("latin-1")

    def close_interlocks(self) -> None:
        self.board.interlocks.pmt_hv = self.board.interlocks.lid = True
        self.board.interlocks.changed(SimTime(self.now))


@pytest.fixture
def bench() -> Bench:
    return Bench()


# The whole session start in the probed order and the closing (peripherals.md, "Start of a session"), byte for byte.
SESSION = [
    (b"boot\r\n", b"boot\r\n\r\n> "),
    (b"true setecho\r\n", b"true setecho\r\n\r\n> "),
    (b"disableLogOutput\r\n", b"disableLogOutput\r\n1\r\n> "),
    (b"sdrop\r\n", b"sdrop\r\n\r\n> "),
    (b"getBoardType .s drop\r\n", b"getBoardType .s drop\r\n<1> 113 \r\n> "),
    (b"softwareVersion .s drop\r\n", b"softwareVersion .s drop\r\n<1> 62 \r\n> "),
    (b"fpgaVersion .s drop\r\n", b"fpgaVersion .s drop\r\n<1> 272 \r\n> "),
    (b"icmID\r\n", b"icmID\r\n0xa400000f18a1722d\r\n> "),
    (b"flashID\r\n", b"flashID\r\n0xffffffffffffffff\r\n> "),
    (b"enableLogOutput\r\n", b"enableLogOutput\r\n0\r\n> "),
    (b"printLogOutput\r\n", b"printLogOutput\r\n\r\n> "),
]


def test_session_start_and_close_byte_for_byte(bench: Bench) -> None:
    for sent, answer in SESSION:
        assert bench.ask_raw(sent) == answer


def test_any_split_and_merge_gives_the_same_bytes() -> None:
    sent = b"".join(line for line, _ in SESSION)
    answers = b"".join(answer for _, answer in SESSION)
    assert Bench().ask_raw(sent) == answers
    bytewise = Bench()
    assert b"".join(bytewise.ask_raw(sent[at : at + 1]) for at in range(len(sent))) == answers


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("", ""),
        ("  ", ""),
        ("1 2 3 .s", "<3> 1 2 3 "),
        ("0x10 -7 .s", "<2> 16 -7 "),
        ("1 2 swap .s", "<2> 2 1 "),
        ("5 dup .s", "<2> 5 5 "),
        ("1 2 over .s", "<3> 1 2 1 "),
        ("1 2 drop .s", "<1> 1 "),
        ("1 2 sdrop .s", "<0> "),
        ("true false .s", "<2> -1 0 "),
        ('s" a b" .s', "<1> a b "),
        ("42 .", "42 "),
        ("nonsense", "nonsense ?"),
        ("drop", "drop: Stack underflow"),
        ("1 2 nonsense 3", "nonsense ?"),
        ("4294967296", "4294967296 ?"),
        ('s" open', "Unterminated string"),
        ("2 DEggHVEnabled", "DEggHVEnabled: Bad channel 2"),
        ('s" x" setecho', "setecho: flag is not a number"),
    ],
)
def test_language(bench: Bench, command: str, answer: str) -> None:
    assert bench.ask(command) == answer


def test_unknown_word_leaves_the_rest_undone_and_the_stack_empty(bench: Bench) -> None:
    assert bench.ask("1 2 .s nonsense 7 .s") == "<2> 1 2 nonsense ?"
    assert bench.ask(".s") == "<0> "


def test_without_echo_only_the_answer_comes(bench: Bench) -> None:
    assert bench.ask("false setecho") == ""
    assert bench.ask_raw(b"5 .s drop\r\n") == b"<1> 5 " + PROMPT
    assert bench.ask_raw(b"true setecho\r\n") == PROMPT
    assert bench.ask("5 .s drop") == "<1> 5 "


def test_stack_and_echo_outlive_a_connection_and_half_a_line_does_not(bench: Bench) -> None:
    bench.ask("1 2")
    bench.ask_raw(b"nonse")
    bench.session = bench.console.connect()
    assert bench.ask(".s sdrop") == "<2> 1 2 "


def test_a_line_that_is_too_long_is_refused_and_the_next_one_works(bench: Bench) -> None:
    answer = bench.ask_raw(b"1 " * MAX_LINE + b"\r\n")
    assert answer.endswith(b"Line too long" + PROMPT)
    assert len(answer) < MAX_LINE + 100
    assert bench.ask(".s") == "<0> "


def test_echo_is_what_was_received_with_its_own_end(bench: Bench) -> None:
    assert bench.ask_raw(b"\xff\x00 ?\n") == b"\xff\x00 ?\n\xff\x00 ?" + PROMPT
    assert bench.ask_raw(b"1 .\n") == b"1 .\n1 " + PROMPT


def test_stack_is_bounded(bench: Bench) -> None:
    for _ in range(5):
        bench.ask("1 " * 1000)
    assert bench.ask(".s") == "<0> "  # the fifth did not fit and emptied it


def test_output_of_a_line_is_bounded(bench: Bench) -> None:
    bench.board.flash.write("f", bytes(200_000))
    answer = bench.ask('s" f" flashCat ' * 60)
    assert answer.endswith("Output overflow")
    assert len(answer) < 9 << 20
    assert bench.ask(".s") == "<0> "


def test_a_new_word_is_a_row() -> None:
    bench = Bench()
    words = table_of(WORDS.values(), [Word("twice", "n -- n", "Doubles a number.", lambda _call, n: 2 * n)])
    bench.session = Console(bench.board, words).connect()
    assert bench.ask("21 twice .s drop") == "<1> 42 "


def test_a_name_stands_once_in_the_table() -> None:
    row = Word("drop", "x? --", "", lambda _call, _x: None)
    with pytest.raises(ValueError, match="stands twice"):
        table_of([row], [row])


def test_every_row_has_an_effect_and_a_sentence() -> None:
    for word in WORDS.values():
        assert "--" in word.effect
        assert word.about.endswith(".")


# Every word of the table in peripherals.md, "D-Egg mainboard".
REFERENCE = """
fpgaVersion softwareVersion icmID mainboardID flashID stmid printFPGAChipID sloAdcReadChannel sloAdcReadAll
flashLS flashConfigureFPGA reboot boot enableHV disableHV setDEggHV DEggHVEnabled readHVInterlock
readLightSensorPmtHvEnable readFlashInterlock readLIDInterlock readFPGAConfigInterlock setDAC setDEggConstReadout
startDEggWfmStream setDEggADCTriggerThreshold setDEggFIRTriggerThreshold enableDEggADCTrigger enableDEggFIRTrigger
disableDEggTriggers setDEggFIRCoefficients enableScalers getScalerCount readDEggChargeBlock
readDEggChargeBlockFixed readDEggWfmBlock readDEggWfmStream domClock getPressure printPressure getBFieldXYZ
printBFieldXYZ getAccelerationXYZ printAccelerationXYZ setFlasherMask setFlasherBias enableCalibrationTrigger
enableCalibrationPower initCamera captureCameraImage sendCameraImage getCameraID true setecho disableLogOutput
enableLogOutput printLogOutput sdrop drop getBoardType printSoftwareId
"""


def test_every_word_of_the_reference_is_there() -> None:
    assert [word for word in REFERENCE.split() if word not in WORDS] == []


def test_flash_listing_has_the_newest_image_last(bench: Bench) -> None:
    # as the public client reads it: names of columns, a rule, rows with as many words as there are columns
    header, rule, *rows = bench.ask("flashLS").splitlines()
    assert header.split() == ["Name", "Size", "Offset"]
    assert set(rule) == {"-"}
    files = [dict(zip(header.split(), row.split(), strict=True)) for row in rows]
    assert files[-1]["Name"] == "degg_fw_v0x110.rbf"
    assert all(int(file["Size"]) > 0 for file in files)


def test_slow_adc(bench: Bench) -> None:
    # peripherals.md: "fourth word is the value: e.g. `Channel 7 : -39.500 C`"; one line per channel
    words = bench.ask("7 sloAdcReadChannel").split()
    assert (*words[:3], words[4]) == ("Channel", "7", ":", "C")
    assert float(words[3]) == pytest.approx(20.0, abs=1.0)
    lines = bench.ask("sloAdcReadAll").split("\r\n")
    assert [int(line.split()[1]) for line in lines] == list(range(16))
    assert [line.split()[4] for line in lines] == [
        *["mA"] * 5,
        *["V", "mV", "C"],
        *["V", "uA"] * 2,
        *["V"] * 4,
    ]
    values = [float(line.split()[3]) for line in lines]
    for value, limit in zip(values[:5], (1000, 400, 400, 500, 300), strict=True):  # fat.md section 8
        assert 0 < value < limit
    rails = [values[5], *values[12:]]
    assert rails == pytest.approx([1.8, 1.1, 1.35, 2.5, 3.3], rel=0.02)
    assert bench.ask("16 sloAdcReadChannel") == "sloAdcReadChannel: FAIL"


def test_currents_rise_with_what_is_on(bench: Bench) -> None:
    def current(number: int) -> float:
        return float(bench.ask(f"{number} sloAdcReadChannel").split()[3])

    idle = current(0), current(4)
    bench.close_interlocks()
    bench.ask("0 1500 setDEggHV 0 enableHV 1 1500 setDEggHV 1 enableHV")
    bench.ask("8050 8050 3 startDEggWfmStream")
    assert current(0) > idle[0] + 40
    assert current(4) > idle[1] + 30
    assert float(bench.ask("8 sloAdcReadChannel").split()[3]) == 1500.0
    assert float(bench.ask("11 sloAdcReadChannel").split()[3]) == 15.0


@pytest.mark.parametrize("lit", [False, True])
@pytest.mark.parametrize("interlock", [False, True])
def test_high_voltage_needs_interlock_and_darkness(interlock: bool, lit: bool) -> None:
    bench = Bench(bright=lit)
    bench.board.interlocks.pmt_hv = interlock
    bench.board.interlocks.changed(SimTime(0))
    assert bench.ask("readHVInterlock .s drop") == f"<1> {int(interlock)} "
    assert bench.ask("readLightSensorPmtHvEnable .s drop") == f"<1> {int(not lit)} "
    said = bench.ask("1 enableHV")
    if interlock and not lit:
        assert said == ""
    else:
        reason = "light sensor does not permit HV" if interlock else "PMT HV interlock not set"
        assert said == f"enableHV: FAIL, {reason}"
    assert bench.ask("1 DEggHVEnabled .s drop") == f"<1> {int(interlock and not lit)} "
    assert (bench.ask("1 1500 setDEggHV") == "") is not lit
    assert bench.ask("1 0 setDEggHV") == ""


def test_high_voltage_goes_off_with_interlock_light_and_word(bench: Bench) -> None:
    def enabled() -> bool:
        return bench.ask("0 DEggHVEnabled .s drop") == "<1> 1 "

    bench.close_interlocks()
    bench.ask("0 enableHV")
    assert enabled()
    bench.ask("0 disableHV")
    assert not enabled()
    bench.ask("0 enableHV")
    bench.board.interlocks.pmt_hv = False
    bench.board.interlocks.changed(SimTime(bench.now))
    assert not bench.supplies[0].enabled
    bench.close_interlocks()
    bench.ask("0 enableHV")
    assert enabled()
    bench.bright = True
    assert not enabled()


def test_high_voltage_out_of_range(bench: Bench) -> None:
    assert bench.ask("0 2001 setDEggHV") == "setDEggHV: FAIL, high voltage must be 0..2000 V"


def test_dac_and_baseline(bench: Bench) -> None:
    assert bench.ask("65 30000 setDAC") == bench.ask("66 5000 setDAC") == bench.ask("68 100 setDAC") == ""
    assert bench.channels[0].told == [("dac", 30000)]
    assert bench.channels[1].told == [("dac", 5000)]
    assert bench.ask("65 65536 setDAC") == "setDAC: FAIL, bad value 65536"
    assert bench.ask("1 1 setDAC") == "setDAC: FAIL, bad channel 1"
    assert bench.ask("0 calibrateDEggBaseline") == '{"slope": 0.25, "intercept": 0.0, "isValid": true}'
    assert bench.channels[0].told[-1] == ("dac", 30000)


@pytest.mark.parametrize(
    ("command", "armed"),
    [
        ("0 8050 0 startDEggWfmStream", {0: Trigger("threshold", 8050)}),
        ("1 10 1 startDEggWfmStream", {1: Trigger("software", period_ms=10.0)}),
        ("1 0 2 startDEggWfmStream", {1: Trigger("external")}),
        ("8050 8060 3 startDEggWfmStream", {0: Trigger("dual", 8050), 1: Trigger("dual", 8060)}),
        ("0 900 4 startDEggWfmStream", {0: Trigger("fir", 900)}),
        ("900 910 5 startDEggWfmStream", {0: Trigger("dual_fir", 900), 1: Trigger("dual_fir", 910)}),
        (
            "1 8070 setDEggADCTriggerThreshold 2 0 64 startDEggWfmStream",
            {1: Trigger("threshold", 8070)},
        ),
    ],
)
def test_streams(bench: Bench, command: str, armed: dict[int, Trigger]) -> None:
    assert bench.ask(command) == ""
    assert {channel.number: channel.trigger for channel in bench.channels if channel.trigger} == armed


def test_triggers_shape_and_filter(bench: Bench) -> None:
    assert bench.ask("0 1 300 setDEggConstReadout") == ""
    assert bench.ask("0 8025 setDEggADCTriggerThreshold") == ""
    assert bench.channels[0].told[-1] == ("discriminator", Trigger("threshold", 8025, 300))
    bench.ask("0 enableDEggADCTrigger")
    assert bench.channels[0].trigger == Trigger("threshold", 8025, 300)
    taps = [0] * 10 + [1, 2] + [0] * 4
    assert bench.ask(f"0 {' '.join(map(str, taps))} setDEggFIRCoefficients") == ""
    assert bench.ask("0 printDEggFIRCoefficients") == " ".join(map(str, taps))
    bench.ask("0 700 setDEggFIRTriggerThreshold 0 enableDEggFIRTrigger")
    assert bench.channels[0].trigger == Trigger("fir", 700, 300, coefficients=tuple(taps))
    bench.ask("0 disableDEggTriggers")
    assert not bench.channels[0].armed
    assert bench.ask("0 1 17 setDEggConstReadout").startswith("setDEggConstReadout: FAIL")
    assert bench.ask("0 1 9 startDEggWfmStream") == "startDEggWfmStream: FAIL, no stream 9"


def test_scalers(bench: Bench) -> None:
    assert bench.ask("1 100000 24 enableScalers") == ""
    assert bench.channels[1].told[-1] == ("scaler", 100000, 24)
    assert bench.ask("1 getScalerCount .s drop") == "<1> 123 "


def test_charge_block_is_exact_in_length(bench: Bench) -> None:
    bench.ask("1 8050 0 startDEggWfmStream")
    for n in (14 * 400, 14 * 3 + 5, 0):
        line = f"{n} 10 15 readDEggChargeBlock\r\n".encode()
        answer = bench.ask_raw(line)
        assert answer[: len(line)] == line
        assert answer[len(line) + n :] == PROMPT
        stamps = answer[len(line) : len(line) + n - n % 14]
        assert all(stamps[at : at + 2] == b"\x10\x01" for at in range(0, len(stamps), 14))
    assert bench.channels[1].told[-1] == ("charges", 3, 10, 15)


def test_two_channels_share_a_block_in_the_order_of_time(bench: Bench) -> None:
    bench.ask("8050 8050 3 startDEggWfmStream")
    stamps = b""
    for _ in range(3):
        line = b"700 10 15 readDEggChargeBlock\r\n"
        stamps += bench.ask_raw(line)[len(line) : -len(PROMPT)]
    times = [int.from_bytes(stamps[at + 4 : at + 10], "little") for at in range(0, len(stamps), 14)]
    channels = [stamps[at + 1] for at in range(0, len(stamps), 14)]
    assert len(times) == 150
    assert channels == [0, 1] * 75
    assert times == [(NS_PER_S + 10_000_000 + 5_000_000 * k) * 240 // 1000 for k in range(150)]


def test_waveform_block_and_stream(bench: Bench) -> None:
    bench.ask("0 8050 0 startDEggWfmStream")
    line = b"100 readDEggWfmBlock\r\n"
    answer = bench.ask_raw(line)
    record = struct.pack("<I20H", 20, 0x8200, *range(19))
    assert answer == line + 2 * record + bytes(12) + PROMPT
    line = b"readDEggWfmStream\r\n"
    for _ in range(2):  # word count, then the words
        assert bench.ask_raw(line) == line + record[:4] + PROMPT
        assert bench.ask_raw(line) == line + record[4:] + PROMPT


def test_waveforms_of_two_channels(bench: Bench) -> None:
    bench.ask("8050 8050 3 startDEggWfmStream")
    line = b"200 readDEggWfmBlock\r\n"
    data = bench.ask_raw(line)[len(line) : -len(PROMPT)]
    assert len(data) == 200
    assert [data[44 * k + 4] for k in range(4)] == [0, 0, 1, 1]
    line = b"readDEggWfmStream\r\n"
    channels = []
    for _ in range(4):
        bench.ask_raw(line)
        channels.append(bench.ask_raw(line)[len(line)])
    assert sorted(channels) == [0, 0, 1, 1]


def test_a_block_that_would_be_too_large_is_refused(bench: Bench) -> None:
    bench.ask("0 8050 0 startDEggWfmStream")
    assert bench.ask("4294967295 10 15 readDEggChargeBlock").startswith("readDEggChargeBlock: FAIL")
    assert bench.ask("99999999 readDEggWfmBlock").startswith("readDEggWfmBlock: FAIL")


def test_a_block_without_events_is_silence_and_the_next_command_gets_its_own_answer(bench: Bench) -> None:
    line = b"5600 10 15 readDEggChargeBlock\r\n"
    assert bench.ask_raw(line) == line  # nothing is armed
    assert bench.ask("fpgaVersion .s drop") == "<1> 272 "
    bench.channels[0].spacing_ns = 0  # no events: the channel says so
    bench.ask("0 8050 0 startDEggWfmStream")
    assert bench.ask_raw(line) == line
    assert bench.ask("fpgaVersion .s drop") == "<1> 272 "
    assert [what for what, *_ in bench.channels[0].told].count("arm") == 2  # begun anew


def test_on_a_clock_that_follows_the_wall_a_block_waits_for_its_events() -> None:
    bench = Bench(waits=True, now=10 * NS_PER_S)
    bench.ask("0 8050 0 startDEggWfmStream")
    echo, block = bench.session.receive(b"1400 10 15 readDEggChargeBlock\r\n", SimTime(bench.now))
    assert echo.after_s == 0
    assert (block.until_input, block.after_s) == (True, pytest.approx(1.0))
    # fetched in time, the next block goes on where the last one ended
    bench.now += NS_PER_S
    _, block = bench.session.receive(b"1400 10 15 readDEggChargeBlock\r\n", SimTime(bench.now))
    assert block.after_s == pytest.approx(1.0)
    # something was sent before it was ready: it is given up, and the acquisition begins anew at that moment
    bench.now += NS_PER_S // 2
    _, block = bench.session.receive(b"1400 10 15 readDEggChargeBlock\r\n", SimTime(bench.now))
    assert block.after_s == pytest.approx(1.0)


def test_domclock_counts_240_mhz_in_two_halves(bench: Bench) -> None:
    bench.now = 100 * NS_PER_S
    low, high = map(int, bench.ask("domClock .s drop drop").split()[1:])
    assert low | high << 32 == 24_000_000_000


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("getPressure printPressure", "512.25 hPa"),
        ("getBFieldXYZ printBFieldXYZ", "(0.000010000, -0.000020000, 0.000040000) T"),
        ("getAccelerationXYZ printAccelerationXYZ", "(0.0100, -0.0200, 9.8100) m/s2"),
    ],
)
def test_sensors(bench: Bench, command: str, answer: str) -> None:
    assert bench.ask(command) == answer


@pytest.mark.parametrize("sensor", ["Acceleration", "BField", "PressureSensor"])
def test_sensors_agree_on_the_temperature(bench: Bench, sensor: str) -> None:
    value, unit = bench.ask(f"get{sensor}Temperature printSensorsTemperature").split()
    assert (unit, float(value)) == ("C", pytest.approx(20.0, abs=3.0))


def test_flasher_needs_the_lid_interlock_power_and_trigger(bench: Bench) -> None:
    assert bench.ask("1 setFlasherMask") == "setFlasherMask: FAIL, LID interlock not set"
    assert bench.ask("enableCalibrationPower") == "enableCalibrationPower: FAIL, LID interlock not set"
    bench.close_interlocks()
    for command in ("enableCalibrationPower", "20480 setFlasherBias", "0x004 setFlasherMask"):
        assert bench.ask(command) == ""
    assert [told for told in bench.channels[0].told if told[0] == "flash"] == []
    assert bench.ask("1000 enableCalibrationTrigger") == ""
    for channel in bench.channels:
        assert channel.told[-1] == ("flash", 4, 0x5000, 1000.0)
    bench.ask("disableCalibrationPower")
    assert bench.channels[0].told[-1][3] is None
    told = len(bench.channels[0].told)
    bench.ask("0x004 setFlasherMask 1000 enableCalibrationTrigger")  # without power
    assert len(bench.channels[0].told) == told
    bench.ask("enableCalibrationPower")
    bench.board.interlocks.lid = False
    bench.board.interlocks.changed(SimTime(bench.now))
    assert bench.channels[0].told[-1][3] is None


def test_camera_image_is_exact_in_length(bench: Bench) -> None:
    bench.close_interlocks()
    assert bench.ask("2 initCamera") == "initCamera: FAIL, camera 2 has no supply"
    bench.ask("enableCalibrationPower 0x04 setCameraEnableMask")
    assert bench.ask("2 captureCameraImage") == "captureCameraImage: FAIL, camera 2 is not ready"
    assert bench.cameras[2].light(SimTime(0)) == 0.0
    bench.ask("0x0c setCameraEnableMask")  # with its LED
    assert bench.cameras[1].light(SimTime(0)) == 1.0
    bench.ask("2 initCamera 2 300 setCameraGain 2 3700 setCameraExposureMs")
    assert bench.ask("2 captureCameraImage") == ""
    assert bench.cameras[2].taken == [(300, 3700)]
    assert bench.ask("2 cameraImageSize .s drop") == "<1> 9 "
    line = b"2 sendCameraImage\r\n"
    assert bench.ask_raw(line) == line + b"\r\n> image" + PROMPT
    assert bench.ask("2 getCameraID") == "0x0123456789abcdef"
    assert bench.ask("2 301 setCameraGain") == "setCameraGain: FAIL, bad gain 301"
    assert bench.ask("1 getCameraID") == "getCameraID: FAIL, camera 1 has no supply"
    assert bench.ask("4 getCameraID") == "getCameraID: FAIL, no camera 4"


def test_memory_of_the_fpga_and_registers_of_the_adcs(bench: Bench) -> None:
    # as the public self-tests do it: 32 words at a time, read back as numbers and as bytes
    pattern = [0x5555, 0xAAAA] * 16
    assert bench.ask(f"{' '.join(map(str, pattern))} 32 2016 fpgaWrite") == ""
    assert [int(word) for word in bench.ask("32 2016 printFPGA").split()] == pattern
    line = b"2 2016 dumpFPGA\r\n"
    assert bench.ask_raw(line) == line + b"\x55\x55\xaa\xaa" + PROMPT
    words = bench.ask("16 memtest").replace(",", "").split()
    assert (words[2], words[4]) == ("1", "1")
    assert bench.ask("0 37 129 writeADS4149 0 37 readADS4149 .s drop") == "<1> 129 "
    assert bench.ask("5 65530 fpgaWrite") == "Stack underflow"


NEEDS_FPGA = [
    "domClock",
    "7 sloAdcReadChannel",
    "0 8050 0 startDEggWfmStream",
    "56 10 15 readDEggChargeBlock",
]


@pytest.mark.parametrize("command", NEEDS_FPGA)
def test_without_fpga_words_fail(bench: Bench, command: str) -> None:
    bench.faults.switch_on("unconfigured_fpga")
    assert bench.ask("fpgaVersion .s drop") == "<1> 65535 "
    assert bench.ask(command) == f"{command.split()[-1]}: FAIL"
    assert bench.ask("sloAdcReadAll") == "sloAdcReadChannel: FAIL"


def reflash(ask: Callable[[str], str]) -> int:
    """A status check's way: the last file of the listing, up to three attempts, then the version."""
    for _ in range(3):
        name = ask("flashLS").splitlines()[-1].split()[0]
        if not ask(f's" {name}" flashConfigureFPGA'):
            break
    return int(ask("fpgaVersion .s drop").split()[1])


@pytest.mark.parametrize(("fault", "shown"), [("unconfigured_fpga", 65535), ("wrong_fpga", 268)])
def test_configuring_from_flash_mends_the_fpga(bench: Bench, fault: str, shown: int) -> None:
    bench.faults.switch_on(fault)
    assert bench.ask("fpgaVersion .s drop") == f"<1> {shown} "
    assert reflash(bench.ask) == 272
    assert bench.faults.active() == {}


def test_a_fault_that_refuses_configuration(bench: Bench) -> None:
    bench.faults.switch_on("refuse_configuration", times=2)
    image = 's" degg_fw_v0x110.rbf" flashConfigureFPGA'
    assert bench.ask(image) == "flashConfigureFPGA: FAIL, configuration failed"
    assert bench.ask("fpgaVersion .s drop") == "<1> 65535 "
    assert reflash(bench.ask) == 272
    bench.faults.switch_on("refuse_configuration")
    assert reflash(bench.ask) == 65535


def test_wrong_files_are_refused_and_leave_the_fpga_alone(bench: Bench) -> None:
    assert bench.ask('s" nothing.rbf" flashConfigureFPGA') == "flashConfigureFPGA: FAIL, no file nothing.rbf"
    bench.board.flash.write("notes.txt", b"hello")
    assert bench.ask('s" notes.txt" flashConfigureFPGA').endswith("notes.txt is no FPGA image")
    assert bench.ask("fpgaVersion .s drop") == "<1> 272 "
    assert bench.ask('s" degg_fw_v0x10e.rbf" flashConfigureCycloneFPGA') == ""
    assert bench.ask("fpgaVersion .s drop") == "<1> 270 "


def test_flash_is_written_only_with_its_interlock(bench: Bench) -> None:
    bench.board.flash.write("notes.txt", b"hello")
    assert bench.ask('s" notes.txt" flashCat') == "hello"
    assert bench.ask('s" notes.txt" flashRemove') == "flashRemove: FAIL, flash interlock not set"
    bench.board.interlocks.mcu_flash = True
    assert bench.ask('s" notes.txt" flashRemove') == ""
    assert bench.ask('s" notes.txt" flashCat') == "flashCat: FAIL, no file notes.txt"


# A transfer by YMODEM as the public client's sender makes it, assembled by hand: the file "v.txt" of 5 bytes.
# The CRCs are those of CRC-16/XMODEM (polynomial 0x1021, start 0), worked out bit by bit in `crc`.
def crc(data: bytes) -> bytes:
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
    return value.to_bytes(2, "big")


def block(start: bytes, number: int, data: bytes) -> bytes:
    data = data.ljust(128 if start == b"\x01" else 1024, b"\0")
    return start + bytes([number, 255 - number]) + data + crc(data)


TRANSFER = [
    (block(b"\x01", 0, b"v.txt\0" + b"5 "), b"\x06C"),
    (block(b"\x02", 1, b"hello"), b"\x06"),
    (b"\x04", b"\x15"),
    (b"\x04", b"\x06C"),
    (block(b"\x01", 0, b""), b"\x06C" + PROMPT),
]


@pytest.mark.parametrize("bytewise", [False, True])
def test_a_file_comes_into_flash_by_ymodem(bench: Bench, bytewise: bool) -> None:
    upload = b's" v.txt" ymodemFlashUpload\r\n'
    assert b"ymodemFlashUpload: FAIL, flash interlock not set" in bench.ask_raw(upload)
    bench.board.interlocks.mcu_flash = True
    echo, *invitations = bench.session.receive(upload, SimTime(bench.now))
    assert echo.data == upload
    assert {said.data for said in invitations} == {b"C"}
    assert all(said.by_wall and said.until_input for said in invitations)
    for sent, answer in TRANSFER:
        pieces = [sent[at : at + 1] for at in range(len(sent))] if bytewise else [sent]
        assert b"".join(bench.ask_raw(piece) for piece in pieces) == answer
    assert bench.ask('s" v.txt" flashCat') == "hello"
    assert bench.ask("flashLS").splitlines()[-1].split()[:2] == ["v.txt", "5"]


def test_a_damaged_block_is_asked_for_again_and_a_transfer_can_be_left(bench: Bench) -> None:
    bench.board.interlocks.mcu_flash = True
    bench.ask_raw(b's" v.txt" ymodemFlashUpload\r\n')
    first = TRANSFER[0][0]
    damaged = first[:10] + b"\xff" + first[11:]
    assert bench.ask_raw(damaged) == b"\x15"
    assert bench.ask_raw(first) == b"\x06C"
    assert bench.ask("fpgaVersion .s drop") == "<1> 272 "  # somebody types instead
    assert bench.ask('s" v.txt" flashCat') == "flashCat: FAIL, no file v.txt"
    bench.ask_raw(b's" v.txt" ymodemFlashUpload\r\n')
    answers = [bench.ask_raw(damaged) for _ in range(10)]
    assert answers[-1] == b"\x18\x18" + PROMPT
    assert bench.ask(".s") == "<0> "


def test_configuring_takes_its_time(bench: Bench) -> None:
    said = bench.session.receive(b's" degg_fw_v0x110.rbf" flashConfigureFPGA\r\n', SimTime(0))
    assert [answer.after_s for answer in said] == [0.0, 4.0]


def test_reboot_has_no_answer_and_ends_in_the_boot_loader(bench: Bench) -> None:
    bench.close_interlocks()
    bench.ask("1 2 0 enableHV 0 8050 0 startDEggWfmStream")
    assert bench.ask_raw(b"reboot\r\n") == b""
    assert bench.ask("fpgaVersion .s drop") == "fpgaVersion ?"  # the boot loader knows one word
    assert bench.ask("boot") == ""
    assert bench.ask(".s") == "<0> "
    assert bench.ask("0 DEggHVEnabled .s drop") == "<1> 0 "
    assert bench.ask("fpgaVersion .s drop") == "<1> 65535 "
    assert not bench.channels[0].armed
    assert reflash(bench.ask) == 272
    assert bench.ask("printLogOutput").endswith("Iceboot started")


def test_a_board_that_starts_is_silent_on_a_clock_that_follows_the_wall() -> None:
    bench = Bench(waits=True)
    assert bench.ask_raw(b"reboot\r\n") == b""
    assert bench.ask_raw(b"boot\r\n") == b""
    bench.now += int(2.0 * NS_PER_S)
    assert [answer.after_s for answer in bench.session.receive(b"boot\r\n", SimTime(bench.now))] == [0.0, 0.5]


def test_without_power_nothing_is_said(bench: Bench) -> None:
    bench.board.power_switched(False, SimTime(bench.now))
    assert bench.ask_raw(b"boot\r\n") == b""
    assert not bench.board.powered
    bench.board.power_switched(True, SimTime(bench.now))
    assert bench.ask("boot") == ""
    assert reflash(bench.ask) == 272


def test_a_board_that_hangs_starts_at_the_next_power_cycle(bench: Bench) -> None:
    bench.faults.switch_on("hang_power_cycle")
    for starts in (False, True):
        bench.board.power_switched(False, SimTime(bench.now))
        bench.board.power_switched(True, SimTime(bench.now))
        assert (bench.ask_raw(b"boot\r\n") != b"") is starts
    bench.faults.switch_on("hang_power_cycle", times=2)
    for starts in (False, False, True):
        bench.board.power_switched(False, SimTime(bench.now))
        bench.board.power_switched(True, SimTime(bench.now))
        assert (bench.ask_raw(b"boot\r\n") != b"") is starts


def test_time_out_for_so_many_commands(bench: Bench) -> None:
    bench.faults.switch_on("time_out", times=2)
    assert bench.ask_raw(b"boot\r\n") == bench.ask_raw(b"boot\r\n") == b""
    assert bench.ask("boot") == ""


def test_a_module_that_is_absent_says_nothing(bench: Bench) -> None:
    bench.faults.switch_on("absent")
    assert bench.ask_raw(b"boot\r\n") == b""


def test_what_the_board_says_unasked_goes_to_the_client(bench: Bench) -> None:
    heard: list[bytes] = []
    bench.board.console_output(b"lost")
    bench.session.attach(heard.append)
    bench.board.console_output(b"\x01\x00\x04\x00data")
    bench.session.detach()
    bench.board.console_output(b"lost")
    assert heard == [b"\x01\x00\x04\x00data"]
