"""A module's twelve LEDs, one at a time, at ten biases, seen by its lower photomultiplier (fat.md section 7)."""

from __future__ import annotations

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
from fat.degg.station.board import BASELINE_DAC
from fat.degg.station.data_files import file_name, write
from fat.degg.tasks.light_files import Found, latest_files
from fat.degg.tasks.light_session import LOWER, LightSession, light_session
from scheduler import TaskContext, TaskResult
from scheduler.declared import declares

NAME: Final = "FlasherCheck"
EVENTS: Final = 500
RETRIES: Final = 10
SAMPLES: Final = 300
"""Of a record: the light falls in samples 135 to 160."""
PERIOD_US: Final = 1000


@declares(needs={"laser": "off"}, lasts_s=600.0)
def measure_baseline_flasher(
    context: TaskContext, comment: str, n_jobs: int = 4, events: int = EVENTS
) -> TaskResult:
    """Charges of each LED at each bias; flashers are off afterwards, whatever happens."""
    with light_session(context, n_jobs) as session:
        keys = session.begin(NAME, comment, channels=(LOWER,), Events=events, Biases=list(BIASES))
        session.high_voltage(BASELINE_DAC, channels=(LOWER,))
        session.each(lambda module: _permit(session, module))
        charges = {module.port: np.full((LEDS, len(BIASES), events), np.nan, np.float32) for module in session.modules}
        try:
            for led in range(LEDS):
                context.progress(led, LEDS, f"LED {led + 1}")
                for step, bias in enumerate(BIASES):
                    found = session.each(lambda module, led=led, bias=bias: _flashed(module, led, bias, events))
                    session.station.wait(max((stamps.span_s for stamps in found.values()), default=0.0))
                    for module, stamps in found.items():
                        charges[module.port][led, step, : len(stamps)] = stamps.charge
        finally:
            session.each(lambda module: module.flash_off())
        folder = session.folder("flasher_chargestamp")
        for pmt in session.pmts:
            if pmt.channel == LOWER:
                about = session.about(pmt, biases=list(BIASES), window=[FIRST_SAMPLE, LAST_SAMPLE])
                write(folder / file_name(pmt.serial, pmt.hv), {"charge": charges[pmt.module.port]}, about)
                pmt.device.complete(LOWER, keys[pmt.module.port, LOWER], folder)
    return TaskResult(outputs={"folder": str(folder)})


def _permit(session: LightSession, module: Module) -> None:
    pair, address = session.station.wire_pair_of(module)
    pair.permit_light(device=address)


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
    entries = [(found, _judge(found)) for found in latest_files(context, NAME, channels=(LOWER,))]
    quantities = []
    for found, result in entries:
        dead = ", ".join(map(str, result.dead))
        about = "LEDs of the flasher that work" + (f"; dead: LED {dead}" if dead else "")
        name = "number-of-flasher-leds-working"
        quantities.append(
            Quantity(
                found.device.serial, found.part, "luminosity", name, float(result.working.sum()), "1", about,
                goalposts=(name,),
            )  # fmt: skip
        )
        found.device.note(LOWER, found.key, WorkingLeds=int(result.working.sum()), DeadLeds=list(result.dead))
        if dead:
            context.notify(f"{found.device.serial}: LED {dead} of the flasher gives no light", severity="warning")
    graphs = [_graph(found, result) for found, result in entries]
    return conclude(context, quantities, graphs=graphs, support=[found.data.path for found, _ in entries])


def _judge(found: Found) -> Flasher:
    charges = found.data.arrays["charge"]
    means = np.full(charges.shape[:2], np.nan)
    errors = means.copy()
    for led, step in np.ndindex(*means.shape):
        one: NDArray[np.float32] = charges[led, step]
        means[led, step], errors[led, step] = mean_charge(one[np.isfinite(one)])
    return flasher(means, errors)


def _graph(found: Found, result: Flasher) -> Graph:
    """The mean of all LEDs, and each as a curve."""
    biases = np.asarray(BIASES, np.float64)
    working = result.mean_pc[result.working]
    mean = working.mean(axis=0) if working.size else np.zeros(biases.size)
    return Graph(
        found.device.serial, found.part, "luminosity", "flasher", "Charge of the flasher's LEDs", "bias / DAC",
        "charge / pC", biases, mean,
        curves={f"LED {led + 1}": (biases, np.nan_to_num(row)) for led, row in enumerate(result.mean_pc)},
        text=f"{int(result.working.sum())} of {LEDS} work",
    )  # fmt: skip
