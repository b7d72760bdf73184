"""Analyses of monitoring: `quick_monitoring`, `detailed_monitoring`, `gainscan_monitoring` (limits: fat.md 8, 11)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.monitoring import LEAST_PEAKS, peak_spread_pc
from fat.degg.records.numbering import keys_of
from fat.degg.records.run_file import RunFile
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.tasks import monitoring_constant, monitoring_quick, monitoring_scan
from fat.degg.tasks.hv_quality import SPREAD
from fat.degg.tasks.recorded import Recorded, recorded, settled
from scheduler import TaskContext, TaskResult

PICTURE_EVERY: Final = 10
"""Scans: a loop of the schedule takes an hour."""
ALIKE_C: Final = 2.0
ALIKE_VOLTS: Final = 1.0
"""Peaks are compared at one high voltage and temperature: gain falls by half a per cent for each degree."""


def analyse_quick(context: TaskContext) -> TaskResult:
    """What the latest quick monitoring found, as quantities."""
    quantities: list[Quantity] = []
    for device in RunFile.open(context.parameters["run_file"]).devices():
        entries = settled(context, device.body())
        keys = keys_of(entries, monitoring_quick.NAME)
        if not keys or device.ignored:
            continue
        entry = entries[keys[-1]]
        quantities += _quick(device.serial, entry, float(entry[monitoring_quick.BOX]))
    return conclude(context, quantities)


def _quick(serial: str, entry: Mapping[str, Any], celsius: float) -> Iterator[Quantity]:
    board = float(entry["Temperature"])
    yield Quantity(
        serial, "", "monitoring", "mainboard-temperature", board, "C", "temperature of the mainboard", celsius
    )
    for part, rate in entry["DarkRate"].items():
        about = "dark rate in monitoring"
        yield Quantity(serial, part, "darknoise", "monitoring-dark-rate", rate, "Hz", about, celsius)
        spread = entry["HVSpread"][part] / entry["HV"][part] if entry["HV"][part] else math.nan
        about = "spread of the high voltage's read-back"
        yield Quantity(serial, part, "monitoring", SPREAD, spread, "1", about, celsius, (SPREAD,))


def analyse_detailed(context: TaskContext) -> TaskResult:
    """All monitoring at constant voltage so far: how steady peaks are, how often rates, fits and voltages were bad."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    for one in recorded(context, monitoring_constant.NAME):
        entries = one.all(monitoring_constant.NAME)
        failed = _failed(one)
        if not entries and not failed:
            continue
        quantities += _counted(one, entries, failed)
        alike = _alike(entries)
        peaks = [float(entry["SPEPeak"]) for entry in alike if entry["SPEPeak"] is not None]
        celsius = one.number("Temperature")
        if len(peaks) > 1:
            quantities.append(_spread(one, peaks, celsius))
            graphs.append(_peaks_graph(one, peaks, celsius))
    return conclude(context, quantities, graphs=graphs)


def _failed(one: Recorded) -> int:
    """Entries that have not worked, as a high voltage was off."""
    name = f"{monitoring_constant.NAME}_"
    return sum("Problem" in entry for key, entry in one.pmt.entries.items() if key.startswith(name))


def _counted(one: Recorded, entries: Sequence[Mapping[str, Any]], failed: int) -> Iterator[Quantity]:
    told = (
        ("allowed-high-dark-rate", sum(bool(e["HighRate"]) for e in entries), "dark rates above the alarm"),
        ("monitoring-bad-fits", sum(not e["GoodFit"] for e in entries), "spectra without a peak"),
        (
            "monitoring-high-voltage-problems",
            failed + sum(bool(e["HVProblem"]) for e in entries),
            "high voltage off or unsteady",
        ),
    )
    for name, value, about in told:
        yield _quantity(
            one,
            name,
            float(value),
            "1",
            f"{about}, times in all monitoring",
            one.number("Temperature"),
            (name,),
        )


def _spread(one: Recorded, peaks: Sequence[float], celsius: float | None) -> Quantity:
    """Of few peaks it is kept and not judged."""
    goalposts = ("monitoring-spe-peak-pos-std", "monitoring-spe-peak-pos-std-red")
    about = f"spread of the peak of single photoelectrons in {len(peaks)} monitorings, at a gain of 1e7"
    return _quantity(
        one,
        "monitoring-spe-peak-pos-std",
        peak_spread_pc(peaks),
        "pC",
        about,
        celsius,
        goalposts if len(peaks) >= LEAST_PEAKS else (),
    )


def _quantity(
    one: Recorded,
    name: str,
    value: float,
    unit: str,
    about: str,
    celsius: float | None,
    goalposts: tuple[str, ...],
) -> Quantity:
    return Quantity(
        one.device.serial, one.pmt.part, "monitoring", name, value, unit, about, celsius, goalposts
    )


def _alike(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those at high voltage and temperature of the latest."""
    if not entries:
        return []
    latest = entries[-1]
    return [
        entry
        for entry in entries
        if abs(entry["HV"] - latest["HV"]) <= ALIKE_VOLTS
        and abs(entry["Temperature"] - latest["Temperature"]) <= ALIKE_C
    ]


def _peaks_graph(one: Recorded, peaks: Sequence[float], celsius: float | None) -> Graph:
    return Graph(
        one.device.serial,
        one.pmt.part,
        "monitoring",
        "monitoring-spe-peaks",
        "Peak of single photoelectrons in monitoring",
        "monitoring at this temperature",
        "peak / pC",
        np.arange(1, len(peaks) + 1),
        np.array(peaks),
        text=f"spread {peak_spread_pc(peaks):.4f} pC at a gain of 1e7",
        temperature_c=celsius,
    )


def analyse_gain_scan(context: TaskContext) -> TaskResult:
    """The latest scan of monitoring: high voltage and dark rate, and both against temperature.

    People are shown a picture of all photomultipliers after every tenth scan.
    """
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    scans: dict[str, list[Mapping[str, Any]]] = {}
    for one in recorded(context, monitoring_scan.NAME):
        if not one.key:
            continue
        celsius = one.number("Temperature")
        volts, rate = (one.number(key) for key in ("HV1e7Gain", "DarkRate"))
        quantities.append(
            Quantity(
                one.device.serial,
                one.pmt.part,
                "gain",
                "hv-at-1e7-gain",
                math.nan if volts is None else volts,
                "V",
                "high voltage of a gain of 1e7",
                celsius,
                ("hv-at-1e7-gain",),
            )
        )
        if rate is not None:
            about = "dark rate in monitoring"
            quantities.append(
                Quantity(
                    one.device.serial,
                    one.pmt.part,
                    "darknoise",
                    "monitoring-dark-rate",
                    rate,
                    "Hz",
                    about,
                    celsius,
                )
            )
        entries = one.all(monitoring_scan.NAME)
        graphs += _against_temperature(one, entries)
        if entries:
            scans[f"{one.device.serial} {one.pmt.part}"] = entries
    if scans and max(map(len, scans.values())) % PICTURE_EVERY == 0:
        _show(context, scans)
    return conclude(context, quantities, graphs=graphs)


def _show(context: TaskContext, scans: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    # Late: matplotlib costs a second, and nine of ten analyses draw nothing.
    from fat.degg.figures.slow_monitoring import Track, slow_monitoring

    def column(entries: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
        return np.array([float(entry[key]) for entry in entries])

    tracks = [
        Track(name, *(column(entries, key) for key in ("Temperature", "DarkRate", "HV1e7Gain")))
        for name, entries in scans.items()
    ]
    with TemporaryDirectory() as folder:
        picture = Path(folder) / "slow_monitoring.png"
        picture.write_bytes(slow_monitoring(tracks))
        title = "Dark rates and high voltages against temperature"
        context.notify(
            f"Slow monitoring: {len(tracks)} photomultipliers",
            severity="monitoring",
            picture=picture,
            title=title,
        )


def _against_temperature(one: Recorded, entries: Sequence[Mapping[str, Any]]) -> Iterator[Graph]:
    if not entries:
        return
    celsius = np.array([float(entry["Temperature"]) for entry in entries])
    order = np.argsort(celsius, kind="stable")
    for key, name, title, label, group in (
        ("DarkRate", "dark-rate-temperature", "Dark rate against temperature", "dark rate / Hz", "darknoise"),
        ("HV1e7Gain", "hv-temperature", "High voltage of a gain of 1e7", "high voltage / V", "gain"),
    ):
        values = np.array([float(entry[key]) for entry in entries])
        yield Graph(
            one.device.serial,
            one.pmt.part,
            group,
            name,
            title,
            "temperature of the box / C",
            label,
            celsius[order],
            values[order],
            y_scale="log" if key == "DarkRate" else "linear",
        )
