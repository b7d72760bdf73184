"""Dark rates by the scalers: `measure_scaler`, and their analysis (fat.md section 7)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.dark_rate import MOST_FIR_HZ, DarkRate, dark_rate, flood_hz, judged
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station.data_files import file_name, read, write
from fat.degg.station.module import Module
from fat.degg.tasks.hv_quality import hv_quantities, hv_sentences
from fat.degg.tasks.named_temperature import celsius_as_it_begins
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt
from fat.degg.tasks.recorded import Recorded, with_data
from fat.degg.tasks.thresholds import STANDARD_PE, filtered, level
from fat.errors import FatError
from scheduler import TaskContext, TaskResult

NAME: Final = "DarkrateScalerMeasurement"
PERIODS: Final = 5000
PERIOD_MS: Final = 100
DEAD_CYCLES: Final = 24


class ScalerFloods(FatError):
    """A filtered scaler counts more than any photomultiplier makes."""

    def __init__(self, pmt: str, rate_hz: float) -> None:
        super().__init__(
            f"{pmt}: its filtered scaler counts {rate_hz:.0f} Hz, more than {MOST_FIR_HZ:.0f}; "
            "is the baseline set, and the threshold above it?"
        )


def measure_scaler(
    context: TaskContext,
    comment: str,
    n_jobs: int = 4,
    use_fir: bool = True,
    threshold_pe: float = STANDARD_PE,
    periods: int = PERIODS,
    period_ms: int = PERIOD_MS,
) -> TaskResult:
    """Count pulses in the dark at the high voltage of a gain of 1e7.

    use_fir       by the filtered trigger; else by the ADC's, which counts electronic noise as well
    threshold_pe  in photoelectrons
    periods       of *period_ms* each
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        parameters = {"Fir": use_fir, "ThresholdPe": threshold_pe, "Periods": periods, "PeriodMs": period_ms}
        papers = Papers(lab, [NAME], "dark_rate", comment, parameters)
        reads = lab.ensure_on([pmt for pmt in lab.all if pmt not in papers.done])
        on = [pmt for pmt, read in reads.items() if read.on]
        celsius = celsius_as_it_begins(context, lab.temperatures(), comment)
        counts = count(lab, on, periods, period_ms, use_fir=use_fir, pe=threshold_pe)
        for pmt, found in counts.items():
            if use_fir and (rate_hz := flood_hz(found, period_ms / 1e3)) is not None:
                raise ScalerFloods(pmt.name, rate_hz)
            told = {
                "device": pmt.device.serial,
                "part": pmt.part,
                "pmt": pmt.entry.serial,
                "channel": pmt.channel,
                "hv": pmt.entry.hv,
                "hv_read": reads[pmt].mean,
                "temperature_c": celsius,
                "fir": use_fir,
                "threshold_pe": threshold_pe,
                "period_s": period_ms / 1e3,
                "dead_cycles": DEAD_CYCLES,
                "task": context.task_id,
            }
            write(papers.folder / file_name(pmt.file_serial, pmt.entry.hv), {"counts": found}, told)
        papers.conclude(
            {pmt: {"HV": pmt.entry.hv, "Temperature": round(celsius, 2)} for pmt in counts},
            {pmt: "; ".join(reads[pmt].faults(None)) for pmt in reads.keys() - set(on)},
        )
        lab.warn("Dark rate", hv_sentences(reads))
        outputs = {"folder": str(papers.folder), "measured": len(on) + len(papers.done)}
        return conclude(context, hv_quantities(reads, celsius), outputs=outputs)


def count(
    lab: Photomultipliers,
    pmts: Sequence[Pmt],
    periods: int,
    period_ms: int,
    *,
    use_fir: bool = True,
    pe: float = STANDARD_PE,
) -> dict[Pmt, NDArray[np.int64]]:
    """Counts (periods) of some photomultipliers; all count at the same time."""
    baselines: Mapping[Pmt, float] = dict.fromkeys(pmts, math.nan)
    if not use_fir:
        baselines = lab.each(
            pmts, lambda module, members: {pmt: module.baseline(pmt.channel) for pmt in members}
        )
    thresholds: dict[Module, dict[int, int]] = {}
    for pmt in pmts:
        value = filtered(pmt, pe) if use_fir else level(pmt, baselines[pmt], pe)
        thresholds.setdefault(pmt.module, {})[pmt.channel] = value
    counts = lab.station.count_scalers(
        thresholds,
        periods,
        trigger="fir" if use_fir else "threshold",
        period_us=period_ms * 1000,
        dead_cycles=DEAD_CYCLES,
        jobs=lab.jobs,
        progress=lambda done, total: lab.context.progress(done, total, "counting"),
    )
    return {pmt: counts[pmt.module][pmt.channel] for pmt in pmts}


def analyse_dark_rate(context: TaskContext) -> TaskResult:
    """Rates of the latest scaler measurements, against the limits for their temperature."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    alarms: list[str] = []
    support = set()
    for one in with_data(context, NAME):
        rate, celsius, fir = _rate_of(one)
        quantities.append(rate_quantity(one, rate.rate_hz, celsius, standard=fir and _standard(one)))
        if one.folder is None:
            continue
        support.add(one.folder)
        graphs += _graph(one, celsius)
        one.device.note(
            one.pmt.channel, one.key, DarkRate=round(rate.rate_hz, 2), Error=round(rate.error_hz, 2)
        )
        if celsius is not None and judged(rate.rate_hz, celsius, "fir" if fir else "adc") == "alarm":
            alarms.append(f"{one.name}: dark rate {rate.rate_hz:.0f} Hz at {celsius:.0f} C")
    if alarms:
        context.notify("\n".join(["Dark rate:", *alarms]), severity="warning")
    return conclude(context, quantities, graphs=graphs, support=sorted(support), outputs={"alarms": alarms})


def rate_quantity(one: Recorded, rate_hz: float, celsius: float | None, *, standard: bool) -> Quantity:
    """A dark rate. *standard*: filtered, at 0.25 photoelectrons, where goalposts speak."""
    goalposts = (
        "average-darknoise-at-freezing-temp",
        "average-darknoise-at-freezing-temp-red",
        "average-darknoise-at-20-freezing-temp",
        "darknoise-alarm-cool",
        "darknoise-alarm-warm",
    )
    return Quantity(
        one.device.serial,
        one.pmt.part,
        "darknoise",
        "dark-rate",
        rate_hz,
        "Hz",
        "dark rate, corrected for dead time",
        celsius,
        goalposts if standard else (),
    )


def _standard(one: Recorded) -> bool:
    return one.entry.get("ThresholdPe") == STANDARD_PE


def _rate_of(one: Recorded) -> tuple[DarkRate, float | None, bool]:
    files = one.files()
    if not files:
        return dark_rate(np.zeros(0), 1.0, 0), one.number("Temperature"), bool(one.entry.get("Fir", True))
    file = read(files[-1])
    told: Mapping[str, Any] = file.attributes
    rate = dark_rate(file.arrays["counts"], float(told["period_s"]), int(told["dead_cycles"]))
    return rate, float(told["temperature_c"]), bool(told["fir"])


def _graph(one: Recorded, celsius: float | None) -> Iterator[Graph]:
    file = read(one.files()[-1])
    counts = file.arrays["counts"]
    low, high = int(counts.min()), int(counts.max())
    step = max(1, math.ceil((high - low + 1) / 60))
    edges = np.arange(low, high + step + 1, step) - 0.5
    seen, _ = np.histogram(counts, edges)
    yield Graph(
        one.device.serial,
        one.pmt.part,
        "darknoise",
        "scaler-counts",
        "Counts of a scaler period",
        f"counts in {float(file.attributes['period_s']) * 1e3:g} ms",
        "periods",
        edges,
        seen,
        "steps",
        text=f"{counts.mean() / float(file.attributes['period_s']):.0f} Hz counted",
        temperature_c=celsius,
    )
