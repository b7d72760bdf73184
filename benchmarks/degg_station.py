"""What the clients of the optical modules cost: `python benchmarks/degg_station.py [--quick]`.

Decoding alone, from memory, in processor time; then a laboratory in skip mode with two modules: events of both channels
by one console, in wall time, simulated module included; questions; all of it by the station's own words.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fat.bench.client import ClockClient
from fat.bench.owned import OwnedBench
from fat.degg.station import HV_SETTLING_S, Module, Station
from fat.degg.station.acquisition import fir_threshold
from fat.degg.station.bench_time import BenchTime
from fat.degg.station.records import STAMP, read_stamps, read_waveforms, record_bytes

BENCH = """
[bench]
name = "station"
seed = 5
data_dir = "unused"
[sim.clock]
mode = "skip"
[sim.devices.lab]
kind = "lab"
modules = { count = 2 }
"""
SAMPLES = 128
LIGHT_COUNTS, DARK_COUNTS = 25, 12


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the events")
    events = 1000 if parser.parse_args().quick else 10_000
    print(f"decode a waveform of {SAMPLES} samples   {decode_waveforms(events):8.2f} us")
    print(f"decode a charge stamp               {decode_stamps(events):8.2f} us")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lab.toml"
        file.write_text(BENCH)
        with (
            OwnedBench(file, data_dir=Path(folder) / "data", log=Path(folder) / "bench.log") as bench,
            ClockClient(bench.endpoints["clock"], "benchmark") as clock,
        ):
            clocked = BenchTime(clock)
            with Station(bench.endpoints, clocked.wait, spend_s=clocked.spend) as station:
                at_a_module(station, events)


def decode_waveforms(events: int) -> float:
    """Microseconds of processor time for each."""
    words = np.zeros((events, record_bytes(SAMPLES) // 2), "<u2")
    words[:, 0], words[:, 2] = record_bytes(SAMPLES) // 2 - 2, 0x8200
    block = words.tobytes()
    return _each(lambda: read_waveforms(block, SAMPLES), events)


def decode_stamps(events: int) -> float:
    """Microseconds of processor time for each."""
    records = np.zeros(events, STAMP)
    records["version"] = 0x10
    block = records.tobytes()
    return _each(lambda: read_stamps(block), events)


def _each(work: Callable[[], object], events: int) -> float:
    work()
    began = time.process_time()
    for _ in range(20):
        work()
    return (time.process_time() - began) / 20 / events * 1e6


def at_a_module(station: Station, events: int) -> None:
    """Events of both channels, and questions."""
    module = station.modules[5000]
    station.wire_pairs[5000].permit_hv()
    for channel in (0, 1):
        module.enable_hv(channel)
        module.set_hv(channel, 1450)
    station.wait(HV_SETTLING_S)
    levels = [round(module.baseline(channel)) for channel in (0, 1)]
    thresholds = [level + LIGHT_COUNTS for level in levels]
    filtered = [fir_threshold(DARK_COUNTS)] * 2
    module.waveforms(100, thresholds=thresholds)  # the first use of the simulator's kernels
    module.charge_stamps(100, thresholds=filtered, trigger="fir")
    _timed("waveforms", 2 * events, lambda: module.waveforms(events, thresholds=thresholds))
    _timed(
        "charge stamps", 2 * events, lambda: module.charge_stamps(events, thresholds=filtered, trigger="fir")
    )
    _timed("fpgaVersion", 200, lambda: [module.fpga_version() for _ in range(200)])
    modules = list(station.modules.values())
    _timed("slow ADC of a module", 50 * len(modules), lambda: _slow(station, modules))


def _slow(station: Station, modules: list[Module]) -> None:
    for _ in range(50):
        station.each(modules, Module.slow_adc_all)


def _timed(what: str, count: int, work: Callable[[], object]) -> None:
    began = time.perf_counter()
    work()
    print(f"{what:<36}{(time.perf_counter() - began) / count * 1e6:8.1f} us")


if __name__ == "__main__":
    main()
