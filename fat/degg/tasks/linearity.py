"""Linearity: ten strengths of the laser's light (fat.md section 7), measured, and analysed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.linearity import (
    CHARGE_AT_PE,
    CURRENT_AT_MA,
    STRENGTHS,
    THRESHOLDS,
    LightStep,
    Linearity,
    light_step,
    linearity,
    output_range,
    saturated,
)
from fat.degg.analyses.pulses import TOP, Pulses, pulses_in
from fat.degg.records.device_file import DeviceFile
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station import Module, Waveforms
from fat.degg.station.data_files import DataFile, file_name, read, write
from fat.degg.tasks.light_files import latest_files
from fat.degg.tasks.light_session import (
    LASER_HZ,
    LightSession,
    Pmt,
    counts_over,
    laser_on,
    light_session,
    longest_span,
)
from scheduler import TaskContext, TaskResult
from scheduler.declared import declares

NAME: Final = "LinearityMeasurement"
DAC: Final = 5000
"""A low baseline: large pulses find room."""
EVENTS: Final = 5000
FILTERS: Final = (
    (1.0, 0.01),
    (0.05, 0.5),
    (0.05, 1.0),
    (1.0, 0.1),
    (0.25, 0.5),
    (0.32, 0.5),
    (0.25, 1.0),
    (0.32, 1.0),
    (1.0, 0.5),
    (1.0, 1.0),
)
"""Of both wheels, for each of STRENGTHS."""


@declares(leaves={"laser": "off"}, lasts_s=900.0)
def measure_linearity(context: TaskContext, comment: str, n_jobs: int = 4, events: int = EVENTS) -> TaskResult:
    """Take waveforms at ten strengths of light.

    comment  for the papers
    n_jobs   wire pairs that work at a time
    events   waveforms of each photomultiplier at each strength
    """
    with light_session(context, n_jobs) as session:
        keys = session.begin(NAME, comment, Events=events, DacValue=DAC, LaserFreq=LASER_HZ)
        baselines = session.high_voltage(DAC)
        arrays: dict[tuple[int, int], dict[str, NDArray[Any]]] = {key: {} for key in keys}
        with laser_on(session):
            for step, strength in enumerate(STRENGTHS):
                context.progress(step, len(STRENGTHS), f"light {strength:g}")
                session.station.wheels.set(*FILTERS[step])
                session.check_light(LASER_HZ)
                for port, channel, found in _take(session, baselines, THRESHOLDS[step], events):
                    arrays[port, channel] |= _reduced(step, found)
        folder = session.folder("linearity")
        for pmt in session.pmts:
            key = pmt.module.port, pmt.channel
            _write(session, pmt, folder, arrays[key])
            pmt.device.complete(pmt.channel, keys[key], folder)
    return TaskResult(outputs={"folder": str(folder)})


def _take(
    session: LightSession, baselines: Mapping[Module, Mapping[int, float]], threshold: float, events: int
) -> Iterator[tuple[int, int, Waveforms]]:
    found = session.each(
        lambda module: module.waveforms(events, thresholds=counts_over(baselines[module], threshold))
    )
    session.station.wait(longest_span(found))
    for module, by_channel in found.items():
        for channel, waveforms in by_channel.items():
            yield module.port, channel, waveforms


def _reduced(step: int, found: Waveforms) -> dict[str, NDArray[Any]]:
    """What is kept of a step: each record's time, charge and peak, and the mean of all."""
    pulses = pulses_in(found.samples)
    mean = found.samples.mean(axis=0, dtype=np.float64) if len(found) else np.zeros(found.samples.shape[1])
    return {
        f"ticks_{step}": found.ticks,
        f"charge_{step}": pulses.charge_pc.astype(np.float32),
        f"peak_{step}": pulses.peak_ma.astype(np.float32),
        f"clipped_{step}": pulses.clipped,
        f"mean_{step}": (mean - pulses.baseline).astype(np.float32),
    }


def _write(session: LightSession, pmt: Pmt, folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    about = session.about(
        pmt, strengths=list(STRENGTHS), thresholds=list(THRESHOLDS), laser_hz=LASER_HZ, dac=DAC, top=TOP
    )
    write(folder / file_name(pmt.serial, pmt.hv), arrays, about)


def analyse_linearity(context: TaskContext) -> TaskResult:
    """Saturation of each photomultiplier from the newest files; papers and verdicts."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    files = list(latest_files(context, NAME))
    for entry in files:
        steps = steps_of(entry.data)
        found = linearity(steps)
        quantities += _quantities(entry.device, entry.part, entry.data, found)
        if found is None:
            context.notify(
                f"{entry.device.serial} {entry.part}: the laser is seen in {len(steps)} of {len(STRENGTHS)} steps: "
                "check its fibre",
                severity="warning",
            )
            continue
        graphs += _graphs(entry.device, entry.part, found)
        entry.device.note(
            entry.channel,
            entry.key,
            ChargeRatio200pe=found.charge.ratio,
            CurrentRatio10mA=found.current.ratio,
            FitP0=float(found.current.fit.values[0]),
            FitP1=float(found.current.fit.values[1]),
            FitP2=float(found.current.fit.values[2]),
        )
    return conclude(context, quantities, graphs=graphs, support=[entry.data.path for entry in files])


def steps_of(data: DataFile) -> list[LightStep]:
    """The steps of a file in which the laser is seen."""
    found = []
    for step, (strength, threshold) in enumerate(
        zip(data.attributes["strengths"], data.attributes["thresholds"], strict=True)
    ):
        arrays = data.arrays
        pulses = Pulses(
            arrays[f"charge_{step}"].astype(np.float64),
            arrays[f"peak_{step}"].astype(np.float64),
            arrays[f"clipped_{step}"],
            0.0,
        )
        one = light_step(strength, threshold, arrays[f"ticks_{step}"], pulses, data.attributes["laser_hz"])
        if one is not None:
            found.append(one)
    return found


def _quantities(
    device: DeviceFile, part: str, data: DataFile, found: Linearity | None
) -> Iterator[Quantity]:
    dark = "" if found is not None else " (the laser is not seen: check the fibre)"
    for name, ratio, about in (
        ("linearity-charge-ratio-at-200pe", found and found.charge.ratio, f"charge at {CHARGE_AT_PE:g} pe"),
        (
            "linearity-current-ratio-at-10mA",
            found and found.current.ratio,
            f"peak current at {CURRENT_AT_MA:g} mA",
        ),
    ):
        value = float("nan") if ratio is None else ratio
        yield Quantity(
            device.serial, part, "linearity", name, value, "1", f"observed over ideal {about}{dark}",
            goalposts=(name,),
        )  # fmt: skip
    steady = output_range(data.arrays["charge_2"])
    yield Quantity(
        device.serial, part, "luminosity", "average-laser-output-range", steady, "%",
        "how far the laser's light moved at strength 0.05" + dark, goalposts=("average-laser-output-range",),
    )  # fmt: skip


def _graphs(device: DeviceFile, part: str, found: Linearity) -> Iterator[Graph]:
    for name, title, unit, result in (
        ("linearity-charge", "Linearity of the charge", "pe", found.charge),
        ("linearity-current", "Linearity of the peak current", "mA", found.current),
    ):
        ideal = np.geomspace(result.ideal.min(), result.ideal.max(), 60)
        curve = saturated(ideal, result.fit.values)
        yield Graph(
            device.serial,
            part,
            "linearity",
            name,
            title,
            f"ideal / {unit}",
            f"observed / {unit}",
            result.ideal,
            result.observed,
            y_error=result.errors,
            curves={"saturation": (ideal, curve), "ideal": (ideal, ideal)},
            x_scale="log",
            y_scale="log",
            text=f"{result.ratio:.3f} at {result.at:g} {unit}",
        )
