"""Compiles and loads the kernels before a client waits for them: where it is the first time, longer than it would."""

from __future__ import annotations

from functools import cache

from sim.degg.channel import Channel, DigitiserChannel, SyncChannel, Trigger
from sim.degg.digitiser.queues import Queue
from sim.degg.faults import MODULE_FAULTS
from sim.degg.figures import PhotomultiplierFigures
from sim.degg.surroundings import Light
from sim.degg.truth import ModuleTruth
from sim.kernel import NS_PER_S, FaultBoard, SimTime

_AT = SimTime(60 * NS_PER_S)
_KINDS = (
    Trigger("threshold", 8030),
    Trigger("fir", 400),
    Trigger("software", period_ms=1.0),
    Trigger("external"),
)


class _Room:
    """A laboratory in which the laser fires."""

    def light(self, at: SimTime) -> Light | None:  # noqa: ARG002
        return Light(SimTime(0), 1000.0, 0.1)

    def sync(self, at: SimTime) -> Light | None:
        return self.light(at)

    def light_changes_after(self, at: SimTime) -> SimTime | None:  # noqa: ARG002
        return None

    def dark_for_s(self, at: SimTime) -> float:  # noqa: ARG002
        return 0.0

    def glass_temperature(self, at: SimTime) -> float:  # noqa: ARG002
        return 20.0

    def board_temperature(self, at: SimTime) -> float:  # noqa: ARG002
        return 30.0

    def powered_since(self, at: SimTime) -> SimTime | None:  # noqa: ARG002
        return SimTime(0)


@cache
def warm_up() -> None:
    """Take one of each kind of block from channels that nobody sees. Once for each process."""
    truth, figures, room = ModuleTruth.of(0, "warming"), PhotomultiplierFigures(), _Room()
    channel = Channel(
        truth.channels[0],
        0,
        room,
        FaultBoard("warming", MODULE_FAULTS),
        0,
        "warming",
        figures,
        truth.clock(),
    )
    channel.hv.enable(True, SimTime(0))
    channel.hv.set(1450.0, SimTime(0))
    channel.flash(1, 0x6000, 1000.0, _AT)
    _acquire(channel)
    _acquire(SyncChannel(0, room, 0, "warming", figures, truth.clock()))


def _acquire(channel: DigitiserChannel) -> None:
    for trigger in _KINDS:
        channel.arm(trigger, _AT)
        Queue(channel.charge_block(2, _AT).data)
        channel.charge_block_fixed(2, 10, 20, _AT)
        channel.waveform_record(_AT)
        channel.waveform_block(2048, _AT)
    channel.arm(_KINDS[0], _AT)
    channel.enable_scaler(1000, 24, _AT)
    channel.scaler_count(SimTime(_AT + 10_000_000))
