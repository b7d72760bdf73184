"""A board of stand-ins with a client, for the tests of this folder."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sim.degg.board_figures import BoardFigures
from sim.degg.channel import Block, Trigger
from sim.degg.clock import DomClock
from sim.degg.console import Console, Session
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

    def reflash(self) -> int:
        """A status check's way: the last file of the listing, up to three attempts, then the version."""
        for _ in range(3):
            name = self.ask("flashLS").splitlines()[-1].split()[0]
            if not self.ask(f's" {name}" flashConfigureFPGA'):
                break
        return int(self.ask("fpgaVersion .s drop").split()[1])

    def close_interlocks(self) -> None:
        self.board.interlocks.pmt_hv = self.board.interlocks.lid = True
        self.board.interlocks.changed(SimTime(self.now))


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    return Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
