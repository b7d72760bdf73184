"""Acquisitions: where blocks begin, what is lost, what repeats."""

from typing import Any

import numpy as np
import pytest

from sim.degg.channel import Trigger
from sim.degg.refusal import Refused


def first_seconds(degg: Any, data: bytes) -> list[float]:
    """Simulated seconds of the first and last charge stamp."""
    times, _ = degg.stamps(data)
    clock = degg.truth().clock()
    return [clock.at(int(times[n])) / 1e9 for n in (0, -1)]


def requests(degg: Any, channel: Any, start: int) -> bytes:
    """A sequence of requests, all they answer."""
    channel.arm(degg.level(channel, 25), start)
    parts = [channel.charge_block(300, start).data, channel.waveform_block(30_000, start).data]
    channel.arm(degg.fir(12), start)
    parts.append(channel.charge_block(300, start).data)
    channel.enable_scaler(100_000, 24, start)
    parts += [bytes([channel.scaler_count(degg.at(61 + n)) & 0xFF]) for n in range(5)]
    channel.flash(3, 0x6000, 170.0, start)
    channel.arm(Trigger("external", samples=256), start)
    parts.append(channel.charge_block_fixed(100, 135, 160, start).data)
    parts.append(repr([channel.hv.read_volts(start) for _ in range(3)]).encode())
    return b"".join(parts)


def test_the_same_requests_get_the_same_bytes(degg: Any) -> None:
    def answers(**of: Any) -> bytes:
        room = degg.Room(on=degg.Light(degg.at(1), 500.0, 0.05))
        return requests(degg, degg.channel(room, **of)[0], degg.at(60))

    assert answers() == answers()
    assert answers(seed=8) != answers()
    assert answers(serial="DEgg2021-3-134") != answers()
    assert answers(number=1) != answers()


def test_a_block_goes_on_where_the_last_one_ended(degg: Any) -> None:
    room = degg.Room(on=degg.Light(degg.at(1), 1000.0, 0.25))
    channel, _ = degg.channel(room)
    channel.arm(degg.level(channel, 500), degg.at(60))
    blocks = [channel.charge_block(100, degg.at(60)) for _ in range(5)]
    times = np.concatenate([degg.stamps(block.data)[0] for block in blocks])
    assert np.diff(times) == pytest.approx(240_000, abs=10)
    assert [block.ready_at / 1e9 for block in blocks] == pytest.approx(
        [60.1, 60.2, 60.3, 60.4, 60.5], abs=2e-3
    )


def test_times_do_not_drift_from_block_to_block(degg: Any) -> None:
    table = degg.tabletop(degg.Room(on=degg.Light(degg.at(1), 1000.0, 0.25)))
    table.arm(degg.level(table, 2000), degg.at(60))
    times = np.concatenate([degg.stamps(table.charge_block(3, degg.at(60)).data)[0] for _ in range(60)])
    expected = times[0] + np.arange(180) * 240_000 * (1 + 5e-6)
    assert times == pytest.approx(expected, abs=2.0)


def test_a_block_is_ready_when_its_last_record_has_ended(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    channel.arm(degg.level(channel, 25), degg.at(60))
    block = channel.charge_block(50, degg.at(60))
    _, last = first_seconds(degg, block.data)
    record_s = (128 - 16) / 240e6
    assert block.ready_at / 1e9 == pytest.approx(last + record_s, abs=60e-9)


def test_an_acquisition_begins_when_it_is_armed(degg: Any) -> None:
    room = degg.Room(on=degg.Light(degg.at(1), 1000.0, 0.25))
    channel, _ = degg.channel(room)
    for start in (60.0, 90.0, 70.0):
        channel.arm(degg.level(channel, 500), degg.at(start))
        first, _ = first_seconds(degg, channel.charge_block(10, degg.at(start)).data)
        assert 0 <= first - start < 1.1e-3


def test_events_that_nobody_fetched_are_lost_and_counted(degg: Any) -> None:
    room = degg.Room(on=degg.Light(degg.at(1), 1000.0, 0.25))
    channel, _ = degg.channel(room, buffer_s=2.0)
    channel.arm(degg.level(channel, 500), degg.at(60))
    channel.charge_block(10, degg.at(60))
    assert not channel.overflown
    first, _ = first_seconds(degg, channel.charge_block(10, degg.at(61.5)).data)
    assert first == pytest.approx(60.01, abs=2e-3)  # the buffer still has them
    assert channel.overflows == 0
    first, _ = first_seconds(degg, channel.charge_block(10, degg.at(70)).data)
    assert first == pytest.approx(68.0, abs=2e-3)
    assert channel.overflown
    assert channel.overflows == 1
    assert channel.lost_s == pytest.approx(8.0, abs=0.03)
    channel.arm(degg.level(channel, 500), degg.at(80))
    assert not channel.overflown


def test_a_block_of_charges_that_never_fills_is_not_complete_and_takes_nothing(degg: Any) -> None:
    room = degg.Room()
    channel, _ = degg.channel(room)
    channel.arm(degg.level(channel, 2000), degg.at(60))
    block = channel.charge_block(10, degg.at(60))
    assert not block.complete
    assert block.data == b""
    room.on = degg.Light(degg.at(60.5005), 100.0, 1.0)
    block = channel.charge_block(10, degg.at(60.5))
    assert block.complete
    assert first_seconds(degg, block.data)[0] == pytest.approx(60.5005, abs=1e-3)


def test_a_block_of_waveforms_is_closed_early_when_events_are_rare(degg: Any) -> None:
    room = degg.Room(on=degg.Light(degg.at(1), 10.0, 0.25))
    channel, _ = degg.channel(room)
    channel.arm(degg.level(channel, 1000), degg.at(60.05))
    block = channel.waveform_block(66_000, degg.at(60.05))
    times, _ = degg.waveforms(block.data)
    assert len(times) == 50
    assert len(block.data) == 66_000
    assert block.ready_at / 1e9 == pytest.approx(65.05, abs=0.02)
    more, _ = degg.waveforms(channel.waveform_block(66_000, degg.at(60.05)).data)
    assert more[0] - times[-1] == pytest.approx(24e6, abs=200)


def test_software_triggers_come_at_their_period_and_show_the_baseline(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room(), 1)
    truth = degg.truth().channels[1]
    for dac in (30_000, 5000):
        channel.set_dac(dac)
        channel.arm(Trigger("software", samples=1024, period_ms=10), degg.at(60))
        times, samples = degg.waveforms(channel.waveform_block(66_000, degg.at(60)).data)
        period = 2_400_000 * (1 + degg.truth().clock_ppm * 1e-6)
        assert set(np.diff(times)) <= {int(period), int(period) + 1}
        assert np.median(samples) == pytest.approx(channel.baseline_counts(), abs=1.0)
        assert samples[:, :200].std(axis=1).mean() == pytest.approx(truth.noise_counts, rel=0.1)
    assert channel.baseline_counts() == pytest.approx(truth.baseline_counts - 0.25 * 25_000)


def test_the_converter_has_fourteen_bits(degg: Any) -> None:
    room = degg.Room(on=degg.Light(degg.at(1), 1000.0, 1.0))
    channel, _ = degg.channel(room)
    for dac, clips in ((60_000, True), (5000, False)):
        channel.set_dac(dac)
        channel.arm(degg.level(channel, 500), degg.at(60))
        _, samples = degg.waveforms(channel.waveform_block(66_000, degg.at(60)).data)
        assert (samples.max() == 16_383) == clips


def test_a_threshold_below_the_baseline_triggers_without_end(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    channel.hv.enable(False, degg.at(60))
    channel.arm(degg.level(channel, -100), degg.at(60))
    times, _ = degg.waveforms(channel.waveform_block(66_000, degg.at(60)).data)
    assert set(np.diff(times)) == {128 + 8}  # and what the converter needs to be ready again


def test_records_do_not_overlap(degg: Any) -> None:
    channel, faults = degg.channel(degg.Room(20.0))
    faults.switch_on("high_dark_rate", channel=0, factor=50.0)
    channel.arm(degg.fir(12), degg.at(60))
    times, _ = degg.stamps(channel.charge_block(20_000, degg.at(60)).data)
    assert np.diff(times).min() >= 128 + 8


def test_a_reset_forgets_everything(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    channel.set_dac(5000)
    channel.arm(degg.level(channel, 25), degg.at(60))
    channel.enable_scaler(1000, 24, degg.at(60))
    channel.reset(degg.at(61))
    assert not channel.armed
    assert not channel.hv.enabled
    assert channel.hv.set_volts == 0
    assert channel.scaler_count(degg.at(62)) == 0
    assert channel.baseline_counts() == degg.truth().channels[0].baseline_counts
    with pytest.raises(Refused, match="armed"):
        channel.charge_block(1, degg.at(62))


@pytest.mark.parametrize(
    "trigger",
    [
        {"kind": "threshold", "samples": 12},
        {"kind": "threshold", "samples": 130},
        {"kind": "threshold", "samples": 1 << 20},
        {"kind": "threshold", "pre_samples": 128},
        {"kind": "software", "period_ms": 0},
        {"kind": "fir", "coefficients": (1, 1)},
    ],
)
def test_triggers_that_cannot_be_are_refused(trigger: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        Trigger(**trigger)


def test_requests_that_cannot_be_are_refused(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    now = degg.at(60)
    channel.arm(degg.level(channel, 25), now)
    for refused in (
        lambda: channel.charge_block(10**9, now),
        lambda: channel.charge_block(-1, now),
        lambda: channel.charge_block(1, now, backward=-1),
        lambda: channel.charge_block_fixed(1, 1 << 40, 0, now),
        lambda: channel.waveform_block(10**9, now),
        lambda: channel.set_dac(65_536),
        lambda: channel.enable_scaler(0, 24, now),
        lambda: channel.flash(1, 1, 0.0, now),
    ):
        with pytest.raises(Refused):
            refused()
    assert len(channel.charge_block(1, now).data) == 14
    assert channel.charge_block(0, now).data == b""


def test_thousands_of_photoelectrons_and_pulses_stay_within_bounds(degg: Any) -> None:
    light = degg.Light(degg.at(1), 500.0, 1.0, pulses=150, spacing_ns=20.0)
    channel, _ = degg.channel(degg.Room(on=light))
    channel.set_dac(2000)
    channel.arm(degg.level(channel, 600, 1000), degg.at(60))
    times, samples = degg.waveforms(channel.waveform_block(66_000, degg.at(60)).data)
    assert len(times) == 32
    # The burst lasts 3 us, and nothing of it is missing.
    assert (samples[:, 40:700].min(axis=1) > channel.baseline_counts() + 3000).all()
    assert (samples[:, 900:].mean(axis=1) < channel.baseline_counts() + 5).all()
