"""Light: laser through filters, two pulses close together, the flasher."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

PICOCOULOMB = 1.602


def records(degg: Any, channel: Any, counts: float, events: int, samples: int = 128) -> NDArray[np.int64]:
    channel.arm(degg.level(channel, counts, samples), degg.at(60))
    size = 4 + 2 * (19 + samples)
    return np.asarray(degg.waveforms(channel.waveform_block(size * events, degg.at(60)).data)[1])


def test_photoelectrons_scale_with_the_filters_and_scatter_as_poisson_says(degg: Any) -> None:
    truth = degg.truth().channels[0]
    clock = degg.truth().clock()
    room = degg.Room()
    channel, _ = degg.channel(room)
    seen = []
    for strength in (0.02, 0.1):
        room.on = degg.Light(degg.at(1), 1000.0, strength)
        channel.arm(degg.level(channel, 30.0), degg.at(60))
        times, charges = degg.stamps(channel.charge_block(5000, degg.at(60)).data)
        after_ns = (times - clock.ticks(degg.at(60))) / (0.24 * (1 + clock.ppm * 1e-6))
        charges = charges[(after_ns % 1e6) < 200] / PICOCOULOMB
        assert len(charges) > 1000
        seen.append((charges.mean(), charges.std()))
    (low, _), (high, spread) = seen
    mean = 0.1 * truth.mu_full
    assert high / low == pytest.approx(5.0, rel=0.05)
    assert high == pytest.approx(0.93 * mean, rel=0.05)
    # Poisson, widened by the spectrum of single photoelectrons.
    assert (high / spread) ** 2 == pytest.approx(mean / 1.2, rel=0.12)


def test_a_dead_fibre_gives_no_light_to_one_photomultiplier(degg: Any) -> None:
    room = degg.Room(on=degg.Light(degg.at(1), 100.0, 0.25))
    for number in (0, 1):
        channel, faults = degg.channel(room, number)
        faults.switch_on("dead_fibre", channel=0)
        channel.arm(degg.level(channel, 150), degg.at(60))
        times, _ = degg.waveforms(channel.waveform_block(298 * 200, degg.at(60)).data)
        spacing_s = np.diff(times).mean() / 240e6 if len(times) > 1 else np.inf
        assert (spacing_s < 0.015) == (number == 1)


def test_two_pulses_twenty_nanoseconds_apart_are_seen_as_two(degg: Any) -> None:
    room = degg.Room(on=degg.Light(degg.at(1), 1000.0, 0.05, pulses=2, spacing_ns=20.0))
    channel, _ = degg.channel(room)
    samples = records(degg, channel, 280.0, 1200, samples=300)
    over = samples - np.mean(samples[:, :8])
    first, second, apart = [], [], []
    inner = over[:, 1:-1]
    peaks = (inner > over[:, :-2]) & (inner >= over[:, 2:]) & (inner > 280)
    for wave, found in zip(over, peaks, strict=True):
        places = np.flatnonzero(found) + 1
        if len(places) == 2:
            valley = wave[places[0] : places[1]].min()
            first.append(wave[places[0]] / valley)
            second.append(wave[places[1]] / valley)
            apart.append((places[1] - places[0]) / 0.24)
    assert len(first) > 600
    assert 18 < np.mean(apart) < 22
    kept = [np.array(ratio) for ratio in (first, second)]
    # Windows of the acceptance test; like the public analysis, only ratios of 0.5..5 count.
    assert 1.5 < np.mean(kept[0][kept[0] < 5]) < 2.0
    assert 1.75 < np.mean(kept[1][kept[1] < 5]) < 2.8


def test_light_stops_where_the_room_says_so(degg: Any) -> None:
    light = degg.Light(degg.at(1.0003), 1000.0, 0.25)
    room = degg.Room(script=[(degg.at(0), light), (degg.at(60.5), None), (degg.at(61), light)])
    channel, _ = degg.channel(room)
    channel.arm(degg.level(channel, 500), degg.at(60))
    block = channel.charge_block(1000, degg.at(60))
    times, _ = degg.stamps(block.data)
    clock = degg.truth().clock()
    seconds = np.array([clock.at(int(tick)) for tick in times]) / 1e9 - 60
    assert ((seconds < 0.5).sum(), (seconds > 1.0).sum()) == (500, 500)
    # The phase of the laser is that of `Light.since`, before and after.
    assert (seconds * 1e3) % 1 == pytest.approx(0.3, abs=1e-3)


def flasher(degg: Any, channel: Any, mask: int, bias: int, events: int = 300) -> float:
    """Mean charge of an LED, picocoulomb, as the flasher test takes it."""
    from sim.degg.channel import Trigger

    channel.flash(mask, bias, 170.7, degg.at(60))
    channel.arm(Trigger("external", samples=256), degg.at(60))
    block = channel.charge_block_fixed(events, 135, 160, degg.at(60))
    assert block.complete
    return float(degg.stamps(block.data)[1].mean())


def test_each_led_is_brighter_with_more_bias_and_a_dead_one_is_dark(degg: Any) -> None:
    channel, faults = degg.channel(degg.Room())
    channel.set_dac(2000)
    faults.switch_on("dead_led", led=5)
    for led in range(12):
        means = [flasher(degg, channel, 1 << led, 0x5000 + 0x400 * step) for step in range(0, 10, 3)]
        if led == 4:
            assert max(means) < 0.3
        else:
            assert means == sorted(means)
            assert means[0] > 3.0
            assert means[-1] > 8 * means[0]


def test_the_upper_photomultiplier_sees_no_led_but_is_triggered(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room(), 1)
    assert abs(flasher(degg, channel, 0x0FFF, 0x7400)) < 0.3


def test_the_flasher_triggers_at_its_period(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    from sim.degg.channel import Trigger

    channel.flash(1, 0x5000, 200.0, degg.at(60))
    channel.arm(Trigger("external"), degg.at(60))
    times, _ = degg.stamps(channel.charge_block(50, degg.at(60)).data)
    assert set(np.diff(times)) <= {47_999, 48_000, 48_001}
    channel.flash(1, 0x5000, None, degg.at(61))
    assert not channel.charge_block(1, degg.at(61)).complete
