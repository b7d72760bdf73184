"""Words of triggers, streams, scalers, and of the blocks in which events are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from sim.degg.console.forth import Call, Given, Word
from sim.degg.refusal import Refused

if TYPE_CHECKING:
    from sim.degg.digitiser.block import Block
    from sim.degg.digitiser.trigger import TriggerKind

FIR_TAPS: Final = 16
DEFAULT_BASELINE_DAC: Final = 30_000
"""What a channel's baseline stands at until somebody sets it."""
MAX_BINS: Final = 1 << 14
_COEFFICIENTS: Final = " ".join(f"c{tap}" for tap in range(FIR_TAPS))


def _answer(call: Call, block: Block) -> None:
    """Send a block when its last event has happened; say nothing if that is too far away."""
    seconds = call.board.wait_for(block, call.now)
    if seconds is None:
        call.reply.silent = True
        return
    call.send(block.data)
    call.wait(seconds)
    call.reply.until_input = seconds > 0


def _charges(call: Call, n: int, backward: int, forward: int) -> None:
    _check_bins(backward, forward)
    block = call.board.readout.charges(
        n,
        lambda channel, count: channel.charge_block(count, call.now, backward=backward, forward=forward),
        call.now,
        call.board.patience_ends(call.now),
    )
    _answer(call, block)


def _fixed_charges(call: Call, n: int, first: int, last: int) -> None:
    _check_bins(first, last)
    if last < first:
        raise Refused("the last bin comes before the first")
    block = call.board.readout.charges(
        n,
        lambda channel, count: channel.charge_block_fixed(count, first, last, call.now),
        call.now,
        call.board.patience_ends(call.now),
    )
    _answer(call, block)


def _check_bins(*bins: int) -> None:
    if not all(0 <= value < MAX_BINS for value in bins):
        raise Refused("bad bins")


def _waveforms(call: Call, n: int) -> None:
    _answer(call, call.board.readout.waveforms(n, call.now))


def _stream(call: Call) -> None:
    _answer(call, call.board.readout.stream_part(call.now))


def _start(call: Call, first: int, second: int, number: int) -> None:
    call.board.readout.start_stream(first, second, number, call.now)


def _shape(call: Call, ch: int, pre: int, n: int) -> None:
    call.board.readout.set_shape(ch, pre, n)


def _threshold(kind: TriggerKind) -> Callable[[Call, int, int], None]:
    return lambda call, ch, threshold: call.board.readout.set_threshold(ch, kind, threshold, call.now)


def _enable(kind: TriggerKind) -> Callable[[Call, int], None]:
    return lambda call, ch: call.board.readout.enable(ch, kind, call.now)


def _disable(call: Call, ch: int) -> None:
    call.board.readout.disable(ch, call.now)


def _set_coefficients(call: Call, ch: int, *coefficients: int) -> None:
    call.board.readout.set_coefficients(ch, coefficients, call.now)


def _print_coefficients(call: Call, ch: int) -> None:
    call.say(" ".join(str(value) for value in call.board.readout.coefficients(ch)))


def _enable_scalers(call: Call, ch: int, us: int, cycles: int) -> None:
    if not 0 < us <= 1 << 31 or not 0 <= cycles <= 1 << 31:
        raise Refused("bad period")
    call.board.channels[ch].enable_scaler(us, cycles, call.now)


def _scaler_count(call: Call, ch: int) -> int:
    return call.board.channels[ch].scaler_count(call.now)


def _take_one(kind: TriggerKind, with_threshold: bool) -> Callable[..., None]:
    """One record now, read with `readDEggWfmStream` or as a block."""

    def act(call: Call, ch: int, *threshold: int) -> None:
        if with_threshold:
            call.board.readout.set_threshold(ch, kind, threshold[0], call.now)
        call.board.readout.enable(ch, kind, call.now)

    return act


def _baseline(call: Call, ch: int) -> None:
    """A line through the baseline at two settings of its DAC, as the public client takes it."""
    channel = call.board.channels[ch]
    readings: list[float] = []
    settings = (10_000, 40_000)
    for setting in settings:
        channel.set_dac(setting)
        readings.append(channel.baseline_counts())
    slope = (readings[1] - readings[0]) / (settings[1] - settings[0])
    channel.set_dac(call.board.dacs.get(ch, DEFAULT_BASELINE_DAC))
    line = {"slope": slope, "intercept": readings[0] - slope * settings[0], "isValid": True}
    call.say(json.dumps(line))


def _timing(call: Call) -> None:
    call.say(json.dumps({"isValid": True}))


def _fpga(name: str, effect: str, about: str, act: Callable[..., Given]) -> Word:
    return Word(name, effect, about, act, needs_fpga=True)


READOUT: Final[Sequence[Word]] = (
    _fpga(
        "setDEggConstReadout",
        "ch pre n --",
        "Shape of the records: n samples, pre chooses how many before the trigger.",
        _shape,
    ),
    _fpga(
        "startDEggWfmStream",
        "first second number --",
        "Starts streaming: 0 threshold, 1 software, 2 external, 3 dual, 4 FIR, 5 dual FIR.",
        _start,
    ),
    _fpga(
        "setDEggADCTriggerThreshold",
        "ch threshold --",
        "Threshold in counts, baseline included.",
        _threshold("threshold"),
    ),
    _fpga(
        "setDEggTriggerConditions",
        "ch threshold --",
        "The same, as older clients call it.",
        _threshold("threshold"),
    ),
    _fpga(
        "setDEggFIRTriggerThreshold",
        "ch threshold --",
        "Threshold of the filter's output.",
        _threshold("fir"),
    ),
    _fpga(
        "setDEggFIRCoefficients", f"ch {_COEFFICIENTS} --", "Coefficients of the filter.", _set_coefficients
    ),
    _fpga("printDEggFIRCoefficients", "ch --", "Prints them.", _print_coefficients),
    _fpga("enableDEggADCTrigger", "ch --", "Arms a channel on its threshold.", _enable("threshold")),
    _fpga("enableDEggTrigger", "ch --", "The same, as older clients call it.", _enable("threshold")),
    _fpga("enableDEggFIRTrigger", "ch --", "Arms a channel on its filter.", _enable("fir")),
    _fpga(
        "enableDEggExternalTrigger",
        "ch --",
        "Arms a channel on the calibration trigger.",
        _enable("external"),
    ),
    _fpga("disableDEggTriggers", "ch --", "Disarms a channel.", _disable),
    _fpga(
        "enableScalers",
        "ch us cycles --",
        "Counts in periods, with a dead time in clock cycles.",
        _enable_scalers,
    ),
    _fpga("getScalerCount", "ch -- count", "Count of the last full period.", _scaler_count),
    _fpga(
        "readDEggChargeBlock", "n backward forward --", "Sends n bytes of charge stamps, 14 each.", _charges
    ),
    _fpga(
        "readDEggChargeBlockFixed", "n first last --", "The same, summed over fixed samples.", _fixed_charges
    ),
    _fpga("readDEggWfmBlock", "n --", "Sends n bytes of waveforms.", _waveforms),
    _fpga("readDEggWfmStream", "--", "Sends the word count of a waveform, then by turns its words.", _stream),
    _fpga("testDEggCPUTrig", "ch --", "Arms a channel on software triggers.", _take_one("software", False)),
    _fpga(
        "testDEggThresholdTrig",
        "ch threshold --",
        "Arms a channel on a threshold.",
        _take_one("threshold", True),
    ),
    _fpga("testDEggFIRTrig", "ch threshold --", "Arms a channel on its filter.", _take_one("fir", True)),
    _fpga(
        "testDEggExternalTrig",
        "ch --",
        "Arms a channel on the calibration trigger.",
        _take_one("external", False),
    ),
    _fpga("calibrateDEggBaseline", "ch --", "Prints the baseline as a line over its DAC, JSON.", _baseline),
    _fpga("calibrateDEggCh0Timing", "--", "Prints that the digitiser's timing is good, JSON.", _timing),
    _fpga("calibrateDEggCh1Timing", "--", "Prints that the digitiser's timing is good, JSON.", _timing),
    _fpga(
        "isHitBufferOverflown",
        "-- flag",
        "Whether events were lost.",
        lambda call: int(any(channel.overflown for channel in call.board.channels)),
    ),
    _fpga(
        "isDEggHitBufferEmpty",
        "-- flag",
        "0 while a channel is armed.",
        lambda call: int(not call.board.readout.armed),
    ),
    _fpga("stopHitBuffer", "--", "Accepted.", lambda _call: None),
)
