"""Compiled code is made ready before a laboratory is: nobody waits for it in the middle of an acquisition."""

from __future__ import annotations

from dataclasses import replace

from sim.degg.channel import Channel, DigitiserChannel, SyncChannel, Trigger
from sim.degg.faults import MODULE_FAULTS
from sim.degg.truth import ModuleTruth
from sim.kernel import NS_PER_S, FaultBoard, SimTime
from sim.lab.figures import LabFigures
from sim.lab.world import Generator, World

PORT = 5000
BLOCK_BYTES = 2048


def warm_up(figures: LabFigures) -> None:
    """Let a module and a tabletop board that nobody sees measure a little of everything."""
    world = World(figures, [PORT])
    world.light.set_supply(SimTime(0), figures.light.supply_min_v, True)
    world.light.set_generator(
        SimTime(0), replace(Generator(), on=True, frequency_hz=1000.0, amplitude_vpp=10.0)
    )
    truth = ModuleTruth.of(0, "warm")
    room, clock, own = world.room(PORT, truth.warmth_c), truth.clock(), figures.photomultiplier
    faults = FaultBoard("warm", MODULE_FAULTS)
    channel = Channel(truth.channels[0], 0, room, faults, 0, "warm", own, clock)
    channel.hv.enable(True, SimTime(0))
    channel.hv.set(1400.0, SimTime(0))
    _measure(channel, SimTime(60 * NS_PER_S))
    _measure(SyncChannel(0, room, 0, "warm", own, clock), SimTime(60 * NS_PER_S))


def _measure(channel: DigitiserChannel, now: SimTime) -> None:
    level = int(channel.baseline_counts()) + 25
    for trigger in (
        Trigger("threshold", level),
        Trigger("fir", 900),
        Trigger("external"),
        Trigger("software"),
    ):
        channel.arm(trigger, now)
        channel.charge_block(2, now)
        channel.waveform_block(BLOCK_BYTES, now)
        channel.disarm(now)
    channel.enable_scaler(100_000, 24, now)
    channel.scaler_count(SimTime(now + NS_PER_S))
    channel.flash(1, 0x5000, 1000.0, now)
    channel.reset(now)
