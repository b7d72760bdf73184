"""A module's twelve LEDs, one at a time, at ten biases, seen by its lower photomultiplier (fat.md section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.flasher import (
    BIASES,
    FIRST_SAMPLE,
    LAST_SAMPLE,
    LEDS,
    Flasher,
    flasher,
    mean_charge,
)
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station import ChargeStamps, Module, StationError
from fat.degg.station.acquisition import Window
from fat.degg.station.data_files import file_name, write
from fat.degg.tasks.laser import bring_up, told
from fat.degg.tasks.light_files import LightFile, light_files
from fat.degg.tasks.named_temperature import celsius_as_it_begins
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers
from scheduler import TaskContext, TaskResult
from scheduler.declared import declares

LOWER: Final = 0
"""Channel of the photomultiplier that sees the flasher."""
NAME: Final = "FlasherCheck"
EVENTS: Final = 500
RETRIES: Final = 10
SAMPLES: Final = 300
"""Of a record: the light falls in samples 135 to 160."""
PERIOD_US: Final = 1000


@declares(needs={"laser": "off"}, lasts_s=600.0)
def measure_baseline_flasher(
    context: TaskContext, comment: str, n_jobs: int = 4, events: int = EVENTS, steps: int = len(BIASES)
) -> TaskResult:
    """Charges of each LED at each bias; flashers are off afterwards, whatever happens.

    events  charge stamps of each LED at each bias
    steps   so many biases, from the lowest on
    """
    biases = BIASES[:steps]
    with Photomultipliers.of(context, n_jobs) as lab:
        lab.all = [pmt for pmt in lab.all if pmt.channel == LOWER]
        parameters = {"Events": events, "Biases": list(biases)}
        papers = Papers(lab, [NAME], "flasher_chargestamp", comment, parameters)
        celsius = celsius_as_it_begins(context, lab.temperatures(), comment)
        bring_up(lab, "Flasher")
        for module in lab.modules:
            pair, address = lab.station.wire_pair_of(module)
            pair.permit_light(device=address)
        shape = LEDS, len(biases), events
        charges = {module: np.full(shape, np.nan, np.float32) for module in lab.modules}
        try:
            for led, step in np.ndindex(*shape[:2]):
                context.progress(led * len(biases) + step, LEDS * len(biases), f"LED {led + 1}")
                _one_setting(lab, led, step, charges)
        finally:
            lab.station.each(lab.modules, lambda module: module.flash_off(), lab.jobs)
        for pmt in lab.all:
            about = told(
                pmt, celsius, context.task_id, biases=list(biases), window=[FIRST_SAMPLE, LAST_SAMPLE]
            )
            path = papers.folder / file_name(pmt.file_serial, pmt.entry.hv)
            write(path, {"charge": charges[pmt.module]}, about)
            papers.complete(pmt)
        return TaskResult(outputs={"folder": str(papers.folder), "photomultipliers": len(lab.all)})


def _one_setting(
    lab: Photomultipliers, led: int, step: int, charges: dict[Module, NDArray[np.float32]]
) -> None:
    """One LED at one bias, at all modules."""

    def work(module: Module) -> ChargeStamps:
        return _flashed(module, led, BIASES[step], charges[module].shape[2])

    found = lab.station.each(lab.modules, work, lab.jobs)
    lab.station.spend(max((stamps.span_s for stamps in found.values()), default=0.0))
    for module, stamps in found.items():
        charges[module][led, step, : len(stamps)] = stamps.charge


def _flashed(module: Module, led: int, bias: int, events: int) -> ChargeStamps:
    """Charges in a fixed window after each flash of one LED; tried again when the module does not give them."""
    for left in reversed(range(RETRIES + 1)):
        try:
            module.flash(1 << led, bias, PERIOD_US)
            return module.charge_stamps(
                events,
                channels=(LOWER,),
                thresholds=(0,),
                trigger="external",
                window=Window(FIRST_SAMPLE, LAST_SAMPLE, fixed=True),
                samples=SAMPLES,
            )[LOWER]
        except StationError:
            if not left:
                raise
    raise AssertionError("every try returns or raises")


def analyse_flasher(context: TaskContext) -> TaskResult:
    """Count the LEDs that work and name those that do not, from the newest files."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    for file in light_files(context, NAME, channels=(LOWER,)):
        result = None if file.data is None else _judge(file.data.arrays["charge"])
        dead = () if result is None else result.dead
        named = ", ".join(map(str, dead))
        about = "LEDs of the flasher that work" + (f"; without light: LED {named}" if dead else "")
        working = float("nan") if result is None else float(result.working.sum())
        quantities.append(file.quantity("luminosity", "number-of-flasher-leds-working", working, "1", about))
        if dead:
            context.notify(f"Flasher: {file.serial}: LED {named} gives no light", severity="warning")
        if result is not None and file.data is not None:
            file.note(WorkingLeds=int(working), DeadLeds=list(dead))
            graphs.append(_graph(file, result, file.data.attributes["biases"]))
    return conclude(context, quantities, graphs=graphs)


def _judge(charges: NDArray[np.float32]) -> Flasher:
    means = np.full(charges.shape[:2], np.nan)
    errors = means.copy()
    for led, step in np.ndindex(*means.shape):
        one = charges[led, step]
        means[led, step], errors[led, step] = mean_charge(one[np.isfinite(one)].astype(np.float64))
    return flasher(means, errors)


def _graph(file: LightFile, result: Flasher, at: Sequence[int]) -> Graph:
    """The mean of all LEDs that work, the brightest and the faintest of them, and those that do not."""
    biases = np.asarray(at, np.float64)
    working = result.mean_pc[result.working]
    curves = {f"LED {led}, dead": (biases, np.nan_to_num(result.mean_pc[led - 1])) for led in result.dead}
    if working.size:
        order = np.argsort(working[:, -1])
        curves |= {"brightest": (biases, working[order[-1]]), "faintest": (biases, working[order[0]])}
    return Graph(
        file.serial,
        file.part,
        "luminosity",
        "flasher",
        "Charge of the flasher's LEDs",
        "bias / DAC",
        "charge / pC",
        biases,
        working.mean(axis=0) if working.size else np.zeros(biases.size),
        curves=curves,
        text=f"{int(result.working.sum())} of {LEDS} work",
        temperature_c=file.celsius,
    )
