"""A control unit's detector: counts without light, flat field and bad pixels, thresholds, count rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.detector.analyses.counting import (
    bad_counters,
    dark_rate_hz,
    dead_time,
    non_uniformity,
    threshold_edge,
)
from fat.detector.analyses.linearity import fit_line
from fat.detector.judging import Taken, judged
from fat.detector.series import Series, take_series
from fat.measurement import Measurement
from fat.report import data
from fat.tasks.surroundings import TaskSurroundings
from pipeline.dectris.client import DcuClient
from pipeline.dectris.connection import Connection, connect
from scheduler import TaskContext, TaskResult

DEVICE: Final = "DCU"
GAP: Final = 1
"""Bit of the pixel mask where no sensor is (SIMPLON API reference)."""
THRESHOLD: Final = "threshold_energy"
FINE: Final = np.linspace(0.4, 1.4, 201)
"""Thresholds at which a fitted curve is drawn."""
FAR_ABOVE: Final = 3.9
"""Threshold over photon energy above which nothing of the beam counts, harmonics of three times the energy included."""
DARK: Final = Measurement("dcu_dark_rate", "Hz", "Counts of a good pixel each second with nothing to count")
FLAT_RAW: Final = Measurement("dcu_response_spread", "%", "Spread of the pixels' responses, uncorrected")
FLAT: Final = Measurement("dcu_non_uniformity", "%", "Spread of a flat field after the unit's correction")
UNMASKED: Final = Measurement("dcu_bad_unmasked", "1", "Bad pixels that the unit's mask does not name")
MASKED: Final = Measurement("dcu_masked", "%", "Pixels that the unit's mask names, gaps left out")
EDGE: Final = Measurement("dcu_threshold_edge", "1", "Threshold at which photons vanish, over their energy")
WIDTH: Final = Measurement("dcu_energy_resolution", "%", "Width of that edge, of the photon energy")
ENERGY: Final = Measurement(
    "dcu_threshold_linearity", "%", "Largest distance of the edges from a line in energy"
)
DEAD: Final = Measurement("dcu_dead_time", "ns", "Dead time of a pixel")
RATE: Final = Measurement("dcu_rate_linearity", "%", "Largest distance from a straight line after correction")


@contextmanager
def unit_of(context: TaskContext) -> Iterator[tuple[TaskSurroundings, Mapping[str, Any], Connection]]:
    """A connection to the bench's control unit, and what the plan says of it. Its corrections are on afterwards."""
    here = TaskSurroundings(context)
    told = here.parameters["dcu"]
    name = str(told["device"])
    with connect(here.address(f"{name}.api"), here.address(f"{name}.stream")) as connection:
        try:
            yield here, told, connection
        finally:
            correct(connection.client)


def correct(client: DcuClient, *, mask: bool = True, flatfield: bool = True, countrate: bool = True) -> None:
    """Switch the unit's corrections."""
    client.set("pixel_mask_applied", mask)
    client.set("flatfield_correction_applied", flatfield)
    client.set("countrate_correction_applied", countrate)


def can_set_thresholds(client: DcuClient) -> bool:
    """Whether this model lets its thresholds be set: units for electrons do not since release 2023.1."""
    return THRESHOLD in client.keys("config")


def flat_and_dark(context: TaskContext) -> TaskResult:
    """Counts without light, uniformity with it, and the pixels that are bad by either."""
    with unit_of(context) as (_, told, connection):
        client, images = connection.client, int(told["images"])
        frame_s = float(told["frame_time_s"])

        def series() -> Series:
            return take_series(context, connection, images, frame_s, frame_s)

        mask = client.get_array("pixel_mask")
        gaps = (mask & GAP) != 0
        good = mask == 0
        correct(client)
        context.progress(1, 4, "flat field, corrected")
        corrected = series()
        correct(client, mask=False, flatfield=False)
        context.progress(2, 4, "flat field, raw")
        raw = series()
        context.progress(3, 4, "dark")
        dark = _dark(context, client, told, series)
        correct(client)
    counts = np.zeros_like(raw.total) if dark is None else dark.total
    pixels = bad_counters(raw.total, counts, max(1, raw.report.frames), mask, gaps)
    taken = [
        Taken(DEVICE, FLAT_RAW, 100.0 * non_uniformity(raw.total, good)),
        Taken(DEVICE, FLAT, 100.0 * non_uniformity(corrected.total, good)),
        Taken(DEVICE, UNMASKED, pixels.unmasked),
        Taken(DEVICE, MASKED, 100.0 * pixels.masked / max(1, int(np.count_nonzero(~gaps)))),
    ]
    if dark is not None:
        exposed_s = max(1, dark.report.frames) * frame_s
        taken.insert(0, Taken(DEVICE, DARK, dark_rate_hz(dark.total, good, exposed_s)))
    relative = np.where(good, corrected.total / max(1.0, float(corrected.total[good].mean())), np.nan)
    kinds = np.where(gaps, np.nan, (mask != 0).astype(np.float32))
    data.save(context.run_dir, "dcu_flat", relative=relative.astype(np.float32), mask=kinds)
    return judged(
        context, taken, {"blind": pixels.blind, "hot": pixels.hot, "images": images}, limits=told["limits"]
    )


def _dark(context: TaskContext, client: DcuClient, told: Mapping[str, Any], series: Any) -> Series | None:
    """A series in which nothing of the beam is above the threshold; None where the unit cannot set it so far."""
    if not can_set_thresholds(client):
        context.note("the thresholds of this model are fixed: no dark without a shutter, so none was taken")
        return None
    energy_ev = float(client.get("photon_energy"))
    try:
        client.set("photon_energy", min(told["photon_energies_ev"]))
        client.set(THRESHOLD, FAR_ABOVE * min(told["photon_energies_ev"]))
        taken: Series = series()
        return taken
    finally:
        client.set("photon_energy", energy_ev)


def thresholds(context: TaskContext) -> TaskResult:
    """Scan the threshold at each photon energy: where photons vanish, how sharply, and in line with the energy."""
    with unit_of(context) as (_, told, connection):
        client = connection.client
        if not can_set_thresholds(client):
            context.note("the thresholds of this model are fixed: there is nothing to scan")
            return judged(context, (), {"scanned": False}, limits=told["limits"])
        energy_before = float(client.get("photon_energy"))
        good = client.get_array("pixel_mask") == 0
        energies = [float(energy) for energy in told["photon_energies_ev"]]
        shares = np.array(told["thresholds"], np.float64)
        try:
            scans = [np.array(_scan(context, connection, told, energy, good)) for energy in energies]
        finally:
            client.set("photon_energy", energy_before)
    edges = [threshold_edge(shares, scan) for scan in scans]
    taken = [
        Taken(DEVICE, EDGE, edges[0].at),
        Taken(DEVICE, WIDTH, 100.0 * max(edge.width for edge in edges)),
    ]
    if len(energies) > 1:
        line = fit_line(
            np.array(energies), np.array([e * edge.at for e, edge in zip(energies, edges, strict=True)])
        )
        taken.append(Taken(DEVICE, ENERGY, 100.0 * line.worst))
    data.save(
        context.run_dir,
        "dcu_thresholds",
        shares=shares,
        energies=np.array(energies),
        counts=np.array(scans),
        fine=FINE,
        fitted=np.array([edge.curve(FINE) for edge in edges]),
        edges=np.array([edge.at for edge in edges]),
    )
    return judged(
        context,
        taken,
        {"scanned": True, "edges": [round(edge.at, 5) for edge in edges]},
        limits=told["limits"],
    )


def _scan(
    context: TaskContext,
    connection: Connection,
    told: Mapping[str, Any],
    energy_ev: float,
    good: NDArray[np.bool_],
) -> list[float]:
    client, frame_s = connection.client, float(told["frame_time_s"])
    client.set("photon_energy", energy_ev)
    counts = []
    for number, share in enumerate(told["thresholds"], start=1):
        client.set(THRESHOLD, share * energy_ev)
        taken = take_series(context, connection, int(told["images"]), frame_s, frame_s)
        counts.append(taken.of_image(good))
        context.progress(number, len(told["thresholds"]), f"threshold at {share:g} of {energy_ev:g} eV")
    return counts


def count_rate(context: TaskContext) -> TaskResult:
    """Raise the count rate: what is lost in dead time, and what the unit's correction leaves of it.

    Where an image gets the same light whatever its count time, a shorter one is a higher rate.
    """
    with unit_of(context) as (_, told, connection):
        client = connection.client
        good = client.get_array("pixel_mask") == 0
        times = np.array(sorted(told["count_times_s"], reverse=True), np.float64)
        counted: dict[bool, list[float]] = {False: [], True: []}
        for corrected, counts in counted.items():
            correct(client, countrate=corrected)
            for number, count_s in enumerate(times, start=1):
                series = take_series(
                    context, connection, int(told["images"]), float(count_s), float(told["frame_time_s"])
                )
                counts.append(series.of_image(good))
                context.progress(number, len(times), f"{count_s:g} s{', corrected' if corrected else ''}")
    raw, corrected_counts = np.array(counted[False]), np.array(counted[True])
    # The slowest point loses nothing worth mentioning, and tells the light.
    light = np.full(len(times), corrected_counts[0])
    if told["light"] == "per_second":
        light = light * times / times[0]
    lost = dead_time(light / times, raw / times)
    line = fit_line(light / times, corrected_counts / times)
    taken = [Taken(DEVICE, DEAD, 1e9 * lost.seconds), Taken(DEVICE, RATE, 100.0 * line.worst)]
    data.save(
        context.run_dir,
        "dcu_rate",
        true_hz=light / times,
        raw_hz=raw / times,
        corrected_hz=corrected_counts / times,
        dead_time_s=np.array(lost.seconds),
    )
    return judged(
        context, taken, {"highest_hz": float(f"{(light / times).max():.4g}")}, limits=told["limits"]
    )
