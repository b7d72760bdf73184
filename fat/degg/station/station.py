"""The laboratory as a task sees it: modules, wire pairs, instruments, and the bench's time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from fat.degg.records.run_file import RunFile
from fat.degg.station.bench_time import BenchTime
from fat.degg.station.freezer import FreezerCamera, FreezerChamber, FreezerKeys
from fat.degg.station.generator import FunctionGenerator
from fat.degg.station.humidity import HumiditySensors
from fat.degg.station.jobs import each, group_of, on_each
from fat.degg.station.module import Module
from fat.degg.station.scalers import count_scalers
from fat.degg.station.scpi import ScpiInstrument
from fat.degg.station.supply import LaserSupply
from fat.degg.station.thermometer import Thermometer
from fat.degg.station.wheels import FilterWheels
from fat.degg.station.wire_pair import COMMAND_OFFSET, WirePair
from fat.errors import UsageError
from scheduler import TaskContext

T = TypeVar("T")

HV_SETTLING_S: Final = 40.0
"""The high voltage ramps 50 V/s."""
TABLETOP_PORTS: Final = 10_000
"""The tabletop mainboard's port is above it, those of the modules are below."""


class Station:
    """Everything that a task gets at. Connections open when they are used; `close` leaves them all.

    endpoints  addresses by name: `degg.5003`, `icm.6000`, `lab.function_generator`, … (docs/lab.md)
    wait_s     lets time pass on the bench's clock
    serials    serial numbers of the modules that belong to the run, by nominal port; None: all modules
    spend_s    lets time have passed since the last wait (`BenchTime.spend`); by default the same as wait_s
    """

    def __init__(
        self,
        endpoints: Mapping[str, Any],
        wait_s: Callable[[float], None],
        serials: Mapping[int, str] | None = None,
        *,
        spend_s: Callable[[float], None] | None = None,
    ) -> None:
        self._endpoints, self._wait_s, self._spend_s = endpoints, wait_s, spend_s or wait_s
        self._pools: dict[int, ThreadPoolExecutor] = {}
        ports = _numbered(endpoints, "degg.")
        consoles = {port: address for port, address in ports.items() if port < TABLETOP_PORTS}
        wanted = dict.fromkeys(consoles, "") if serials is None else serials
        missing = sorted(set(wanted) - set(consoles))
        if missing:
            raise UsageError(
                f"there is no address degg.{missing[0]} for {wanted[missing[0]]}; "
                f"addresses there are for ports {', '.join(map(str, sorted(consoles))) or 'none'}"
            )
        self.modules: Mapping[int, Module] = {
            port: Module(port, consoles[port], serial) for port, serial in sorted(wanted.items())
        }
        """By nominal port, in its order."""
        self.wire_pairs: Mapping[int, WirePair] = {
            port - COMMAND_OFFSET: WirePair(port - COMMAND_OFFSET, address)
            for port, address in _numbered(endpoints, "icm.").items()
        }
        """By base port: 5000, 5004, … and 10000 for the tabletop mainboard."""

    @classmethod
    def of(cls, context: TaskContext, serials: Mapping[int, str] | None = None) -> Self:
        """The laboratory of a task: addresses of its environment, time of its clock.

        serials  default: the modules of the run file that the plan names, without those on its ignore list; all
                 modules that there are when it names none
        """
        if serials is None and "run_file" in context.parameters:
            devices = RunFile.open(str(context.parameters["run_file"])).devices()
            serials = {device.port: device.serial for device in devices if not device.ignored}
        return cls._of(context, serials)

    @classmethod
    def whole(cls, context: TaskContext) -> Self:
        """The laboratory with every module that there is, whatever the run says."""
        return cls._of(context, None)

    @classmethod
    def _of(cls, context: TaskContext, serials: Mapping[int, str] | None) -> Self:
        time = BenchTime(context.clock)
        return cls(context.environment["endpoints"], time.wait, serials, spend_s=time.spend)

    def wait(self, seconds: float) -> None:
        """Let bench time pass: high voltage settles, a scaler counts. Only on the main thread, which owns the clock."""
        _on_main_thread()
        if seconds > 0:
            self._wait_s(seconds)

    def spend(self, seconds: float) -> None:
        """Give the clock what data spanned that were taken since the last wait; where it passed by itself, nothing."""
        _on_main_thread()
        if seconds > 0:
            self._spend_s(seconds)

    def each(self, modules: Sequence[Module], work: Callable[[Module], T], jobs: int = 4) -> dict[Module, T]:
        """Do *work* at each module: one job at a wire pair at a time, wire pairs side by side (threads).

        All are carried out; then MeasurementFailed is raised when one has failed.
        """
        with self._pool(jobs) as pool:
            return each(modules, work, self.wire_pairs, jobs, pool)

    def count_scalers(
        self, thresholds: Mapping[Module, Mapping[int, int]], n: int, **options: Any
    ) -> dict[Module, dict[int, NDArray[np.int64]]]:
        """*n* counts of the scalers of many modules in the same periods; options as `scalers.count_scalers` says."""
        return count_scalers(self, thresholds, n, **options)

    def on_each(
        self, modules: Sequence[Module], work: Callable[[Module], T], jobs: int = 4
    ) -> tuple[dict[Module, T], dict[Module, Exception]]:
        """The same; returns results and failures."""
        with self._pool(jobs) as pool:
            return on_each(modules, work, self.wire_pairs, jobs, pool)

    @contextmanager
    def _pool(self, jobs: int) -> Iterator[ThreadPoolExecutor | None]:
        """Threads that stay, for a task comes back hundreds of times; only for the main thread, one call at a time."""
        if jobs < 1 or threading.current_thread() is not threading.main_thread():
            yield None
            return
        if jobs not in self._pools:
            self._pools[jobs] = ThreadPoolExecutor(jobs, thread_name_prefix="wire pair")
        try:
            yield self._pools[jobs]
        except (
            BaseException
        ):  # as when the engine ends the task: what runs has to end before anything is cleaned up
            self._end_threads()
            raise

    def _end_threads(self) -> None:
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)
        self._pools.clear()

    def wire_pair_of(self, module: Module) -> tuple[WirePair, int]:
        """A module's wire pair, and its address there."""
        base = group_of(module.port, self.wire_pairs)
        if base not in self.wire_pairs:
            raise UsageError(
                f"{module.name} has no wire pair: there is no address icm.{base + COMMAND_OFFSET}"
            )
        return self.wire_pairs[base], module.port - base

    def address(self, key: str) -> str:
        """An address by name. Raises UsageError when there is none."""
        if key not in self._endpoints:
            raise UsageError(
                f"there is no address {key!r}; there are: {', '.join(sorted(map(str, self._endpoints)))}"
            )
        return str(self._endpoints[key])

    @property
    def has_tabletop(self) -> bool:
        """Whether there is an address of a tabletop mainboard."""
        return any(port >= TABLETOP_PORTS for port in _numbered(self._endpoints, "degg."))

    @cached_property
    def tabletop(self) -> Module:
        """The mainboard on the table, which digitises the laser's sync on its channel 0."""
        ports = {port: a for port, a in _numbered(self._endpoints, "degg.").items() if port >= TABLETOP_PORTS}
        if not ports:
            raise UsageError("there is no address of a tabletop mainboard, such as degg.10007")
        port = min(ports)
        return Module(port, ports[port], "tabletop")

    @cached_property
    def generator(self) -> FunctionGenerator:
        """The laser's trigger."""
        return FunctionGenerator(self.address("lab.function_generator"))

    @cached_property
    def supply(self) -> LaserSupply:
        """The laser's supply."""
        return LaserSupply(self.address("lab.power_supply"))

    @cached_property
    def wheels(self) -> FilterWheels:
        """Both filter wheels."""
        return FilterWheels([self.address(f"lab.filter_wheel_{number}") for number in (0, 1)])

    @cached_property
    def thermometer(self) -> Thermometer:
        """Four probes."""
        return Thermometer(self.address("lab.thermometer"))

    @cached_property
    def humidity(self) -> HumiditySensors:
        """Two sensors."""
        return HumiditySensors(self.address("lab.humidity"))

    @cached_property
    def freezer_keys(self) -> FreezerKeys:
        """The keys of the freezer's panel, and the field hub's mains switch."""
        return FreezerKeys(self.address("lab.freezer_pins"), self.wait)

    @cached_property
    def freezer_chamber(self) -> FreezerChamber:
        """The freezer by a climate chamber's protocol."""
        return FreezerChamber(self.address("lab.chamber"), self.wait)

    @cached_property
    def freezer_camera(self) -> FreezerCamera:
        """Photographs of the freezer's display."""
        return FreezerCamera(self.address("lab.freezer_camera"))

    def close(self) -> None:
        """Leave all connections, and let the threads end."""
        self._end_threads()
        for module in self.modules.values():
            module.close()
        for pair in self.wire_pairs.values():
            pair.close()
        for part in vars(self).values():  # those that were used: cached properties
            if isinstance(
                part, (Module, ScpiInstrument, FilterWheels, Thermometer, FreezerKeys, FreezerChamber)
            ):
                part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _on_main_thread() -> None:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "bench time may pass on the main thread only; jobs at modules must not wait for it"
        )


def _numbered(endpoints: Mapping[str, Any], prefix: str) -> dict[int, str]:
    """Addresses whose names are a prefix and a number, by the number."""
    return {
        int(key.removeprefix(prefix)): str(address)
        for key, address in sorted(endpoints.items())
        if key.startswith(prefix) and key.removeprefix(prefix).isdecimal()
    }
