"""What is in the laboratory and how it is, as JSON: for the live page and for `stellwerk sim ls`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sim.kernel import FaultBoard, SimTime
from sim.lab.site import Site
from sim.lab.table import LabTable


class State:
    """The present state of a laboratory. Asking for it changes nothing."""

    def __init__(self, site: Site, table: LabTable) -> None:
        self._site, self._modules = site, table.serial_numbers

    def at(self, now: SimTime) -> dict[str, Any]:
        """Everything at a moment."""
        return {
            "name": self._site.name,
            "time": {"now_ns": now, "epoch_unix_ns": self._site.clock.epoch_unix_ns},
            "light": self._light(now),
            "cold": self._cold(now),
            "power": self._power(),
            "modules": {str(port): self._module(port, now) for port in self._modules},
            "parts": {name: self._part(name, board, now) for name, board in self._site.boards.items()},
        }

    def _light(self, now: SimTime) -> dict[str, Any]:
        light = self._site.world.light
        generator, dark_s = light.generator, light.dark_for_s(now)
        sync = light.sync(now)
        return {
            "generator": {
                "on": generator.on,
                "frequency_hz": generator.frequency_hz,
                "amplitude_vpp": generator.amplitude_vpp,
                "pulses": generator.pulses,
                "spacing_ns": generator.spacing_ns,
            },
            "supply": {"on": light.supply_on, "volts": light.supply_volts},
            "why_dark": light.why_dark(),
            "fires": light.fires,
            "sync_hz": None if sync is None else sync.frequency_hz,
            "wheels": [
                {"strength": strength, **self._told(f"{self._site.name}.filter_wheel_{wheel}", now)}
                for wheel, strength in enumerate(light.strengths)
            ],
            "strength": light.strength if light.fires else 0.0,
            "dark_for_s": None if math.isinf(dark_s) else dark_s,
        }

    def _cold(self, now: SimTime) -> dict[str, Any]:
        cold = self._site.world.cold
        return {
            "set_point_c": cold.set_point,
            "running": cold.running,
            "open": cold.open,
            "air_c": round(cold.air(now), 3),
            "glass_c": round(cold.glass(now), 3),
            "humidity": round(cold.humidity(now), 2),
            "room_c": cold.outside(),
        }

    def _power(self) -> dict[str, Any]:
        power = self._site.world.power
        return {
            "mains": power.mains,
            "wire_pairs": {str(group): on for group, on in power.wire_pairs.items()},
        }

    def _module(self, port: int, now: SimTime) -> dict[str, Any]:
        power = self._site.world.power
        return {
            "serial": self._modules[port],
            "switched_on": power.mainboards[port],
            "powered": power.powered_since(port) is not None,
            "channels": [],
            **self._told(f"degg.{port}", now),
        }

    def _part(self, name: str, board: FaultBoard, now: SimTime) -> dict[str, Any]:
        struck, active = board.struck(), board.active()
        return {
            "address": self._site.addresses.get(name),
            "told": dict(self._told(name, now)),
            "faults": {
                spec.name: {
                    "about": spec.about,
                    "shown_by": spec.shown_by,
                    "parameters": {**spec.parameters, **active.get(spec.name, {})},
                    "on": spec.name in active,
                    "struck": struck.get(spec.name, 0),
                }
                for spec in board.specs.values()
            },
        }

    def _told(self, part: str, now: SimTime) -> Mapping[str, Any]:
        shown = self._site.shown.get(part)
        return {} if shown is None else shown(now)
